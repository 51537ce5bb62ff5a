// Trains a classifier of handwritten digits on MNIST, saves it, and draws how it learned.
//   npm start -- [--epochs n] [--batch-size n] [--lr x] [--seed n] [--limit images] [--out folder]
//   npm start -- --resume [--out folder]     goes on from where Ctrl-C, or worse, ended the last run
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import * as torch from 'cresset';
import { saveChart } from './chart.js';
import { loadMnist, type Digits } from './mnist_data.js';
import { readOptions } from './options.js';
const { nn, optim } = torch;
const { DataLoader, TensorDataset } = torch.utils.data;

const { resume, out, ...given } = readOptions({
  epochs: 6,
  'batch-size': 128,
  lr: 0.001,
  seed: 0,
  limit: 60_000,
  out: 'runs/mnist',
  resume: false,
});
const checkpoint = join(out, 'checkpoint.safetensors');
if (resume && !existsSync(checkpoint)) throw new Error(`--resume: there is no ${checkpoint}`);
/** All that the rest of a run depends on, at the start of an epoch's batch `done`. */
interface Checkpoint {
  options: typeof given;
  epoch: number;
  done: number;
  /** The generator's states at the start of the epoch, which gives the epoch's order again, and now. */
  shuffle: torch.Tensor;
  generator: torch.Tensor;
  model: Record<string, torch.Tensor>;
  optimizer: ReturnType<torch.optim.Optimizer['state_dict']>;
  scheduler: Record<string, unknown>;
  losses: [epoch: number, loss: number][];
  accuracies: [epoch: number, percent: number][];
  recent: number;
}
const saved = resume ? (torch.load(checkpoint) as Checkpoint) : null;
const options = saved?.options ?? given;
const { epochs, lr } = options;

const { name, isa } = torch.backends;
console.log(
  `cresset ${torch.__version__}: ${name} backend, instruction set ${isa}, ${torch.get_num_threads()} thread(s)`,
);

torch.manual_seed(options.seed);
const train = loadMnist('train', options.limit);
const test = loadMnist('t10k', options.limit);
const samples = train.images.size(0);
console.log(`MNIST: ${samples} training images, ${test.images.size(0)} test images`);

const model = new nn.Sequential(
  new nn.Linear(784, 256),
  new nn.ReLU(),
  new nn.Linear(256, 128),
  new nn.ReLU(),
  new nn.Linear(128, 10),
);
const criterion = new nn.CrossEntropyLoss();
const optimizer = new optim.Adam(model.parameters(), { lr });
const scheduler = new optim.lr_scheduler.StepLR(optimizer, { step_size: 4, gamma: 0.1 });
const loader = new DataLoader(new TensorDataset(train.images, train.labels), {
  batch_size: options['batch-size'],
  shuffle: true,
});

const losses = saved?.losses ?? [];
const accuracies = saved?.accuracies ?? [];
/** A running mean of the loss, for the eye. */
let recent = saved?.recent ?? NaN;
if (saved !== null) {
  model.load_state_dict(saved.model);
  optimizer.load_state_dict(saved.optimizer);
  scheduler.load_state_dict(saved.scheduler);
  torch.set_rng_state(saved.shuffle);
  console.log(`going on in epoch ${saved.epoch} after ${saved.done} of ${loader.length} batches`);
}
mkdirSync(out, { recursive: true });
/** The exit code that a signal asks for. */
let interrupted = 0;
// Once: a second Ctrl-C ends the process at once.
process.once('SIGINT', () => (interrupted = 130));
process.once('SIGTERM', () => (interrupted = 143));

for (let epoch = saved?.epoch ?? 1; epoch <= epochs; epoch++) {
  await trainEpoch(epoch, epoch === saved?.epoch ? saved.done : 0);
  scheduler.step();
  const accuracy = 100 * accuracyOn(test);
  accuracies.push([epoch, accuracy]);
  console.log(`         test accuracy ${accuracy.toFixed(2)} %`);
  save(epoch + 1, 0, torch.get_rng_state());
  if (interrupted > 0) stop();
}

