// Every optimizer on a task that suits it: the time of a step, the memory of its state, and how the final loss depends on
// the learning rate; printed as tables and drawn as pictures, one for each task.
//   npm run optimizers -- [--epochs n] [--passes n] [--seed n] [--limit examples] [--rates a,b,…] [--out folder]
import { join } from 'node:path';
import Table from 'cli-table3';
import * as torch from 'cresset';
import { drawResults, formatLoss, type Result } from './optimizer_pictures.js';
import { makeTasks, type Task } from './optimizer_tasks.js';
import { readOptions } from './options.js';

const options = readOptions({
  epochs: 2,
  passes: 40,
  seed: 0,
  limit: 10_000,
  rates: '1e-4,3e-4,1e-3,3e-3,1e-2,3e-2,1e-1,3e-1,1,3,10',
  out: 'runs/optimizers',
});
const rates = options.rates.split(',').map(Number);

interface Run {
  /** The mean loss over all examples after training. */
  readonly loss: number;
  /** Microseconds for each gradient and the update it is used for; and what of them the optimizer takes. */
  readonly steps: number[];
  readonly updates: number[];
  /** Bytes of optimizer state for each parameter. */
  readonly memory: number;
}

function run(task: Task, name: string, lr: number): Run {
  torch.manual_seed(options.seed);
  const { model, optimizers } = task.optimizers[name](lr);
  const [first, ...others] = optimizers;
  const averaged = optimizers.filter((optimizer) => optimizer instanceof torch.optim.extra.ScheduleFreeAdamW);
  averaged.forEach((optimizer) => optimizer.train());
  const steps: number[] = [];
  const updates: number[] = [];
  const batches = batchesOf(task);
  let gradients = 0;
  while (gradients < task.gradients) {
    const batch = batches.next().value;
    const [before, start] = [gradients, performance.now()];
    let outside = 0;
    first.step(() => {
      const entry = performance.now();
      gradients++;
      model.zero_grad();
      const loss = task.loss(model, batch);
      loss.backward();
      outside += performance.now() - entry;
      return loss;
    });
    others.forEach((optimizer) => optimizer.step());
    const time = performance.now() - start;
    steps.push((1000 * time) / (gradients - before));
    updates.push((1000 * (time - outside)) / (gradients - before));
  }
  averaged.forEach((optimizer) => optimizer.eval());
  const loss = torch.no_grad(() => task.loss(model, torch.arange(task.examples)).item());
  const parameters = [...model.parameters()].reduce((count, parameter) => count + parameter.numel(), 0);
  const bytes = optimizers.reduce((sum, { state }) => sum + stateBytes([...state.values()]), 0);
  return { loss, steps, updates, memory: bytes / parameters };
}

/** The numbers of a batch's examples, epoch after epoch. */
function* batchesOf({ examples, batchSize }: Task): Generator<torch.Tensor, never> {
  for (;;) yield* torch.randperm(examples).split(batchSize);
}

/** What the tensors within a state hold. */
function stateBytes(state: unknown): number {
  if (state instanceof torch.Tensor) return state.numel() * state.element_size();
  if (typeof state !== 'object' || state === null) return 0;
  return Object.values(state).reduce((bytes: number, value) => bytes + stateBytes(value), 0);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function compare(task: Task): Result[] {
  const names = Object.keys(task.optimizers);
  run(task, names[0], rates[0]); // warms the compiler up
  // Learning rate by learning rate, so that what else the machine does falls on all optimizers alike.
  const runs = rates.map((lr) => names.map((name) => run(task, name, lr)));
  return names.map((name, i) => {
    const own = runs.map((atRate) => atRate[i]);
    return {
      name,
      losses: own.map(({ loss }) => loss),
      step: median(own.flatMap(({ steps }) => steps)),
      update: median(own.flatMap(({ updates }) => updates)),
      memory: own[0].memory,
    };
  });
}

for (const task of makeTasks(options)) {
  const results = compare(task);
  const table = new Table({
    head: ['', 'step, µs', 'optimizer, µs', 'state, B/param', ...rates.map((lr) => `lr ${lr}`)],
    colAligns: ['left', ...Array.from({ length: 3 + rates.length }, () => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, step, update, memory, losses } of results) {
    const best = Math.min(...losses.filter(Number.isFinite));
    table.push([
      name,
      step.toFixed(0),
      update.toFixed(0),
      memory.toFixed(2),
      ...losses.map((loss) => `${loss === best ? '* ' : ''}${formatLoss(loss)}`),
    ]);
  }
  const picture = join(options.out, `${task.name}.svg`);
  drawResults(picture, task.title, rates, results);
  console.log(`${task.title}: final loss by learning rate\n${table.toString()}\nwrote ${picture}`);
}
