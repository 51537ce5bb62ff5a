import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi, type MockInstance } from 'vitest';
import * as torch from 'cresset';
import { cos } from '../../lib/optim/lr_scheduler/cosine.js';
import type { AnyOptimizer, Options } from './database.js';
import { rowOf, schedulers, type Row, type Scheduler } from './schedulers.js';

const { optim } = torch;
const { lr_scheduler } = optim;

interface Run {
  rates: number[][];
  momentum: number[][];
}

/** By PyTorch: the momentum where it changes. */
type GoldenRun = Partial<Run> & Pick<Run, 'rates'>;

interface Case {
  scheduler: string;
  options: Options;
  optimizer: 'SGD' | 'Adam';
  chained: GoldenRun;
  state: Options;
  jumping?: GoldenRun;
  resumed?: GoldenRun[];
  float32?: number[][];
}

interface Golden {
  lrs: number[];
  jumps: (number | null)[];
  metrics: (number | 'nan')[];
  resumedAt: number[];
  cosines: [number, number][];
  schedules: Case[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/lr_scheduler.json', import.meta.url), 'utf8')) as Golden;
const metrics = golden.metrics.map(Number);
const STEPS = golden.jumps.length;

// Python's power and V8's may differ by an ulp; a chain of epochs keeps what it has.
const BOUND = 1e-15;

const optimizerOf = (kind: string, rate: (lr: number) => number | torch.Tensor = (lr) => lr): AnyOptimizer => {
  const groups = golden.lrs.map((lr) => ({ params: [torch.zeros(1)], lr: rate(lr) }));
  return kind === 'Adam' ? new optim.Adam(groups) : new optim.SGD(groups, { momentum: 0.9 });
};
const sgd = () => optimizerOf('SGD');

const ratesOf = (optimizer: AnyOptimizer): number[] => optimizer.param_groups.map(({ lr }) => Number(valueOf(lr)));
const valueOf = (x: number | torch.Tensor): number => (typeof x === 'number' ? x : Number(x.item()));

/** What a step changes, in a form that can be compared. */
const snapshot = (optimizer: AnyOptimizer, scheduler?: Scheduler): string =>
  JSON.stringify([
    optimizer.param_groups.map((group) => ({ ...group, params: 0, lr: valueOf(group.lr) })),
    scheduler?.state_dict(),
  ]);

/** Learning rates and momentum as a scheduler begins. */
function begun(optimizer: AnyOptimizer, scheduler: Scheduler): Run {
  const run: Run = { rates: [], momentum: [] };
  note(run, optimizer, scheduler);
  return run;
}

/** Takes steps with the metrics that belong to them, and adds to `run` what they set. */
function advance(
  row: Row,
  optimizer: AnyOptimizer,
  scheduler: Scheduler,
  start: number,
  end: number,
  run: Run = { rates: [], momentum: [] },
): Run {
  for (let i = start; i < end; i++) {
    optimizer.step();
    if (row.metrics) scheduler.step(metrics[i]);
    else scheduler.step();
    note(run, optimizer, scheduler);
  }
  return run;
}

function note(run: Run, optimizer: AnyOptimizer, scheduler: Scheduler): void {
  const rates = scheduler.get_last_lr<number | torch.Tensor>().map(valueOf);
  expect(rates).toEqual(ratesOf(optimizer));
  run.rates.push(rates);
  run.momentum.push(optimizer.param_groups.map((group) => valueOf(group.betas?.[0] ?? group.momentum)));
}

function expectClose(actual: unknown, expected: unknown, where = ''): void {
  if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(actual as object).sort(), where).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectClose((actual as Options)[key], value, `${where}.${key}`);
    }
  } else if (typeof expected === 'number') {
    const error = Math.abs((actual as number) - expected) / Math.abs(expected || 1);
    if (!(error <= BOUND)) expect.fail(`${where}: ${String(actual)} instead of ${expected}`);
  } else expect(actual, where).toEqual(expected);
}

function expectRun(actual: Run, expected: GoldenRun): void {
  const { rates, momentum } = expected;
  expectRows(actual.rates, rates, 'rates');
  if (momentum) expectRows(actual.momentum, momentum, 'momentum');
  else expect(new Set(actual.momentum.flat()).size).toBe(1);
}

