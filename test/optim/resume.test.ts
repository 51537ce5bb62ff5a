import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options } from './database.js';
import { schedulers, type Row, type Scheduler } from './schedulers.js';

// A run that was stopped, saved, loaded and resumed continues bit for bit: every optimizer, whatever is exported, with
// every scheduler of the database, stopped after each step.

const { nn, optim } = torch;
const STEPS = 6;
const folder = mkdtempSync(join(tmpdir(), 'cresset-resume-'));
afterAll(() => rmSync(folder, { recursive: true }));

torch.manual_seed(3);
const words = torch.randint(0, 8, [STEPS, 4, 2]);
const targets = torch.randn(STEPS, 4, 3);

class Net extends nn.Module {
  readonly embedding: torch.nn.Embedding;
  readonly hidden = new nn.Linear(4, 5);
  readonly dropout = new nn.Dropout({ p: 0.4 });
  readonly out = new nn.Linear(5, 3);

  constructor(sparse: boolean) {
    super();
    this.embedding = new nn.Embedding(8, 4, (sparse ? { sparse } : {}) as object);
  }

  override forward(x: torch.Tensor): torch.Tensor {
    return this.out.forward(this.dropout.forward(this.hidden.forward(this.embedding.forward(x).mean(1)).tanh()));
  }
}

/** What an optimizer can do with, where not with all parameters in two groups. */
interface Needs {
  options?: Options;
  params?: (net: Net) => torch.Tensor[];
  sparse?: boolean;
  oneGroup?: boolean;
}

const needs: Record<string, Needs> = {
  LBFGS: { options: { max_iter: 3, line_search_fn: 'strong_wolfe' }, oneGroup: true },
  Muon: { params: (net) => [...net.parameters()].filter((p) => p.dim() === 2) },
  SparseAdam: { params: (net) => [net.embedding.weight], sparse: true, oneGroup: true },
};

type OptimizerClass = new (params: unknown, options: Options) => AnyOptimizer & { train?(): void };

const classes = Object.entries({ ...optim, ...(optim as Options).extra } as Record<string, unknown>).filter(
  (entry): entry is [string, OptimizerClass] =>
    typeof entry[1] === 'function' && entry[1].prototype instanceof optim.Optimizer,
);

/** A model in training, all from one seed. */
class Training {
  readonly losses: number[] = [];
  readonly model: Net;
  readonly optimizer: AnyOptimizer & { train?(): void };
  readonly scheduler: Scheduler;

  constructor(
    seed: number,
    [name, Optimizer]: [string, OptimizerClass],
    private readonly row: Row,
  ) {
    const { options, params, sparse = false, oneGroup = false } = needs[name] ?? {};
    torch.manual_seed(seed);
    this.model = new Net(sparse);
    const all = params?.(this.model) ?? [...this.model.parameters()];
    const groups = oneGroup ? all : [{ params: all.slice(1) }, { params: all.slice(0, 1), lr: 0.003 }];
    const fullest = database.find((known) => known.name === name)?.fullest;
    this.optimizer = new Optimizer(groups, { ...fullest, ...options, lr: 0.01 });
    this.optimizer.train?.();
    const { defaults } = this.optimizer;
    const fixed = row.cyclesMomentum && !('betas' in defaults || 'momentum' in defaults);
    this.scheduler = row.make(this.optimizer, { ...row.valid[0], ...(fixed ? { cycle_momentum: false } : {}) });
  }

  steps(start: number, end: number, each: () => void = () => {}): this {
    for (let i = start; i < end; i++) {
      const loss = this.optimizer.step(() => {
        this.optimizer.zero_grad();
        const error = nn.functional.mse_loss(this.model.forward(words.select(0, i)), targets.select(0, i));
        error.backward();
        return error;
      });
      this.losses.push(Number(loss.item()));
      // A metric that never improves: the rate falls within the run.
      if (this.row.metrics) this.scheduler.step(1);
      else this.scheduler.step();
      each();
    }
    return this;
  }

  /** All that is saved of a run. */
  state(): Record<string, object> {
    const { model, optimizer, scheduler } = this;
    const own = { model: model.state_dict(), optimizer: optimizer.state_dict(), scheduler: scheduler.state_dict() };
    return { ...torch.deepCopy(own), generator: torch.get_rng_state() };
  }

  load({ model, optimizer, scheduler, generator }: Record<string, object>): this {
    this.model.load_state_dict(model as never);
    this.optimizer.load_state_dict(optimizer as never);
    this.scheduler.load_state_dict(scheduler as never);
    torch.set_rng_state(generator as torch.Tensor);
    return this;
  }

  /** What must not differ by a bit. */
  result(): unknown[] {
    const bits = [...this.model.parameters()].map((p) => Buffer.from(p.detach().toTypedArray().buffer).toString('hex'));
    return [bits, this.optimizer.param_groups.map(({ lr }) => lr as number), this.scheduler.get_last_lr()];
  }
}

vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

test('the database has every scheduler', () => {
  const names = [
    ...Object.keys(optim.lr_scheduler),
    ...Object.keys(optim.swa_utils).filter((name) => name === 'SWALR'),
  ];
  expect(schedulers.map(({ name }) => name).sort()).toEqual(names.filter((name) => name !== 'LRScheduler').sort());
  expect(classes.map(([name]) => name)).toEqual(expect.arrayContaining(database.map(({ name }) => name)));
});

test.each(classes)('%s, stopped after any step, continues with every scheduler', (...optimizer) => {
  const runs = schedulers.map((row) => {
    const states: unknown[] = [];
    const training = new Training(0, optimizer, row);
    training.steps(0, STEPS, () => states.push(training.state()));
    expect(training.losses.every(Number.isFinite), row.name).toBe(true);
    return { row, states, losses: training.losses, result: training.result() };
  });
  const path = join(folder, optimizer[0]);
  torch.save(runs.map(({ states }) => states) as object, path);
  const saved = torch.load(path) as Record<string, object>[][];
  runs.forEach(({ row, losses, result }, i) => {
    for (let stop = 1; stop < STEPS; stop++) {
      const resumed = new Training(stop, optimizer, row).load(saved[i][stop - 1]).steps(stop, STEPS);
      expect(resumed.losses, `${row.name}, stopped after ${stop}`).toEqual(losses.slice(stop));
      expect(resumed.result(), `${row.name}, stopped after ${stop}`).toEqual(result);
    }
  });
});
