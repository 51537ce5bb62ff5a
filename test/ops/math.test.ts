import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

type Value = number | string | boolean;

/** One call of a function of torch; see test/golden/ops_math.py. */
interface Case {
  f: string;
  args: (Value | Value[])[];
  options?: Record<string, Value>;
  out: (Value[] | boolean)[];
  shapes: number[][];
  dtypes: string[];
  grads?: Record<string, Value[] | null>;
  /** Whether PyTorch allows the in-place form; absent where there is none. */
  in_place?: boolean;
}

const golden: {
  tensors: Record<string, { shape: number[]; dtype: string; strided: boolean; values: Value[] }>;
  cases: Case[];
  promotion: Record<string, Record<string, string>>;
} = JSON.parse(readFileSync(new URL('../golden/ops_math.json', import.meta.url), 'utf8'));

type AnyFunction = (...args: unknown[]) => unknown;
const functions = torch as unknown as Record<string, AnyFunction>;
const methods = torch.Tensor.prototype as unknown as Record<string, AnyFunction>;
const dtypes = torch as unknown as Record<string, torch.DType>;

const FUNCTIONS_ONLY = ['rsub', 'std_mean', 'var_mean'];

/** How far from PyTorch a function may be, where rounding does not bound it: PyTorch's own trigamma has nine digits. */
const TOLERANCE: Record<string, number> = { digamma: 1e-8 };

function tensorOf(name: string, float: torch.DType, requires_grad: boolean): torch.Tensor {
  const { shape, dtype, strided, values } = golden.tensors[name];
  const type = dtype === 'float64' ? float : dtypes[dtype];
  const t = torch
    .tensor(
      values.map((v) => (typeof v === 'string' ? Number(v) : v)),
      { dtype: type },
    )
    .reshape(shape);
  const laidOut = strided ? t.t().contiguous().t() : t;
  return requires_grad && type.is_floating_point ? laidOut.detach().requires_grad_() : laidOut;
}

/** The arguments of a case, and those of them that take gradients. */
function argumentsOf({ args, options }: Case, float: torch.DType, requires_grad: boolean) {
  const leaves: Record<string, torch.Tensor> = {};
  const resolve = (value: Value | Value[]): unknown => {
    if (typeof value !== 'string') return value;
    if (!value.startsWith('@')) return Number.isNaN(Number(value)) && value !== 'NaN' ? value : Number(value);
    return (leaves[value.slice(1)] ??= tensorOf(value.slice(1), float, requires_grad));
  };
  const given: unknown[] = args.map(resolve);
  if (options) given.push(Object.fromEntries(Object.entries(options).map(([k, v]) => [k, resolve(v)])));
  return { given, leaves };
}

function seed(t: torch.Tensor): torch.Tensor {
  const values = Array.from({ length: t.numel() }, (_, i) => ((i * 7) % 5) / 2 - 0.75);
  return torch.tensor(values, { dtype: t.dtype }).reshape(t.shape);
}

function expectNear(got: torch.Tensor | null, expected: readonly Value[] | null, f: string, what: string): void {
  if (expected === null || got === null) {
    if (got !== null) expect(got.abs().sum().item(), what).toBe(0);
    else expect(expected === null || expected.every((v) => v === 0), `${what}: no gradient`).toBe(true);
    return;
  }
  const eps = Math.max(got.dtype === torch.float64 ? 2e-12 : 4e-6, TOLERANCE[f] ?? 0);
  const values = got.detach().flatten().tolist() as (number | boolean)[];
  expect(values.length, what).toBe(expected.length);
  expected.forEach((e, i) => {
    const v = values[i];
    if (typeof e === 'boolean' || typeof v === 'boolean') return expect(v, `${what}[${i}]`).toBe(e);
    const wanted = Number(e);
    const close = Object.is(v, wanted) || v === wanted || Math.abs(v - wanted) <= eps * Math.max(1, Math.abs(wanted));
    if (!close) expect.fail(`${what}[${i}]: expected ${e}, got ${v}`);
  });
}

function tensorsOf(result: unknown): torch.Tensor[] {
  if (result instanceof torch.Tensor) return [result];
  return Symbol.iterator in Object(result) ? [...(result as torch.Tensor[])] : Object.values(result as object);
}