function expectRows(actual: number[][], expected: number[][], where: string): void {
  expect(actual.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  expected.forEach((row, i) => row.forEach((value, k) => expectClose(actual[i][k], value, `${where}[${i}][${k}]`)));
}

let warn: MockInstance<typeof process.emitWarning>;
beforeEach(() => {
  vi.restoreAllMocks();
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
const warnings = () => warn.mock.calls.map(([message]) => String(message));

describe.each(schedulers)('$name', (row) => {
  const { name, make, valid, invalid, misfits } = row;
  const cases = golden.schedules.filter((c) => c.scheduler === name);

  test('the golden file has every valid combination', () => {
    expect(cases.filter((c) => c.optimizer === 'SGD').map((c) => c.options)).toEqual(valid);
  });

  test.each(cases)(
    'follows PyTorch, epoch by epoch: $options, $optimizer',
    ({ optimizer: kind, options, chained, state }) => {
      const optimizer = optimizerOf(kind);
      const scheduler = make(optimizer, options);
      const run = begun(optimizer, scheduler);
      expectRun(advance(row, optimizer, scheduler, 0, STEPS, run), chained);
      const infinite = (_: string, value: unknown) =>
        value === Infinity ? 'inf' : value === -Infinity ? '-inf' : value;
      expectClose(JSON.parse(JSON.stringify(scheduler.state_dict(), infinite)), state);
    },
  );

  test.each(cases.filter((c) => c.jumping))('follows PyTorch to epochs anywhere: $options', ({ options, jumping }) => {
    const optimizer = sgd();
    const scheduler = make(optimizer, options);
    const run = begun(optimizer, scheduler);
    for (const epoch of golden.jumps) {
      optimizer.step();
      scheduler.step(epoch);
      note(run, optimizer, scheduler);
    }
    expectRun(run, jumping!);
  });

  test.each(cases.filter((c) => c.resumed))(
    'goes on from last_epoch: $options, $optimizer',
    ({ optimizer: kind, options, resumed }) => {
      golden.resumedAt.forEach((at, i) => {
        const before = optimizerOf(kind);
        advance(row, before, make(before, options), 0, at);
        const optimizer = optimizerOf(kind);
        optimizer.load_state_dict(before.state_dict());
        const scheduler = make(optimizer, { ...options, last_epoch: at });
        const run = begun(optimizer, scheduler);
        expectRun(advance(row, optimizer, scheduler, 0, 4, run), resumed![i]);
      });
    },
  );

  test.each(cases.filter((c) => c.float32))(
    'computes with float32 tensors as PyTorch: $options',
    ({ options, float32 }) => {
      const lrs: torch.Tensor[] = [];
      const optimizer = optimizerOf('SGD', (lr) => (lrs[lrs.length] = torch.tensor(lr)));
      const scheduler = make(optimizer, options);
      const run = begun(optimizer, scheduler);
      advance(row, optimizer, scheduler, 0, float32!.length - 1, run);
      expect(run.rates.map((rates) => rates.map((lr) => Number(lr.toPrecision(9))))).toEqual(float32);
      optimizer.param_groups.forEach((group, i) => expect(group.lr).toBe(lrs[i]));
      const last = scheduler.get_last_lr<torch.Tensor>();
      expect(last.map((lr) => lr.dtype)).toEqual([torch.float32, torch.float32]);
      expect(last[0] === lrs[0]).toBe(false);
    },
  );

  test.each(cases)('a state dict continues bit for bit: $options, $optimizer', ({ optimizer: kind, options }) => {
    for (const at of [0, 1, 17, 35]) {
      const [a, b] = [optimizerOf(kind), optimizerOf(kind, (lr) => lr / 3)];
      const first = make(a, options);
      advance(row, a, first, 0, at);
      const second = make(b, options);
      second.load_state_dict(
        JSON.parse(JSON.stringify(first.state_dict()), (key, value) => value ?? unbounded(first, key)),
      );
      b.load_state_dict(a.state_dict());
      expect(advance(row, b, second, at, STEPS)).toEqual(advance(row, a, first, at, STEPS));
      expect(second.state_dict()).toEqual(first.state_dict());
    }
  });

  test('refuses bad options and changes nothing', () => {
    for (const [options, message] of invalid) {
      const optimizer = sgd();
      // Schedulers that are given as an option change the optimizer before.
      if (options.schedulers) {
        expect(() => make(optimizer, options)).toThrow(message);
        continue;
      }
      const before = snapshot(optimizer);
      expect(() => make(optimizer, options), JSON.stringify(options)).toThrow(message);
      expect(snapshot(optimizer)).toBe(before);
    }
    expect(() => make({} as never, valid[0])).toThrow(
      /optimizer: expected an Optimizer, got an object|belong to the same/,
    );
  });

  test('refuses a state dict that does not fit, and keeps its own', () => {
    const optimizer = sgd();
    const scheduler = make(optimizer, valid[0]);
    const state = scheduler.state_dict();
    const before = snapshot(optimizer, scheduler);
    for (const [change, message] of misfits) {
      expect(() => scheduler.load_state_dict({ ...state, ...change }), JSON.stringify(change)).toThrow(message);
    }
    expect(() => scheduler.load_state_dict(null as never)).toThrow('state_dict: expected an object, got null');
    expect(() => scheduler.load_state_dict([] as never)).toThrow('state_dict: expected an object, got []');
    expect(snapshot(optimizer, scheduler)).toBe(before);
  });

  test('refuses a step to no epoch, and changes nothing', () => {
    const optimizer = sgd();
    const scheduler = make(optimizer, valid[0]);
    const before = snapshot(optimizer, scheduler);
    for (const epoch of [1.5, NaN, '3', -1]) {
      if (row.metrics) expect(() => scheduler.step(...([epoch, 1.5] as never[]))).toThrow('step: ');
      else if (epoch !== -1 && !(epoch === 1.5 && name.endsWith('WarmRestarts'))) {
        expect(() => scheduler.step(epoch as never)).toThrow('step: epoch: ');
      }
    }
    expect(snapshot(optimizer, scheduler)).toBe(before);
  });
});

/** What JSON has no form for. */
function unbounded(scheduler: Scheduler, key: string): unknown {
  const value = (scheduler as unknown as Options)[key] as unknown;
  return typeof value === 'number' ? value : null;
}

test('a cosine is rounded as by the C library', () => {
  // Values of Python's math.cos, at which Math.cos may be off by an ulp.
  for (const [x, y] of golden.cosines) expect(cos(x)).toBe(y);
});

describe('warnings', () => {
  test('of a step before the first of the optimizer, once', () => {
    const optimizer = sgd();
    const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 1 });
    scheduler.step();
    scheduler.step();
    expect(warnings()).toEqual([expect.stringContaining('`lr_scheduler.step()` before `optimizer.step()`')]);
    optimizer.step();
    new lr_scheduler.StepLR(optimizer, { step_size: 1 }).step();
    expect(warnings()).toHaveLength(1);
  });

  test('of a step of the optimizer that was replaced, once', () => {
    const optimizer = sgd();
    const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 1 });
    optimizer.step = (() => null) as typeof optimizer.step;
    optimizer.step();
    scheduler.step();
    scheduler.step();
    expect(warnings()).toEqual([expect.stringContaining('`optimizer.step()` has been overridden')]);
  });

  test('of get_lr from outside and of an epoch, each once for all schedulers', async () => {
    // What was warned of is remembered: start anew.
    vi.resetModules();
    const { optim: fresh, zeros } = await import('cresset');
    for (let i = 0; i < 2; i++) {
      const optimizer = new fresh.SGD([zeros(1)]);
      const [first, second] = [1, 2].map((step_size) => new fresh.lr_scheduler.StepLR(optimizer, { step_size }));
      optimizer.step();
      first.step(3);
      second.step(4);
      first.get_lr();
      second.get_lr();
      const plateau = new fresh.lr_scheduler.ReduceLROnPlateau(optimizer);
      plateau.step(1);
      plateau.step(1, 7);
      expect(plateau.last_epoch).toBe(7);
    }
    expect(warnings()).toEqual([
      expect.stringContaining('The epoch parameter of `scheduler.step()` is deprecated'),
      expect.stringContaining('please use `get_last_lr()`'),
    ]);
  });
});

