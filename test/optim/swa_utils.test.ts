import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn, optim } = torch;
const { AveragedModel, update_bn, ...averages } = optim.swa_utils;
const { get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_avg_fn, get_swa_multi_avg_fn } = averages;

type Values = Record<string, number | number[]>;
interface Averages {
  averages: Record<string, Values>;
  'after update_bn': Values;
  output: number[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/swa.json', import.meta.url), 'utf8')) as {
  float32: Averages;
  float64: Averages;
};

/** BatchNorm1d for inputs of two dimensions. */
class BatchNorm extends nn.Module {
  readonly weight: torch.nn.Parameter;
  readonly bias: torch.nn.Parameter;
  declare running_mean: torch.Tensor;
  declare running_var: torch.Tensor;
  declare num_batches_tracked: torch.Tensor;
  momentum: number | null = 0.1;

  constructor(features: number) {
    super();
    this.weight = new nn.Parameter(torch.ones(features));
    this.bias = new nn.Parameter(torch.zeros(features));
    this.register_buffer('running_mean', torch.zeros(features));
    this.register_buffer('running_var', torch.ones(features));
    this.register_buffer('num_batches_tracked', torch.tensor(0, { dtype: torch.int64 }));
  }

  reset_running_stats(): void {
    this.running_mean.zero_();
    this.running_var.fill_(1);
    this.num_batches_tracked.zero_();
  }

  override forward(x: torch.Tensor): torch.Tensor {
    let [mean, variance] = [this.running_mean, this.running_var];
    if (this.training) {
      [variance, mean] = torch.var_mean(x, 0, { correction: 0 });
      const [m, v] = [mean.detach(), x.detach().var(0)];
      this.num_batches_tracked.add_(1);
      const factor = this.momentum ?? 1 / Number(this.num_batches_tracked.item());
      this.running_mean.mul_(1 - factor).add_(m.mul(factor));
      this.running_var.mul_(1 - factor).add_(v.mul(factor));
    }
    return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(this.weight).add(this.bias);
  }
}

const EPOCHS = 6;
const options: Record<string, torch.optim.swa_utils.AveragedModelOptions> = {
  mean: {},
  'mean with buffers': { use_buffers: true },
  get_swa_avg_fn: { avg_fn: get_swa_avg_fn() },
  get_swa_multi_avg_fn: { multi_avg_fn: get_swa_multi_avg_fn() },
  get_ema_avg_fn: { avg_fn: get_ema_avg_fn({ decay: 0.9 }) },
  get_ema_multi_avg_fn: { multi_avg_fn: get_ema_multi_avg_fn({ decay: 0.9 }) },
  'get_ema_multi_avg_fn of decay 0.3': { multi_avg_fn: get_ema_multi_avg_fn({ decay: 0.3 }) },
  'get_ema_multi_avg_fn with buffers': { multi_avg_fn: get_ema_multi_avg_fn({ decay: 0.9 }), use_buffers: true },
  'a function': {
    avg_fn: (a, c, n) =>
      a.add(
        c
          .sub(a)
          .mul(2)
          .div((n as torch.Tensor).add(3)),
      ),
  },
};

function expectClose(actual: Record<string, torch.Tensor>, expected: Values, dtype: string): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  // Of training as a whole, whose sums PyTorch adds up in another order.
  const bound = dtype === 'float32' ? 2e-6 : 1e-13;
  for (const [name, values] of Object.entries(expected)) {
    const own = actual[name].flatten().tolist() as number[];
    [values].flat().forEach((value, i) => {
      expect(Math.abs(own[i] - value), `${name}[${i}]: ${own[i]} instead of ${value}`).toBeLessThan(bound);
    });
  }
}

describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
  test("averages, and statistics of batch normalisation, are PyTorch's", () => {
    torch.manual_seed(0);
    const model = new nn.Sequential(new nn.Linear(3, 4), new BatchNorm(4), new nn.ReLU(), new nn.Linear(4, 1));
    model.to(torch[dtype]);
    const [x, y] = [torch.randn(20, 3).to(torch[dtype]), torch.randn(20, 1).to(torch[dtype])];
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const averaged = Object.entries(options).map(([name, o]) => [name, new AveragedModel(model, o)] as const);
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      optimizer.zero_grad();
      nn.functional.mse_loss(model.forward(x), y).backward();
      optimizer.step();
      for (const [, average] of averaged) average.update_parameters(model);
    }
    const expected = golden[dtype];
    expect(averaged.map(([name]) => name)).toEqual(Object.keys(expected.averages));
    for (const [name, average] of averaged) expectClose(average.state_dict(), expected.averages[name], dtype);
    const [, mean] = averaged[0];
    const loader = [0, 12].map((from, i) => [x, y].map((t) => t.narrow(0, from, i === 0 ? 12 : 8)));
    update_bn(loader, mean);
    expectClose(mean.state_dict(), expected['after update_bn'], dtype);
    const output = mean.eval().forward(x);
    expectClose({ output: output.flatten() }, { output: expected.output }, dtype);
  });
});

const line = () => new nn.Linear(2, 1);

test('the first update copies; before it the average is what the model was', () => {
  const model = line();
  const average = new AveragedModel(model, { avg_fn: get_ema_avg_fn() });
  const before = model.weight.tolist();
  torch.no_grad(() => model.weight.fill_(7));
  expect(average.get_parameter('module.weight').tolist()).toEqual(before);
  average.update_parameters(model);
  expect(average.get_parameter('module.weight').tolist()).toEqual([[7, 7]]);
  expect(average.n_averaged.item()).toBe(1);
  expect(average.n_averaged.dtype).toBe(torch.int64);
});

test('its state goes on where it was, and the model is left alone', () => {
  torch.manual_seed(1);
  const model = line();
  const [a, b] = [new AveragedModel(model), new AveragedModel(model)];
  const change = () => torch.no_grad(() => model.parameters().forEach((p) => p.add_(torch.randn_like(p))));
  for (let i = 0; i < 3; i++) {
    change();
    a.update_parameters(model);
  }
  b.load_state_dict(a.state_dict());
  change();
  const before = model.weight.tolist();
  a.update_parameters(model);
  b.update_parameters(model);
  expect(b.n_averaged.item()).toBe(4);
  expect(b.get_parameter('module.weight').tolist()).toEqual(a.get_parameter('module.weight').tolist());
  expect(model.weight.tolist()).toEqual(before);
  expect(a.parameters().every((p) => p.requires_grad && p.grad === null && p.is_leaf)).toBe(true);
});

test('a function for many gets the tensors of each dtype together', () => {
  const model = new nn.Sequential(line(), line().double());
  const calls: unknown[] = [];
  const average = new AveragedModel(model, {
    multi_avg_fn: (averaged, current, n) => {
      calls.push([averaged.map((t) => t.dtype.name), current.map((t) => t.shape), (n as torch.Tensor).item()]);
      averaged.forEach((t) => t.fill_(3));
    },
  });
  average.update_parameters(model);
  expect(calls).toEqual([]);
  average.update_parameters(model);
  const shapes = [[1, 2], [1]];
  expect(calls).toEqual([
    [['float32', 'float32'], shapes, 1],
    [['float64', 'float64'], shapes, 1],
  ]);
  expect(average.get_parameter('module.1.weight').tolist()).toEqual([[3, 3]]);
});

test('integers are averaged and truncated', () => {
  const [a, c] = [torch.tensor([1, 5, 9], { dtype: torch.int64 }), torch.tensor([8, 8, 2], { dtype: torch.int64 })];
  const [ema, mean] = [a.clone(), a.clone()];
  get_ema_multi_avg_fn({ decay: 0.9 })([ema], [c], 2);
  get_swa_multi_avg_fn()([mean], [c], 2);
  expect([ema.tolist(), mean.tolist()]).toEqual([
    [1, 5, 8],
    [3, 6, 6],
  ]);
});