function check(c: Case, float: torch.DType): void {
  const { given, leaves } = argumentsOf(c, float, c.grads !== undefined);
  const result = functions[c.f](...given);
  if (typeof result === 'boolean') return expect(result).toBe(c.out[0]);
  const outs = tensorsOf(result);
  outs.forEach((out, i) => {
    expect(out.shape, 'shape').toEqual(c.shapes[i]);
    expectNear(out, c.out[i] as Value[], c.f, `result ${i}`);
    if (float === torch.float32) expect(out.dtype.name, 'dtype').toBe(c.dtypes[i]);
  });
  if (c.grads !== undefined) {
    const roots = outs.filter((out) => out.requires_grad);
    const inputs = Object.values(leaves).filter((leaf) => leaf.requires_grad);
    for (const create_graph of [false, true]) {
      const grads = torch.autograd.grad(roots, inputs, {
        grad_outputs: roots.map(seed),
        allow_unused: true,
        retain_graph: true,
        create_graph,
      });
      inputs.forEach((leaf, i) => {
        const name = Object.keys(leaves).find((key) => leaves[key] === leaf)!;
        expectNear(grads[i], c.grads![name], c.f, `gradient of ${name}${create_graph ? ', recorded' : ''}`);
      });
    }
    torch.no_grad(() => {
      for (const out of tensorsOf(functions[c.f](...given))) {
        if (c.f !== 'positive') expect(out.requires_grad, 'a result under no_grad').toBe(false);
      }
    });
  }
  if (given[0] instanceof torch.Tensor && c.f !== 'where' && !FUNCTIONS_ONLY.includes(c.f)) {
    const method = tensorsOf(methods[c.f].apply(given[0], given.slice(1)));
    method.forEach((out, i) => expectNear(out, c.out[i] as Value[], c.f, `result ${i} of the method`));
  }
}

function checkInPlace(c: Case, float: torch.DType): void {
  const { given } = argumentsOf(c, float, false);
  const [input, ...rest] = given as [torch.Tensor, ...unknown[]];
  const target = input.clone();
  const version = target._version;
  if (!c.in_place) {
    expect(() => methods[`${c.f}_`].apply(target, rest)).toThrow();
    expect(target.isnan().logical_or(target.eq(input)).all().item(), 'unchanged after an error').toBe(true);
    return;
  }
  expect(methods[`${c.f}_`].apply(target, rest)).toBe(target);
  expectNear(
    target,
    tensorsOf(functions[c.f](...given))[0]
      .to(target.dtype)
      .flatten()
      .tolist() as Value[],
    c.f,
    'in place',
  );
  if (target.is_floating_point()) expect(target._version, 'version').toBeGreaterThan(version);
  if (c.grads === undefined) return;
  // The same gradients through the in-place form of a tensor that is no leaf.
  const recorded = argumentsOf(c, float, true);
  const changed = (recorded.given[0] as torch.Tensor).mul(1);
  methods[`${c.f}_`].apply(changed, recorded.given.slice(1));
  changed.backward(seed(changed));
  for (const [name, expected] of Object.entries(c.grads)) {
    expectNear(recorded.leaves[name].grad, expected, c.f, `gradient of ${name} in place`);
  }
}

const names = [...new Set(golden.cases.map((c) => c.f))];

/** Runs every case of a function, saying which one failed. */
function forCases(f: string, run: (c: Case) => void): void {
  for (const c of golden.cases.filter((c) => c.f === f)) {
    try {
      run(c);
    } catch (error) {
      (error as Error).message =
        `${f}(${JSON.stringify(c.args)}, ${JSON.stringify(c.options)}): ${(error as Error).message}`;
      throw error;
    }
  }
}

describe.each(['float32', 'float64'])('in %s', (float) => {
  test.each(names)("%s has PyTorch's values and gradients", (f) => forCases(f, (c) => check(c, dtypes[float])));
});

test.each([...new Set(golden.cases.filter((c) => c.in_place !== undefined).map((c) => c.f))])('%s_', (f) => {
  forCases(f, (c) => c.in_place !== undefined && checkInPlace(c, torch.float32));
});