describe('functions', () => {
  test('a state dict holds the properties of a function, and null for a plain one', () => {
    const make = (k: number) => {
      const decay = Object.assign((epoch: number): number => decay.k ** epoch, { k });
      return { decay, scheduler: new lr_scheduler.LambdaLR(sgd(), { lr_lambda: [decay, () => 1] }) };
    };
    const [first, second] = [make(0.5), make(0.9)];
    expect(first.scheduler.state_dict().lr_lambdas).toEqual([{ k: 0.5 }, null]);
    second.scheduler.load_state_dict(first.scheduler.state_dict());
    expect(second.decay.k).toBe(0.5);
    second.scheduler.step();
    expect(second.scheduler.get_last_lr()).toEqual([0.25, 0.02]);
  });

  test('so it does of the scale function of CyclicLR', () => {
    const make = (k: number) => {
      const scale_fn = Object.assign((): number => scale_fn.k, { k });
      return new lr_scheduler.CyclicLR(sgd(), { base_lr: 0, max_lr: 1, step_size_up: 2, scale_fn });
    };
    const [first, second] = [make(0.5), make(1)];
    expect(first.state_dict()._scale_fn_custom).toEqual({ k: 0.5 });
    second.load_state_dict(first.state_dict());
    second.step();
    expect(second.get_last_lr()).toEqual([0.25, 0.25]);
    expect(() => first.load_state_dict({ _scale_fn_custom: 3 })).toThrow(
      '_scale_fn_custom: expected null or an object',
    );
  });

  test('what they throw leaves all as it was, in a chain too', () => {
    const optimizer = sgd();
    let factor: unknown = 0.5;
    const lr_lambda = () => factor as number;
    const scheduler = new lr_scheduler.ChainedScheduler([
      new lr_scheduler.ExponentialLR(optimizer, { gamma: 0.5 }),
      new lr_scheduler.MultiplicativeLR(optimizer, { lr_lambda }),
    ]);
    scheduler.step();
    const before = snapshot(optimizer, scheduler);
    for (factor of [NaN, '0.5', undefined])
      expect(() => scheduler.step()).toThrow('MultiplicativeLR: lr_lambda: expected');
    expect(snapshot(optimizer, scheduler)).toBe(before);
    factor = 0.5;
    scheduler.step();
    expect(scheduler.get_last_lr()).toEqual([0.03125, 0.00125]);
  });
});

