import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options } from './database.js';
import { gradientsOf, parameters, start, values } from './trajectories.js';

const { nn, optim } = torch;
const { clippedStep } = optim.extra;
const f = Math.fround;

type Make = (params: unknown, options?: Options) => AnyOptimizer;

/** Those that are made of ops; Muon takes matrices only. */
const byOps: [name: string, make: Make, first: number, options: Options][] = [
  ['Adafactor', (params, options) => new optim.Adafactor(params as torch.Tensor[], options), 3, { weight_decay: 0.1 }],
  ['Muon', (params, options) => new optim.Muon(params as torch.Tensor[], options), 1, { weight_decay: 0.1 }],
];
const optimizers: [string, Make, number, Options[]][] = [
  ...database.map(({ name, make, valid, fullest }): [string, Make, number, Options[]] => {
    return [name, make, 3, [fullest, ...valid, { ...fullest, differentiable: true }]];
  }),
  ...byOps.map(([name, make, count, options]): [string, Make, number, Options[]] => [name, make, count, [options]]),
];

/** Whether two values of a state dict are the same to the bit. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof torch.Tensor && b instanceof torch.Tensor) return a.dtype === b.dtype && torch.equal(a, b);
  if (typeof a !== 'object' || a === null) return Object.is(a, b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b as object).length && keys.every((key) => same(at(a, key), at(b as object, key)));
}

const at = (object: object, key: string) => (object as Record<string, unknown>)[key];

/** Trains by the three calls and by clippedStep, and compares after each step. */
function compare(make: Make, options: Options, params: () => torch.Tensor[], gradsOf: (step: number) => unknown[]) {
  const [ours, theirs] = [params(), params()];
  const grouped = ([head, ...tail]: torch.Tensor[]) => {
    return make(tail.length > 0 ? [{ params: [head] }, { params: tail, lr: 0.3 }] : [head], options);
  };
  const [a, b] = [grouped(ours), grouped(theirs)];
  const clipped: boolean[] = [];
  for (let step = 0; step < 8; step++) {
    for (const own of [ours, theirs]) {
      const grads = gradsOf(step) as (torch.Tensor | null)[];
      own.forEach((p, i) => (p.grad = grads[i]?.clone() ?? null)); // the three calls scale it in place
    }
    const max_norm = [0.5, 2, 1e6][step % 3];
    const norm = clippedStep(a, max_norm);
    const expected = nn.utils.clip_grad_norm_(theirs, max_norm);
    b.step();
    b.zero_grad();
    expect([norm.dtype, norm.shape, norm.item()]).toEqual([expected.dtype, [], expected.item()]);
    clipped.push(norm.item<number>() > max_norm);
    expect(same(ours, theirs)).toBe(true);
    expect(same(a.state_dict(), b.state_dict())).toBe(true);
    expect(ours.every((p) => p.grad === null)).toBe(true);
  }
  expect(clipped).toContain(true);
  expect(clipped).toContain(false);
}

describe.each(optimizers)('%s', (_, make, count, valid) => {
  test.each(['float32', 'float64'] as const)('in %s does what the three calls do, to the bit', (dtype) => {
    const params = () => parameters(start.slice(0, count), torch[dtype]);
    for (const options of valid) {
      const own = () => params().map((p) => (options.differentiable ? p.detach() : p));
      compare(make, options, own, (step) => gradientsOf(step, torch[dtype]).slice(0, count));
    }
  });

  test('on long tensors too, of both dtypes, with gradients that are not contiguous', () => {
    const shapes = [
      [700, 30],
      [2000, 9],
      [129, 1],
    ].slice(0, count);
    const dtypes = [torch.float32, torch.float64, torch.float32];
    const params = () => {
      torch.manual_seed(0);
      return shapes.map((shape, i) => torch.randn(shape, { dtype: dtypes[i], requires_grad: true }));
    };
    compare(make, valid[0], params, (step) => {
      torch.manual_seed(step);
      return shapes.map(([m, n], i) => torch.randn(n, m, { dtype: dtypes[i] }).t());
    });
  });
});

/** SGD over parameters with gradients of norm 5. */
function example(options: Options = { lr: 1 }) {
  const params = [torch.tensor([1, 2]), torch.tensor([3]), torch.tensor([4])].map((t) => t.requires_grad_());
  params[0].grad = torch.tensor([3, 0]);
  params[1].grad = torch.tensor([-4]);
  return { params, optimizer: new optim.SGD(params, options) };
}

test('steps by the clipped gradients, returns the norm they had, and drops them', () => {
  const { params, optimizer } = example();
  expect(clippedStep(optimizer, 2.5).item()).toBe(5);
  const half = f(f(1 / f(5 + 1e-6)) * 2.5);
  expect(values(params)).toEqual([[f(1 - f(3 * half)), 2], [f(3 + f(4 * half))], [4]]);
  expect(params.map((p) => p.grad)).toEqual([null, null, null]);
});