test("types are promoted as PyTorch's result_type says", () => {
  const operand = (name: string): torch.Tensor | number | boolean => {
    if (!(name.split(' ')[0] in torch)) return JSON.parse(name);
    const [dtype, single] = name.split(' ');
    return torch.ones(single === undefined ? [2] : [], { dtype: dtypes[dtype] });
  };
  for (const [a, row] of Object.entries(golden.promotion)) {
    for (const [b, dtype] of Object.entries(row)) {
      expect(torch.result_type(operand(a), operand(b)).name, `${a}, ${b}`).toBe(dtype);
      expect(torch.eq(operand(a), operand(b)).dtype).toBe(torch.bool);
      if (dtype !== 'bool') expect(torch.mul(operand(a), operand(b)).dtype.name, `${a} * ${b}`).toBe(dtype);
    }
  }
});

test('gradients of gradients', () => {
  const x = torch.tensor([0.3, 0.9, -0.6, 0.45], { dtype: torch.float64, requires_grad: true }).reshape(2, 2);
  const p = torch.tensor([0.3, 0.9, 0.6, 0.45], { dtype: torch.float64, requires_grad: true }).reshape(2, 2);
  const q = p.detach().mul(1.5).requires_grad_();
  const z = torch.tensor([0.3, 0, 0, 0.45, 0.7, 0], { dtype: torch.float64, requires_grad: true }).reshape(2, 3);
  const unaries = [
    'tanh',
    'sigmoid',
    'exp',
    'sin',
    'asin',
    'atanh',
    'erf',
    'erfinv',
    'digamma',
    'lgamma',
    'rsqrt',
    'log',
  ];
  for (const name of unaries)
    expect(
      torch.autograd.gradgradcheck((t) => functions[name](t) as torch.Tensor, [p]),
      name,
    ).toBe(true);
  const binaries = ['mul', 'div', 'pow', 'atan2', 'hypot', 'xlogy', 'logaddexp', 'maximum'];
  for (const name of binaries) {
    expect(
      torch.autograd.gradgradcheck((a, b) => functions[name](a, b) as torch.Tensor, [p, q]),
      name,
    ).toBe(true);
  }
  const along: [string, (t: torch.Tensor) => torch.Tensor][] = [
    ['softmax', (t) => t.softmax(1)],
    ['log_softmax', (t) => t.log_softmax(0)],
    ['logsumexp', (t) => t.logsumexp(1)],
    ['var', (t) => t.var(1)],
    ['std', (t) => t.std()],
    ['norm', (t) => t.norm(3, 1)],
    ['cumsum', (t) => t.cumsum(1).mul(t)],
    ['cumprod', (t) => t.cumprod(1)],
    ['prod', (t) => t.prod()],
    ['max', (t) => t.max(1).values.pow(3)],
  ];
  for (const [name, f] of along) expect(torch.autograd.gradgradcheck(f, [x]), name).toBe(true);
  for (const f of [(t: torch.Tensor) => t.prod(1), (t: torch.Tensor) => t.cumprod(1)]) {
    expect(torch.autograd.gradgradcheck(f, [z]), 'with zeros').toBe(true);
  }
});

test.each([torch.float32, torch.float64])('lgamma and digamma at their poles and ends: %s', (dtype) => {
  const x = torch.tensor([NaN, Infinity, -Infinity, 0, -0, -1, -7, 1, 2], { dtype });
  expect(x.lgamma().tolist()).toEqual([NaN, Infinity, Infinity, Infinity, Infinity, Infinity, Infinity, 0, 0]);
  expect(x.narrow(0, 0, 7).digamma().tolist()).toEqual([NaN, Infinity, NaN, -Infinity, Infinity, NaN, NaN]);
});

test('what is filled has no gradient, and what filled it has the sum', () => {
  const x = torch.ones(3, { requires_grad: true });
  const value = torch.tensor(2, { requires_grad: true });
  const filled = x.mul(2).fill_(value);
  filled
    .mul(torch.tensor([1, 2, 3]))
    .sum()
    .backward();
  expect(filled.tolist()).toEqual([2, 2, 2]);
  expect(x.grad!.tolist()).toEqual([0, 0, 0]);
  expect(value.grad!.item()).toBe(6);
  expect(torch.tensor([1, 2]).zero_().tolist()).toEqual([0, 0]);
});

test('results by name and in order', () => {
  const x = torch.tensor([
    [1, 5, 5],
    [7, 2, 7],
  ]);
  const { values, indices } = x.max(1);
  expect([values.tolist(), indices.tolist(), indices.dtype]).toEqual([[5, 7], [1, 0], torch.int64]);
  expect([...torch.min(x, 0)].map((t) => t.tolist())).toEqual([
    [1, 2, 5],
    [0, 1, 0],
  ]);
  expect(torch.tensor([NaN, Infinity, -Infinity]).nan_to_num().tolist()).toEqual([
    0, 3.4028234663852886e38, -3.4028234663852886e38,
  ]);
});