describe('last_epoch', () => {
  test('is refused where groups do not know what OneCycleLR wrote into them', () => {
    const optimizer = sgd();
    optimizer.param_groups.forEach((group) => (group.initial_lr = 0.1));
    const before = snapshot(optimizer);
    expect(() => new lr_scheduler.OneCycleLR(optimizer, { max_lr: 0.1, total_steps: 9, last_epoch: 1 })).toThrow(
      'OneCycleLR: max_lr: expected a finite number, got undefined',
    );
    expect(snapshot(optimizer)).toBe(before);
  });

  test('base_lrs are the initial_lr of groups, which a tensor lr gives a copy of itself', () => {
    const lr = torch.tensor(0.5);
    const optimizer = new optim.SGD([torch.zeros(1)], { lr });
    const scheduler = new lr_scheduler.ExponentialLR(optimizer, { gamma: 0.5 });
    optimizer.step();
    scheduler.step();
    expect([lr, optimizer.param_groups[0].initial_lr as torch.Tensor].map((t) => t.item())).toEqual([0.25, 0.5]);
    expect((scheduler.base_lrs[0] as torch.Tensor).item()).toBe(0.5);
  });
});

test('OneCycleLR refuses a step after the last, and stays there', () => {
  const optimizer = sgd();
  const scheduler = new lr_scheduler.OneCycleLR(optimizer, { max_lr: 0.1, total_steps: 3 });
  for (let i = 0; i < 3; i++) {
    optimizer.step();
    scheduler.step();
  }
  const before = snapshot(optimizer, scheduler);
  expect(() => scheduler.step()).toThrow('OneCycleLR: step: expected at most total_steps, 3 steps, got 4');
  expect(snapshot(optimizer, scheduler)).toBe(before);
});

test.each(['CyclicLR', 'OneCycleLR'])(
  '%s refuses an optimizer without momentum, unless it is not to be cycled',
  (name) => {
    class Plain extends optim.Optimizer<{ lr: number }> {
      constructor(params: torch.Tensor[]) {
        super(params, { lr: 0.1 }, { rules: {} } as never);
      }
    }
    const optimizer = new Plain([torch.zeros(1)]);
    const [options] = [{ ...rowOf(name).valid[0] }];
    const before = snapshot(optimizer);
    expect(() => rowOf(name).make(optimizer, options)).toThrow(
      `${name}: optimizer: expected one with momentum or betas where cycle_momentum is true, got Plain`,
    );
    expect(snapshot(optimizer)).toBe(before);
    rowOf(name).make(optimizer, { ...options, cycle_momentum: false });
  },
);