const picture = join(out, 'learning_curve.svg');
const result = join(out, 'model.safetensors');
torch.save(model.state_dict(), result);
drawLearning(picture);
rmSync(checkpoint);
console.log(`wrote ${result} and ${picture}`);

function save(epoch: number, done: number, shuffle: torch.Tensor): void {
  const state: Checkpoint = {
    ...{ options, epoch, done, shuffle, losses, accuracies, recent },
    generator: torch.get_rng_state(),
    model: model.state_dict(),
    optimizer: optimizer.state_dict(),
    scheduler: scheduler.state_dict(),
  };
  torch.save(state, checkpoint);
}

function stop(): never {
  console.log(`interrupted; to go on: npm start -- --resume${out === 'runs/mnist' ? '' : ` --out ${out}`}`);
  process.exit(interrupted);
}

async function trainEpoch(epoch: number, done: number): Promise<void> {
  const shuffle = torch.get_rng_state();
  const bar = process.stdout.isTTY
    ? new SingleBar({
        format: `epoch ${epoch}/${epochs} {bar} {percentage} % | loss {loss} | {rate} samples/s`,
        stream: process.stdout,
        barsize: 30,
      })
    : null;
  bar?.start(samples, 0, { loss: '-', rate: '-' });
  const start = performance.now();
  let batch = 0;
  let seen = 0;
  let skipped = 0;
  let mean = 0;
  for (const [images, labels] of loader) {
    if (++batch <= done) {
      seen = skipped += labels.numel();
      if (batch === done) torch.set_rng_state(saved!.generator);
      continue;
    }
    const loss = criterion.forward(model.forward(images), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();

    const value = loss.item();
    const count = labels.numel();
    seen += count;
    mean += (value - mean) * (count / (seen - skipped));
    recent = Number.isNaN(recent) ? value : 0.95 * recent + 0.05 * value;
    losses.push([epoch - 1 + seen / samples, recent]);
    bar?.update(seen, { loss: recent.toFixed(4), rate: rate(seen - skipped, start) });

    await setImmediate(); // signals are heard between batches
    if (interrupted > 0 && batch < loader.length) {
      bar?.stop();
      save(epoch, batch, shuffle);
      stop();
    }
  }
  bar?.stop();
  if (bar === null) {
    console.log(`epoch ${epoch}/${epochs} | loss ${mean.toFixed(4)} | ${rate(seen - skipped, start)} samples/s`);
  }
}

function rate(count: number, start: number): string {
  return ((1000 * count) / (performance.now() - start)).toFixed(0);
}

function accuracyOn({ images, labels }: Digits): number {
  return torch.no_grad(() => {
    model.eval();
    const guesses = model.forward(images).argmax(1);
    model.train();
    return guesses.eq(labels).sum().item() / labels.numel();
  });
}

function drawLearning(file: string): void {
  const epochAxis = { type: 'value' as const, min: 0, max: epochs, splitLine: { show: false } };
  saveChart(
    file,
    { width: 760, height: 560 },
    {
      title: [
        { text: 'Training loss', left: 60, top: 12, textStyle: { fontSize: 15 } },
        { text: 'Test accuracy', left: 60, top: 282, textStyle: { fontSize: 15 } },
      ],
      grid: [
        { left: 60, right: 60, top: 48, height: 200 },
        { left: 60, right: 60, top: 318, height: 180 },
      ],
      xAxis: [
        { ...epochAxis, gridIndex: 0 },
        { ...epochAxis, gridIndex: 1, name: 'epoch', nameLocation: 'middle', nameGap: 28 },
      ],
      yAxis: [
        { type: 'log', gridIndex: 0 },
        { type: 'value', gridIndex: 1, scale: true, axisLabel: { formatter: '{value} %' } },
      ],
      series: [
        {
          type: 'line',
          xAxisIndex: 0,
          yAxisIndex: 0,
          showSymbol: false,
          color: '#4269d0',
          data: losses,
          lineStyle: { width: 1.5 },
        },
        {
          type: 'line',
          xAxisIndex: 1,
          yAxisIndex: 1,
          symbolSize: 7,
          color: '#4269d0',
          data: accuracies,
          label: { show: true, position: 'top', formatter: ({ value }) => (value as number[])[1].toFixed(2) },
        },
      ],
    },
  );
}