const f32 = torch.ones(2, 3);
const i64 = torch.tensor([1n, 2n]);
const flags = torch.tensor([true, false]);
const wrong: [string, () => unknown, string][] = [
  [
    'an operand of another kind',
    () => torch.add('a' as never, 1),
    'add: input: expected a Tensor or a number, got "a"',
  ],
  ['two numbers', () => torch.add(1, 2), 'add: input: expected a Tensor beside a number, got 1'],
  [
    'shapes that do not broadcast',
    () => f32.add(torch.ones(4)),
    'add: the size of tensor a (3) must match the size of tensor b (4)',
  ],
  [
    'an in-place result that is larger',
    () => f32.mul_(torch.ones(2, 2, 3)),
    "mul_: output with shape [2, 3] doesn't match",
  ],
  [
    'a float written to integers',
    () => i64.add_(0.5),
    "add_: result type Float can't be cast to the desired output type Long",
  ],
  ['memory shared by elements', () => torch.ones(3).expand(2, 3).add_(1), 'more than one element'],
  ['the difference of booleans', () => flags.sub(flags), 'sub: not supported for bool tensors'],
  ['division of integers by zero', () => i64.floor_divide(0), 'integer division by zero'],
  ['an integer to a negative power', () => i64.pow(-1), 'integers to negative integer powers'],
  ['a fraction of integers', () => i64.add(1, { alpha: 0.5 }), 'add: alpha: expected a whole number'],
  ['a limit that is no number', () => f32.logit({ eps: '0.1' as never }), 'logit: eps: expected a number or null, got'],
  ['the part after the point of integers', () => i64.frac(), 'frac: not implemented for dtype int64'],
  ['no bounds', () => f32.clamp(), "clamp: at least one of 'min' or 'max' must not be null"],
  ['the mean of integers', () => i64.mean(), 'mean: input: expected a floating-point dtype, got int64'],
  ['the variance of integers', () => i64.var(), 'var: input: expected a floating-point dtype, got int64'],
  ['the softmax of integers', () => i64.softmax(0), 'softmax: input: expected a floating-point dtype, got int64'],
  ['the greatest of nothing', () => torch.ones(0).max(), 'max: dim: expected a dimension to reduce'],
  [
    'the greatest along nothing',
    () => torch.ones(0, 2).amax(0),
    'amax: expected reduction dim 0 to have non-zero size',
  ],
  ['a dimension out of range', () => f32.sum(2), 'sum: dim: expected to be in range of [-2, 1], got 2'],
  ['a dimension twice', () => f32.sum([0, -2]), 'sum: dim: a dimension appears twice in [0, -2]'],
  [
    'an unknown option',
    () => f32.sum({ keepdims: true } as never),
    "sum: unknown option 'keepdims'. Did you mean 'keepdim'?",
  ],
  ['a flag of another kind', () => f32.sum(0, 1 as never), 'sum: keepdim: expected a boolean, got 1'],
  [
    'a rounding mode',
    () => f32.div(2, { rounding_mode: 'up' as never }),
    "div: rounding_mode: expected null, 'trunc' or 'floor'",
  ],
  ['a condition that is no bool', () => torch.where(f32, 1, 2), 'where: condition: expected a tensor of dtype bool'],
  ['bits of floats', () => f32.bitwise_and(f32), 'bitwise_and: not implemented for dtype float32'],
  ['dtypes that differ', () => f32.lerp(f32.double(), 0.5), 'lerp: end: expected dtype float32, got float64'],
];
test.each(wrong)('refuses %s', (_, call, message) => {
  const before = [f32.tolist(), i64.tolist()];
  expect(call).toThrow(message);
  expect([f32.tolist(), i64.tolist()]).toEqual(before);
});

test('threshold replaces what lies at its limit, and keeps NaN', () => {
  const out = torch.nn.functional.threshold(torch.tensor([0.5, 1, 1.5, NaN]), 1, 9);
  expect(out.tolist()).toEqual([9, 9, 1.5, NaN]);
});