test('the norm may be another, and gradients stay where they are not to be dropped', () => {
  const { params, optimizer } = example();
  expect(clippedStep(optimizer, 2, { norm_type: Infinity, zero_grad: false }).item()).toBe(4);
  const half = f(f(1 / f(4 + 1e-6)) * 2);
  expect(values(params)).toEqual([[f(1 - f(3 * half)), 2], [f(3 + f(4 * half))], [4]]);
  expect(params.map((p) => p.grad?.tolist() ?? null)).toEqual([[3, 0], [-4], null]);
  optimizer.step();
  expect(params[0].tolist()).toEqual([f(f(1 - f(3 * half)) - 3), 2]);
});

test('a gradient that leads to others is a constant times what it was', () => {
  const p = torch.tensor([3], { dtype: torch.float64, requires_grad: true });
  const x = torch.tensor([2], { dtype: torch.float64, requires_grad: true });
  const copy = p.clone();
  copy.grad = x.mul(x);
  const optimizer = new optim.SGD([copy], { lr: 1, differentiable: true });
  clippedStep(optimizer, 2);
  copy.sum().backward();
  const factor = (1 / (4 + 1e-6)) * 2;
  expect(copy.tolist()).toEqual([3 - 4 * factor]);
  expect(x.grad!.tolist()).toEqual([-4 * factor]);
});

test('without gradients the norm is 0', () => {
  const { params, optimizer } = example();
  optimizer.zero_grad();
  expect(clippedStep(optimizer, 1).item()).toBe(0);
  expect(values(params)).toEqual([[1, 2], [3], [4]]);
});

test('runs the hooks of step, which see the gradients as they were, and counts for schedulers', () => {
  const { params, optimizer } = example();
  const scheduler = new optim.lr_scheduler.StepLR(optimizer, { step_size: 1, gamma: 0.5 });
  const seen: unknown[] = [];
  optimizer.register_step_pre_hook((_, args) => void seen.push('before', args, params[0].grad!.tolist()));
  optimizer.register_step_post_hook(() => void seen.push('after', params[0].grad!.tolist()));
  clippedStep(optimizer, 1);
  expect(seen).toEqual(['before', [null], [3, 0], 'after', [3, 0]]);
  scheduler.step(); // would warn had there been no step
  expect(optimizer._steps).toBe(1);
  expect(optimizer.param_groups[0].lr).toBe(0.5);
});

test('refuses what it cannot clip, and changes nothing', () => {
  const { params, optimizer } = example();
  const lbfgs = new optim.LBFGS(params);
  const sgd = 'clippedStep: optimizer: expected an Optimizer other than LBFGS, got';
  const cases: [() => unknown, string][] = [
    [() => clippedStep(lbfgs, 1), `${sgd} an object of class LBFGS`],
    [() => clippedStep(params as never, 1), `${sgd} [a tensor of shape [2] and dtype float32, `],
    [() => clippedStep(null as never, 1), `${sgd} null`],
    [() => clippedStep(optimizer, undefined as never), 'clippedStep: max_norm: expected a number >= 0, got undefined'],
    [() => clippedStep(optimizer, '1' as never), 'clippedStep: max_norm: expected a number >= 0, got "1"'],
    [() => clippedStep(optimizer, -1), 'clippedStep: max_norm: expected a number >= 0, got -1'],
    [() => clippedStep(optimizer, NaN), 'clippedStep: max_norm: expected a number >= 0, got NaN'],
    [
      () => clippedStep(optimizer, 1, { norm_type: '2' as never }),
      'clippedStep: norm_type: expected a number, got "2"',
    ],
    [
      () => clippedStep(optimizer, 1, { zerograd: false } as never),
      "clippedStep: unknown option 'zerograd'. Did you mean 'zero_grad'?",
    ],
  ];
  for (const [call, message] of cases) expect(call).toThrow(message);
  params[2].grad = torch.tensor([NaN]);
  expect(() => clippedStep(optimizer, 1, { error_if_nonfinite: true })).toThrow(
    'clippedStep: the total norm of order 2 for gradients from parameters is non-finite',
  );
  optimizer.param_groups[0].momentum = 'x' as never;
  expect(() => clippedStep(optimizer, 1)).toThrow('step: momentum: expected a number');
  expect(values(params)).toEqual([[1, 2], [3], [4]]);
  expect(params.map((p) => p.grad!.tolist())).toEqual([[3, 0], [-4], [NaN]]);
  // A step after an error is not clipped by its factor.
  optimizer.param_groups[0].momentum = 0;
  params[2].grad = null;
  optimizer.step();
  expect(values(params)).toEqual([[-2, 2], [7], [4]]);
});

test('without error_if_nonfinite, a norm that is no number spreads as it does from clip_grad_norm_', () => {
  const { params, optimizer } = example();
  params[2].grad = torch.tensor([NaN]);
  expect(clippedStep(optimizer, 1).item()).toBeNaN();
  expect(values(params)).toEqual([[NaN, NaN], [NaN], [NaN]]);
});

test('refuses sparse gradients', () => {
  const embedding = new nn.Embedding(4, 2, { sparse: true });
  const optimizer = new optim.SGD(embedding.parameters(), { lr: 1 });
  embedding
    .forward(torch.tensor([1, 3], { dtype: torch.int64 }))
    .sum()
    .backward();
  const before = embedding.weight.tolist();
  expect(() => clippedStep(optimizer, 1)).toThrow('clippedStep: not implemented for sparse gradients');
  expect(embedding.weight.tolist()).toEqual(before);
});
