import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import * as torch from 'cresset';

const { init } = torch.nn;

interface Case {
  f: string;
  dtype: 'float32' | 'float64';
  shape: number[];
  args: number[];
  options: Record<string, unknown>;
  transposed?: boolean;
  seed: number;
  values: number[];
  sum: number;
}

const golden: { gains: [torch.nn.init.Nonlinearity, number | null, number][]; cases: Case[] } = JSON.parse(
  readFileSync(new URL('../golden/nn_init.json', import.meta.url), 'utf8'),
);
type Initialiser = (tensor: torch.Tensor, ...rest: unknown[]) => torch.Tensor;
const initialisers = init as unknown as Record<string, Initialiser>;
const withoutOptions = ['constant_', 'ones_', 'zeros_', 'eye_'];

/** Runs a case on a fresh tensor that requires a gradient. */
function run({ f, dtype, shape, args, options, transposed }: Case, generator?: torch.Generator): torch.Tensor {
  const whole = torch.full(shape, 7, { dtype: torch[dtype] });
  const t = (transposed ? whole.t() : whole).requires_grad_();
  const given = withoutOptions.includes(f) ? [] : [generator ? { ...options, generator } : options];
  expect(initialisers[f](t, ...args, ...given)).toBe(t);
  expect([t.grad_fn, t.requires_grad, t._version > 0]).toEqual([null, true, true]);
  return whole;
}

function check(t: torch.Tensor, { f, dtype, values, sum }: Case): void {
  const got = (t.flatten().tolist() as number[]).slice(0, values.length);
  // Products and sums round differently here and there, and Gram and Schmidt's order of them is not Householder's.
  const scale = Math.max(...values.map(Math.abs), 1e-30);
  const tolerance = (dtype === 'float32' ? 2 ** -22 : 2 ** -48) * (f === 'orthogonal_' ? 16 : 1);
  expect(Math.max(...got.map((v, i) => Math.abs(v - values[i]))) / scale).toBeLessThanOrEqual(tolerance);
  const total = t.double().sum().item() as number;
  expect(Math.abs(total - sum)).toBeLessThanOrEqual(tolerance * scale * t.numel());
}

test.each([...new Set(golden.cases.map((c) => c.f))])("%s gives PyTorch's values", (f) => {
  for (const c of golden.cases.filter((c) => c.f === f)) {
    torch.manual_seed(c.seed);
    check(run(c), c);
  }
});

test('a generator given is the one that is drawn from', () => {
  for (const c of golden.cases.filter((c) => ![...withoutOptions, 'dirac_', 'sparse_'].includes(c.f))) {
    torch.manual_seed(12345);
    const before = torch.get_rng_state();
    check(run(c, new torch.Generator().manual_seed(c.seed)), c);
    expect(torch.equal(torch.get_rng_state(), before)).toBe(true);
  }
});

test('calculate_gain', () => {
  for (const [name, param, gain] of golden.gains) expect(init.calculate_gain(name, { param })).toBeCloseTo(gain, 15);
  expect(() => init.calculate_gain('swish' as never)).toThrow(
    /calculate_gain: nonlinearity: expected one of .*got "swish"/,
  );
  expect(() => init.calculate_gain('leaky_relu', { param: 'x' as never })).toThrow(/param: expected a number, got "x"/);
});

test('orthogonal_ gives orthonormal rows, or columns where there are fewer, in any size', () => {
  for (const [rows, columns] of [
    [40, 64],
    [64, 40],
    [48, 48],
  ]) {
    const q = init.orthogonal_(torch.empty(rows, columns, { dtype: torch.float64 }));
    const product = rows < columns ? q.mm(q.t()) : q.t().mm(q);
    const error = product
      .sub(torch.eye(Math.min(rows, columns), { dtype: torch.float64 }))
      .abs()
      .max();
    expect(error.item()).toBeLessThan(1e-14);
  }
});

describe('bad input', () => {
  const t = torch.ones(3);
  const cases: [string, () => unknown, RegExp][] = [
    ['no tensor', () => init.uniform_([1] as never), /uniform_: tensor: expected a Tensor, got \[1\]/],
    ['eye_', () => init.eye_(t), /eye_: tensor: expected 2 dimensions, got a tensor of shape \[3\]/],
    ['dirac_', () => init.dirac_(t), /dirac_: tensor: expected 3, 4, 5 dimensions, got a tensor of shape \[3\]/],
    [
      'dirac_ groups',
      () => init.dirac_(torch.ones(4, 2, 3), { groups: 3 }),
      /groups: expected a divisor of the first size 4, got 3/,
    ],
    ['sparse_', () => init.sparse_(t, 0.5), /sparse_: tensor: expected 2 dimensions/],
    [
      'sparsity',
      () => init.sparse_(torch.ones(2, 2), 1.5),
      /sparse_: sparsity: expected a number between 0 and 1, got 1.5/,
    ],
    ['orthogonal_', () => init.orthogonal_(t), /orthogonal_: tensor: expected 2 or more dimensions/],
    [
      'fan',
      () => init.kaiming_uniform_(t),
      /kaiming_uniform_: tensor: fan in and fan out cannot be computed for fewer than 2/,
    ],
    ['xavier fan', () => init.xavier_normal_(t), /xavier_normal_: tensor: fan in and fan out/],
    [
      'mode',
      () => init.kaiming_normal_(torch.ones(2, 2), { mode: 'fan' as never }),
      /mode: expected 'fan_in' or 'fan_out', got "fan"/,
    ],
    ['option', () => init.uniform_(t, { low: 1 } as never), /uniform_: unknown option 'low'/],
    ['bounds', () => init.uniform_(t, { a: 2, b: 1 }), /uniform_: expected from <= to/],
    ['std', () => init.normal_(t, { std: -1 }), /normal_: expected std >= 0, got -1/],
  ];
  test.each(cases)('%s', (_, run, message) => {
    expect(run).toThrow(message);
    expect(t.tolist()).toEqual([1, 1, 1]);
  });
});

test('warnings', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  init.kaiming_uniform_(torch.empty(0, 3));
  init.trunc_normal_(torch.empty(2, 2), { mean: 9, std: 1, a: 5, b: 6 });
  const messages = warn.mock.calls.map(([message]) => String(message));
  warn.mockRestore();
  expect(messages[0]).toMatch(/kaiming_uniform_: initializing zero-element tensors is a no-op/);
  expect(messages[1]).toMatch(/trunc_normal_: the mean is more than 2 std from \[a, b\]/);
});