test.each([1, 5, 16, 40])('addmm scales an input of any shape beside a product of %d columns', (columns) => {
  const [rows, inner] = [21, 3];
  const a = torch
    .arange(rows * inner)
    .reshape(rows, inner)
    .float();
  const b = torch
    .arange(inner * columns)
    .reshape(inner, columns)
    .float();
  const product = a.unsqueeze(2).mul(b).sum(1).mul(2);
  for (const shape of [[columns], [1], [rows, 1], [1, columns], [rows, columns]]) {
    const input = torch
      .arange(shape.reduce((n, d) => n * d, 1))
      .reshape(shape)
      .float();
    const out = torch.addmm(input, a, b, { beta: 0.5, alpha: 2 });
    expect(torch.equal(out, product.add(input.mul(0.5))), `input of shape [${shape.join(', ')}]`).toBe(true);
  }
});

// Small whole numbers: every sum is exact, whatever its order.
const whole = (rows: number, columns: number, seed: number) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => ((i * 7 + j * 13 + seed) % 11) - 5));

describe('products of few columns', () => {
  const sizes = [1, 2, 5, 8, 9, 14, 16, 17];
  test.each([1, 3, 8, 13, 100, 515])('of %d rows are exact', (m) => {
    for (const n of sizes) {
      for (const k of [1, 5, 33, 100]) {
        const [a, b, c] = [whole(m, k, 1), whole(k, n, 2), whole(1, n, 3)[0]];
        const expected = a.map((row) => c.map((x, j) => x + row.reduce((sum, y, t) => sum + y * b[t][j], 0)));
        for (const dtype of [torch.float32, torch.float64]) {
          const [ta, tb, tc] = [a, b, c].map((values) => torch.tensor(values, { dtype }));
          const flipped = [ta.t().contiguous().t(), tb.t().contiguous().t()];
          const products = [
            torch.addmm(tc, ta, tb),
            torch.addmm(tc, flipped[0], flipped[1]),
            torch.addmm(tc, ta, flipped[1]),
            torch.addmm(torch.zeros(n, { dtype }), flipped[0], tb).add(tc),
          ];
          for (const product of products) expect(product.tolist()).toEqual(expected);
        }
      }
    }
  });
});

test.each([1, 2, 31, 33, 100, 700])('sums of few columns over %d rows are exact', (rows) => {
  for (const columns of [1, 3, 5, 16, 17, 40, 127]) {
    const values = whole(rows, columns, 4);
    const expected = values[0].map((_, j) => values.reduce((sum, row) => sum + row[j], 0));
    for (const dtype of [torch.float32, torch.float64, torch.int64]) {
      expect(torch.tensor(values, { dtype }).sum(0).tolist()).toEqual(expected);
      const halves = torch.tensor([values, values], { dtype });
      expect(halves.sum([0, 1]).tolist()).toEqual(expected.map((x) => 2 * x));
    }
  }
});

test.each([
  [1, 1, 1],
  [7, 5, 3],
  [100, 1, 5],
  [100, 5, 10],
  [3, 40, 33],
  [130, 20, 64],
])('the gradients of a linear layer, %d rows to %d columns from %d, are exact', (m, n, k) => {
  for (const dtype of [torch.float32, torch.float64]) {
    const grad = torch.tensor(whole(m, n, 1), { dtype });
    const [input, weight] = [whole(m, k, 2), whole(n, k, 3)].map((v) =>
      torch.tensor(v, { dtype, requires_grad: true }),
    );
    const bias = torch.tensor(whole(1, n, 4)[0], { dtype, requires_grad: true });
    const expected = [grad.mm(weight.detach()), grad.t().mm(input.detach()), grad.sum(0)].map((t) => t.tolist());
    const batched = (t: torch.Tensor) => t.reshape(1, m, -1);
    for (const shape of [(t: torch.Tensor) => t, batched]) {
      const out = torch.nn.functional.linear(shape(input), weight, bias);
      const results = torch.autograd.grad(out, [input, weight, bias], { grad_outputs: shape(grad) });
      expect(results.map((t) => t!.tolist())).toEqual(expected);
    }
    // One bias for all columns, and a gradient that lies column by column, take the way of separate products.
    const [single, first] = [torch.zeros(1, { dtype, requires_grad: true }), grad.t().contiguous().t()];
    const out = torch.nn.functional.linear(input, weight, single);
    const results = torch.autograd.grad(out, [weight, single], { grad_outputs: first });
    expect(results.map((t) => t!.tolist())).toEqual([expected[1], [grad.sum().item()]]);
  }
});