test('a model is refused that is not the one that was copied, and nothing changes', () => {
  const model = line();
  const average = new AveragedModel(model);
  average.update_parameters(model);
  const before = average.get_parameter('module.weight').tolist();
  expect(() => average.update_parameters(new nn.Linear(3, 1))).toThrow(
    'update_parameters: model: expected parameters of the shapes [[1, 2], [1]], got [[1, 3], [1]]',
  );
  expect(() => average.update_parameters(new BatchNorm(2))).toThrow('update_parameters: model: expected parameters');
  expect(() => average.update_parameters(torch.ones(1) as never)).toThrow('model: expected a Module, got a tensor');
  const wrong = new AveragedModel(model, { avg_fn: (a) => (a.ndim === 1 ? (3 as never) : a.add(1)) });
  wrong.update_parameters(model);
  expect(() => wrong.update_parameters(model)).toThrow('copy_: source: expected a Tensor, got 3');
  expect(average.get_parameter('module.weight').tolist()).toEqual(before);
  expect(average.n_averaged.item()).toBe(1);
});

test('refuses bad arguments', () => {
  const model = line();
  const fn = get_swa_avg_fn();
  const bad: [unknown, string][] = [
    [{ avg_fn: fn, multi_avg_fn: get_swa_multi_avg_fn() }, 'only one of avg_fn and multi_avg_fn should be provided'],
    [{ avg_fn: 0.9 }, 'AveragedModel: avg_fn: expected a function or null, got 0.9'],
    [{ multi_avg_fn: 'ema' }, 'AveragedModel: multi_avg_fn: expected a function or null, got "ema"'],
    [{ use_buffers: 1 }, 'AveragedModel: use_buffers: expected a boolean, got 1'],
    [{ device: 'cuda' }, "expected a dtype, a Tensor, 'cpu' or { dtype, device: 'cpu' }"],
    [{ useBuffers: true }, "AveragedModel: unknown option 'useBuffers'. Did you mean 'use_buffers'?"],
  ];
  for (const [given, message] of bad) expect(() => new AveragedModel(model, given as never)).toThrow(message);
  expect(() => new AveragedModel({} as never)).toThrow('AveragedModel: model: expected a Module, got an object');
  for (const make of [get_ema_avg_fn, get_ema_multi_avg_fn]) {
    for (const decay of [-0.1, 1.1, NaN]) {
      expect(() => make({ decay })).toThrow(`${make.name}: decay: expected a number in [0, 1], got ${decay}`);
    }
    expect(() => make({ decay: '0.9' as never })).toThrow(`${make.name}: decay: expected a number, got "0.9"`);
  }
  const [a, c] = [torch.zeros(2), torch.ones(3)];
  for (const multi of [get_ema_multi_avg_fn(), get_swa_multi_avg_fn()]) {
    expect(() => multi([a], [], 1)).toThrow('expected two lists of as many tensors');
    expect(() => multi([a, a], [torch.ones(2), c], 1)).toThrow(
      'expected tensors that are alike at [1], got a tensor of',
    );
    expect(() => multi([a], [torch.ones(2).double()], 1)).toThrow('expected tensors that are alike at [0]');
    expect(a.tolist()).toEqual([0, 0]);
  }
  expect(() => get_swa_multi_avg_fn()([a], [a], -1)).toThrow('num_averaged: expected a number >= 0, got -1');
});

test('update_bn puts momentum and mode back whatever happens, and refuses bad arguments', () => {
  const norm = new BatchNorm(2);
  const model = new nn.Sequential(norm).eval();
  const x = torch.tensor([[1, 2], [3, 6]]); // prettier-ignore
  update_bn([x], model, { device: 'cpu' });
  expect(norm.running_mean.tolist()).toEqual([2, 4]);
  expect([norm.momentum, norm.training, model.training]).toEqual([0.1, false, false]);
  expect(norm.running_mean.grad_fn).toBeNull();
  expect(() => update_bn([x, { x }], model)).toThrow(
    'update_bn: loader: expected batches that are Tensors or begin with',
  );
  expect([norm.momentum, norm.training]).toEqual([0.1, false]);
  norm.running_mean.fill_(5);
  expect(() => update_bn(null as never, model)).toThrow('update_bn: loader: expected an iterable of batches, got null');
  expect(() => update_bn([x], norm.weight as never)).toThrow('update_bn: model: expected a Module, got a tensor');
  expect(() => update_bn([x], model, { device: 'cuda' as never })).toThrow("update_bn: device: expected 'cpu' or null");
  expect(norm.running_mean.tolist()).toEqual([5, 5]);
  update_bn([{}], line()); // no batch normalisation, nothing to do
});
