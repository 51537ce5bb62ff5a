// Four optimizers on one task (a part of MNIST): the time of a step, the memory of their state, and how the final loss
// depends on the learning rate; printed as a table and drawn as one picture.
//   npm run optimizers -- [--epochs n] [--seed n] [--limit images] [--out folder]
import { join } from 'node:path';
import Table from 'cli-table3';
import * as torch from 'cresset';
import { saveChart } from './chart.js';
import { loadMnist } from './mnist_data.js';
import { readOptions } from './options.js';
const { nn, optim } = torch;

const options = readOptions({ epochs: 2, seed: 0, limit: 10_000, out: 'runs/optimizers' });
const batchSize = 128;
const rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1];

type Parameters = Iterable<torch.Tensor>;
const optimizers: Record<string, (params: Parameters, lr: number) => torch.optim.Optimizer> = {
  SGD: (params, lr) => new optim.SGD(params, { lr }),
  'SGD + momentum': (params, lr) => new optim.SGD(params, { lr, momentum: 0.9 }),
  Adam: (params, lr) => new optim.Adam(params, { lr }),
  RMSprop: (params, lr) => new optim.RMSprop(params, { lr }),
};

interface Run {
  /** Mean loss over the whole task after training. */
  readonly loss: number;
  /** Microseconds of each whole training step, and of the optimizer's part of it. */
  readonly steps: number[];
  readonly updates: number[];
  /** Bytes of optimizer state for each parameter. */
  readonly memory: number;
}

const { images, labels } = loadMnist('train', options.limit);
const criterion = new nn.CrossEntropyLoss();

function run(name: string, lr: number): Run {
  torch.manual_seed(options.seed);
  const model = new nn.Sequential(new nn.Linear(784, 64), new nn.ReLU(), new nn.Linear(64, 10));
  const optimizer = optimizers[name](model.parameters(), lr);
  const steps: number[] = [];
  const updates: number[] = [];
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const order = torch.randperm(labels.numel());
    for (const batch of order.split(batchSize)) {
      const x = images.index_select(0, batch);
      const target = labels.index_select(0, batch);
      const start = performance.now();
      const loss = criterion.forward(model.forward(x), target);
      optimizer.zero_grad();
      loss.backward();
      const update = performance.now();
      optimizer.step();
      const end = performance.now();
      steps.push(1000 * (end - start));
      updates.push(1000 * (end - update));
    }
  }
  const loss = torch.no_grad(() => criterion.forward(model.forward(images), labels).item());
  return { loss, steps, updates, memory: stateBytes(optimizer) / parameterCount(model) };
}

function stateBytes(optimizer: torch.optim.Optimizer): number {
  const tensors = Object.values(optimizer.state_dict().state)
    .flatMap((state) => Object.values(state as object) as unknown[])
    .filter((value) => value instanceof torch.Tensor);
  return tensors.reduce((bytes, tensor) => bytes + tensor.numel() * tensor.element_size(), 0);
}

function parameterCount(model: torch.nn.Module): number {
  return [...model.parameters()].reduce((count, parameter) => count + parameter.numel(), 0);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const names = Object.keys(optimizers);
run(names[0], rates[0]); // warms the compiler up
// Learning rate by learning rate, so that what else the machine does falls on all optimizers alike.
const runs = rates.map((lr) => names.map((name) => run(name, lr)));
const results = names.map((name, i) => {
  const own = runs.map((atRate) => atRate[i]);
  const losses = own.map(({ loss }) => loss);
  return {
    name,
    losses,
    best: losses.indexOf(Math.min(...losses.filter(Number.isFinite))),
    step: median(own.flatMap(({ steps }) => steps)),
    update: median(own.flatMap(({ updates }) => updates)),
    memory: own[0].memory,
  };
});

const table = new Table({
  head: ['', ...names],
  colAligns: ['left', ...results.map(() => 'right' as const)],
  style: { head: [], border: [], compact: true },
});
table.push(
  ['step, µs', ...results.map(({ step }) => step.toFixed(0))],
  ['  of it optimizer.step(), µs', ...results.map(({ update }) => update.toFixed(0))],
  ['state, bytes a parameter', ...results.map(({ memory }) => memory.toFixed(2))],
  ...rates.map((lr, i) => [
    `final loss at lr ${lr}`,
    ...results.map(({ losses, best }) => `${i === best ? 'best  ' : ''}${format(losses[i])}`),
  ]),
);
console.log(table.toString());

const picture = join(options.out, 'optimizers.svg');
draw(picture);
console.log(`wrote ${picture}`);

function format(loss: number): string {
  return Number.isFinite(loss) ? loss.toPrecision(3) : 'diverged';
}

function draw(file: string): void {
  const colors = ['#4269d0', '#efb118', '#ff725c', '#3ca951'];
  const top = 10; // beyond it a line leaves the picture
  const bars = (values: number[], grid: number, digits: number) => ({
    type: 'bar' as const,
    xAxisIndex: grid,
    yAxisIndex: grid,
    barWidth: '60%',
    data: values.map((value, i) => ({ value, itemStyle: { color: colors[i] } })),
    label: {
      show: true,
      position: 'right' as const,
      formatter: ({ value }: { value?: unknown }) => (value as number).toFixed(digits),
    },
  });
  // 10 ** -4 is not quite 0.0001.
  const axisLabel = { formatter: (value: number) => String(Number(value.toPrecision(6))) };
  const title = (text: string, left: number, y: number) => ({ text, left, top: y, textStyle: { fontSize: 14 } });
  saveChart(
    file,
    { width: 1000, height: 520 },
    {
      title: [
        title('Final loss by learning rate', 60, 12),
        title('Time of a step, µs', 660, 12),
        title('State, bytes a parameter', 660, 262),
      ],
      legend: { data: names, top: 40, left: 60, itemGap: 28 },
      grid: [
        { left: 60, top: 80, width: 520, height: 370 },
        { left: 770, top: 44, width: 170, height: 170 },
        { left: 770, top: 294, width: 170, height: 156 },
      ],
      xAxis: [
        { type: 'log', gridIndex: 0, name: 'learning rate', nameLocation: 'middle', nameGap: 30, axisLabel },
        { type: 'value', gridIndex: 1, splitNumber: 3 },
        { type: 'value', gridIndex: 2, splitNumber: 3, minInterval: 4 },
      ],
      yAxis: [
        { type: 'log', gridIndex: 0, max: top },
        { type: 'category', gridIndex: 1, data: names, inverse: true, axisTick: { show: false } },
        { type: 'category', gridIndex: 2, data: names, inverse: true, axisTick: { show: false } },
      ],
      series: [
        ...results.map(({ name, losses }, i) => ({
          type: 'line' as const,
          name,
          color: colors[i],
          symbolSize: 7,
          clip: true,
          data: losses.map((loss, j) => [rates[j], Number.isFinite(loss) ? loss : null]),
        })),
        bars(
          results.map(({ step }) => step),
          1,
          0,
        ),
        bars(
          results.map(({ memory }) => memory),
          2,
          1,
        ),
      ],
    },
  );
}