test('CosineAnnealingWarmRestarts: a fraction of an epoch, and a jump to any restart', () => {
  const scheduler = new lr_scheduler.CosineAnnealingWarmRestarts(sgd(), { T_0: 2, T_mult: 3 });
  scheduler.step(0.5);
  expectClose(scheduler.get_last_lr()[0], 0.25 * (1 + Math.SQRT1_2));
  for (const [restart, length] of [
    [2, 6],
    [8, 18],
    [26, 54],
    [80, 162],
    [242, 486],
  ]) {
    scheduler.step(restart);
    expect([scheduler.T_cur, scheduler.T_i, scheduler.get_last_lr()[0]]).toEqual([0, length, 0.5]);
  }
});

test('ReduceLROnPlateau: groups that join, metrics of all kinds', () => {
  const optimizer = sgd();
  const scheduler = new lr_scheduler.ReduceLROnPlateau(optimizer, { patience: 0, min_lr: 0.01 });
  const listed = new lr_scheduler.ReduceLROnPlateau(optimizer, { patience: 0, min_lr: [0.01, 0.01] });
  optimizer.add_param_group({ params: torch.zeros(1), lr: 1 });
  for (const plateau of [scheduler, listed]) plateau.step(torch.tensor(1));
  scheduler.step(torch.tensor([1]));
  expectClose(scheduler.get_last_lr(), [0.05, 0.01, 0.1]);
  const before = snapshot(optimizer, listed);
  expect(() => listed.step(1)).toThrow(
    'step: expected min_lrs for 3 parameter groups, got 2: set them when groups are added',
  );
  for (const metric of ['1', null, undefined, torch.ones(2)]) {
    expect(() => listed.step(metric as never)).toThrow(
      'step: metrics: expected a number or a tensor of one element, got',
    );
  }
  expect(snapshot(optimizer, listed)).toBe(before);
  expect(listed.in_cooldown).toBe(false);
});

test('a group that joined is refused by schedules from base_lrs', () => {
  const optimizer = sgd();
  const scheduler = new lr_scheduler.LambdaLR(optimizer, { lr_lambda: () => 1 });
  optimizer.add_param_group({ params: torch.zeros(1) });
  optimizer.step();
  const before = snapshot(optimizer, scheduler);
  expect(() => scheduler.step()).toThrow(
    'LambdaLR: step: expected as many learning rates as parameter groups, 3, got 2',
  );
  expect(snapshot(optimizer, scheduler)).toBe(before);
});

test('a schedule without a finite rate is refused', () => {
  const optimizer = sgd();
  const scheduler = new lr_scheduler.ConstantLR(optimizer, { factor: 0, total_iters: 1 });
  optimizer.step();
  const before = snapshot(optimizer, scheduler);
  expect(() => scheduler.step()).toThrow(
    'ConstantLR: step: expected a finite learning rate for param_groups[0], got NaN',
  );
  expect(snapshot(optimizer, scheduler)).toBe(before);
});

test('a rate that requires gradients is refused where they are recorded', () => {
  const lr = torch.tensor(0.5, { requires_grad: true });
  const optimizer = new optim.SGD([torch.zeros(1)], { lr });
  const make = () => new lr_scheduler.StepLR(optimizer, { step_size: 1, gamma: 0.5 });
  expect(make).toThrow('a leaf tensor that requires grad is being used in an in-place operation');
  expect(optimizer.param_groups[0].initial_lr).toBeUndefined();
  torch.no_grad(() => make().step());
  expect(lr.item()).toBe(0.25);
});

test("a user's scheduler: get_lr, fields and startFrom", () => {
  class Halved extends lr_scheduler.LRScheduler {
    every: number;
    constructor(optimizer: AnyOptimizer, { every }: { every: number }) {
      super(optimizer);
      this.every = every;
      this.startFrom(-1);
    }
    override get_lr(): number[] {
      const halves = Math.floor(this.last_epoch / this.every);
      return this.base_lrs.map((lr) => Number(lr) / 2 ** halves);
    }
  }
  const [a, b] = [sgd(), sgd()];
  const scheduler = new Halved(a, { every: 2 });
  for (let i = 0; i < 5; i++) scheduler.step();
  expect(scheduler.get_last_lr()).toEqual([0.125, 0.005]);
  const other = new Halved(b, { every: 1 });
  other.load_state_dict(scheduler.state_dict());
  other.step();
  expect(other.get_last_lr()).toEqual([0.0625, 0.0025]);
  const base = new lr_scheduler.LRScheduler(a);
  expect(() => base.step()).toThrow('LRScheduler: get_lr: not implemented');
});
