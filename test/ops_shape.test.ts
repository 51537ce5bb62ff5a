import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import * as torch from 'cresset';

// Views, joining, indexing, sorting, products, random tensors and printing, held to PyTorch's results.

type Spec = { shape?: number[]; values?: unknown; slice?: (number | null)[]; dtype: string; layout?: string };
interface Case {
  fn: string;
  args: unknown[];
  seed?: number;
  out: { shape: number[]; dtype: string; values: (number | string | boolean)[] }[];
  strides?: number[][];
  offsets?: number[];
  grads?: ((number | string)[] | null)[];
}
interface Printed {
  values: number | (number | string | boolean)[];
  dtype: string;
  shape: number[] | null;
  options: Parameters<typeof torch.set_printoptions>[0];
  grad: 'leaf' | 'neg' | null;
  text: string;
}
const golden = JSON.parse(readFileSync(new URL('golden/ops_shape.json', import.meta.url), 'utf8')) as {
  cases: Case[];
  prints: Printed[];
};
type Functions = Record<string, (...args: unknown[]) => unknown>;

/** Numbers that JSON cannot spell stand as Python's strings. */
const toNumber = (text: string): number => Number(text.replace('inf', 'Infinity'));

const dtypeOf = (name: string): torch.DType => (torch as unknown as Record<string, torch.DType>)[name];

function filled(numel: number, factor: number, shift: number, modulus: number, dtype: torch.DType): torch.Tensor {
  const values = Array.from({ length: numel }, (_, i) => ((i * factor + shift) % modulus) - Math.floor(modulus / 2));
  return torch.tensor(values, { dtype });
}

function decode(spec: unknown, leaves: torch.Tensor[]): unknown {
  if (Array.isArray(spec)) return spec.map((s) => decode(s, leaves));
  if (typeof spec !== 'object' || spec === null) return spec;
  const { shape, values, slice, dtype, layout } = spec as Spec;
  if (slice !== undefined) return torch.slice(...(slice as [number, number, number]));
  if (values !== undefined) {
    const read = Array.isArray(values)
      ? values.map((v) => (typeof v === 'string' ? toNumber(v) : (v as number)))
      : values;
    return torch.tensor(read as number[], { dtype: dtypeOf(dtype) });
  }
  if (shape === undefined) return Object.fromEntries(Object.entries(spec).map(([k, v]) => [k, decode(v, leaves)]));
  const numel = shape.reduce((a, b) => a * b, 1);
  const leaf = filled(numel, 7, 3, 11, dtypeOf(dtype)).reshape(shape);
  if (leaf.is_floating_point()) leaves.push(leaf.detach().requires_grad_());
  const t = leaf.is_floating_point() ? leaves[leaves.length - 1] : leaf;
  return layout === 't' ? t.transpose(0, -1) : t;
}

function run({ fn, args, seed }: Case, leaves: torch.Tensor[]): torch.Tensor[] {
  const given = args.map((arg) => decode(arg, leaves));
  if (seed !== undefined) torch.manual_seed(seed);
  const [first, ...rest] = given;
  const call = (): unknown =>
    first instanceof torch.Tensor && fn in torch.Tensor.prototype
      ? (first as unknown as Functions)[fn](...rest)
      : (torch as unknown as Functions)[fn](...given);
  const result = fn.endsWith('_') ? torch.no_grad(call) : call();
  return result instanceof torch.Tensor ? [result] : [...(result as Iterable<torch.Tensor>)];
}

const numbers = (t: torch.Tensor): (number | boolean)[] => t.detach().reshape(-1).tolist() as (number | boolean)[];

function expectClose(got: readonly (number | boolean)[], expected: readonly unknown[], tolerance: number): void {
  const wanted = expected.map((v) => (typeof v === 'string' ? toNumber(v) : v));
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    const w = wanted[i];
    if (typeof w === 'number' && Number.isFinite(w)) {
      if (!(Math.abs((v as number) - w) <= tolerance * Math.max(1, Math.abs(w)))) expect(got).toEqual(wanted);
    } else expect(v).toBe(w);
  });
}

describe('as PyTorch', () => {
  test.each(golden.cases.map((c) => [`${c.fn} ${JSON.stringify(c.args)}`, c] as const))('%s', (_, c) => {
    const leaves: torch.Tensor[] = [];
    const outs = run(c, leaves);
    expect(outs.map((o) => o.shape)).toEqual(c.out.map((o) => o.shape));
    expect(outs.map((o) => o.dtype.name)).toEqual(c.out.map((o) => o.dtype));
    outs.forEach((o, i) => expectClose(numbers(o), c.out[i].values, o.dtype === torch.float32 ? 1e-6 : 1e-13));
    if (c.strides !== undefined) {
      outs.forEach((o, i) => {
        const dims = o.shape;
        // A dimension of size 1 has no say in where elements lie, nor has any in an empty tensor.
        const telling = (strides: number[]): number[] => strides.filter((_s, d) => dims[d] !== 1 && o.numel() > 0);
        expect(telling(o.stride())).toEqual(telling(c.strides![i]));
        if (o.numel() > 0) expect(o.storage_offset()).toBe(c.offsets![i]);
      });
    }
    if (c.grads === undefined) return;
    const terms = outs.filter((o) => o.requires_grad);
    const weighted = terms.map((o) => o.mul(filled(o.numel(), 5, 2, 7, o.dtype).reshape(o.shape)).sum());
    weighted.reduce((a, b) => a.add(b)).backward();
    leaves.forEach((leaf, i) => {
      if (c.grads![i] === null) expect(leaf.grad).toBe(null);
      else expectClose(numbers(leaf.grad!), c.grads![i]!, 1e-13);
    });
  });
});

describe('prints as PyTorch', () => {
  afterEach(() => torch.set_printoptions({ profile: 'default' }));

  test.each(golden.prints.map((p) => [`${p.dtype} ${JSON.stringify(p.options)} ${p.text.slice(0, 40)}`, p] as const))(
    '%s',
    (_, { values, dtype, shape, options, grad, text }) => {
      torch.set_printoptions(options);
      const given = { dtype: dtypeOf(dtype) };
      const number = (v: number | string | boolean): number | boolean => (typeof v === 'string' ? toNumber(v) : v);
      let t = typeof values === 'number' ? torch.arange(values, given) : torch.tensor(values.map(number), given);
      if (shape !== null) t = t.reshape(shape);
      if (grad !== null) t.requires_grad_();
      if (grad === 'neg') t = t.neg();
      expect(t.toString()).toBe(text);
      expect(inspect(t)).toBe(text);
    },
  );

  test('a parameter', () => {
    expect(String(new torch.nn.Parameter(torch.ones(2)))).toBe(
      'Parameter containing:\ntensor([1., 1.], requires_grad=True)',
    );
  });
});

describe('where JavaScript takes', () => {
  /** As a program without types would write it. */
  const untyped = (t: torch.Tensor): number => t as never;

  test('a number, one element is one', () => {
    const loss = untyped(torch.tensor([[0.5]], { requires_grad: true }));
    expect([loss < 0.75, loss > 0.25, loss < 0.25, +loss, loss + 1, Math.max(loss, 0.25)]).toEqual([
      true,
      true,
      false,
      0.5,
      1.5,
      0.5,
    ]);
    expect(untyped(torch.tensor(7)) * 2).toBe(14);
    expect(untyped(torch.tensor(true)) + 1).toBe(2);
    for (const use of [(x: number) => x < 1, (x: number) => x + 1, (x: number) => +x]) {
      expect(() => use(untyped(torch.zeros(2, 2)))).toThrow(
        'Tensor: expected one element where JavaScript takes a number, got a tensor of shape [2, 2] and dtype float32',
      );
    }
  });

  test('a text, it is what is printed', () => {
    expect([torch.tensor(0.5), torch.tensor([1, 2])].map(String)).toEqual(['tensor(0.5000)', 'tensor([1., 2.])']);
    expect(`${untyped(torch.tensor(0.5))}`).toBe('tensor(0.5000)');
  });

  test('JSON, it is the elements', () => {
    const state = { loss: torch.tensor(0.5), weight: torch.arange(4).reshape(2, 2).t(), none: torch.empty(0) };
    expect(JSON.stringify(state)).toBe('{"loss":0.5,"weight":[[0,2],[1,3]],"none":[]}');
  });
});

describe('refuses', () => {
  test('to construct a tensor', () => {
    const make = torch.Tensor as unknown as new (...given: unknown[]) => torch.Tensor;
    for (const given of [[], [[1, 2]], [2, 3]])
      expect(() => new make(...given)).toThrow('Tensor: use torch.tensor(data)');
  });

  const x = torch.zeros(2, 3);
  const longs = (...values: number[]): torch.Tensor => torch.tensor(values, { dtype: torch.int64 });
  const call = (fn: string, ...args: unknown[]): unknown => (torch as unknown as Functions)[fn](...args);
  const rows: [string, unknown[], new (...a: never[]) => Error, RegExp][] = [
    ['cat', [[x, torch.zeros(2, 3, 1)]], RangeError, /cat: tensors\[1\]: .*\[2, 3, 1\]/],
    ['cat', [[]], RangeError, /cat: tensors: expected a non-empty array/],
    ['cat', [[torch.tensor(1)]], RangeError, /zero-dimensional/],
    ['cat', [[x, 1]], TypeError, /cat: tensors\[1\]: expected a Tensor, got 1/],
    ['stack', [[x, torch.zeros(3)]], RangeError, /stack: tensors\[1\]/],
    ['gather', [x, 1, longs(0)], RangeError, /gather: index: expected a shape/],
    ['gather', [x, 1, torch.tensor([[3n]])], RangeError, /gather: index 3 is out of bounds for dimension with size 3/],
    ['gather', [x, 1, x], TypeError, /gather: index: expected a tensor of dtype int64/],
    ['gather', [x, 2, torch.tensor([[0n]])], RangeError, /gather: dim/],
    ['scatter', [x, 0, torch.tensor([[0n]]), torch.zeros(1, 1).double()], TypeError, /scatter: src.*float32/],
    ['index_select', [x, 0, longs(-1)], RangeError, /index -1 is out of bounds/],
    ['index_add', [x, 0, longs(0), torch.zeros(2, 3)], RangeError, /index_add: source: expected shape \[1, 3\]/],
    ['index_fill', [x, 0, longs(2), 1], RangeError, /index_fill: index 2 is out of bounds/],
    ['masked_fill', [x, longs(1), 1], TypeError, /masked_fill: mask: expected a tensor of dtype bool/],
    ['masked_fill', [x, torch.tensor(true), torch.zeros(1)], RangeError, /masked_fill: value/],
    ['split', [x, 0], RangeError, /split: split_size/],
    ['split', [x, [1, 1], 1], RangeError, /split: split_size: expected sizes that add up to 3/],
    ['chunk', [x, 0], RangeError, /chunk: chunks/],
    ['topk', [x, 4], RangeError, /topk: k: expected an integer in \[0, 3\]/],
    ['sort', [x, { dims: 0 }], TypeError, /sort: unknown option 'dims'. Did you mean 'dim'/],
    ['roll', [x, [1, 2], [0]], RangeError, /roll: expected as many shifts as dims/],
    ['movedim', [x, [0, 1], [0, 0]], RangeError, /movedim/],
    ['mm', [x, x], RangeError, /mm: shapes cannot be multiplied/],
    ['bmm', [x, x], RangeError, /bmm: input: expected a 3-dimensional tensor/],
    ['einsum', ['ij,jk', x, x], RangeError, /einsum: the subscript "j" stands for sizes 3 and 2/],
    ['einsum', ['ij->k', x], RangeError, /einsum: equation: the subscript "k"/],
    ['einsum', ['ij,ij', x], RangeError, /has 2 operands, got 1/],
    ['einsum', ['i', x], RangeError, /names 1 dimensions/],
    ['randint', [5, 5, [2]], RangeError, /from < to/],
    ['randint', [5], TypeError, /randint: expected/],
    ['rand', [2, { dtype: torch.int64 }], TypeError, /uniform_: not implemented for dtype int64/],
    ['rand', [2, { generator: 1 }], TypeError, /generator: expected a torch.Generator/],
    ['multinomial', [torch.ones(2), 3], RangeError, /multinomial/],
    ['bernoulli', [torch.full([2], 2)], RangeError, /bernoulli/],
    ['tensor', [[[1, 2], [3]]], RangeError, /tensor: data: expected a sequence of length 2/],
    ['tensor', [300, { dtype: torch.uint8 }], RangeError, /300 cannot be converted to uint8/],
    ['full', [[2], NaN, { dtype: torch.int64 }], RangeError, /NaN cannot be converted to int64/],
    ['tensor', [new Uint16Array(2)], TypeError, /tensor: data: expected a Float32Array/],
    ['set_printoptions', [{ precision: -1 }], RangeError, /precision/],
    ['flatten', [x, { dim: 0 }], TypeError, /flatten: unknown option 'dim'/],
    ['tril', [x, { diag: 0 }], TypeError, /tril: unknown option 'diag'. Did you mean 'diagonal'/],
    ['diag', [x, null], TypeError, /diag: diagonal: expected an integer, got null/],
    ['as_strided', [x, [2], [1], { offset: 1 }], TypeError, /as_strided: unknown option 'offset'/],
    ['unbind', [x, { axis: 0 }], TypeError, /unbind: unknown option 'axis'/],
    ['chunk', [x, 1e10], RangeError, /chunk: chunks: expected a positive integer/],
    ['tensor_split', [x, 'a'], TypeError, /tensor_split: sections/],
    ['squeeze', [x, {}], TypeError, /squeeze: dim: expected a dimension/],
    ['movedim', [x], TypeError, /movedim: source: expected a dimension/],
    ['unflatten', [torch.tensor(1), 0, [1]], RangeError, /unflatten: cannot be applied to a 0-dim tensor/],
    ['roll', [x, 'a'], TypeError, /roll: shifts: expected integers, got "a"/],
    ['repeat_interleave', [x, 1e12, 0], RangeError, /out of memory/],
    ['repeat_interleave', [x, torch.ones(3).long(), 0], RangeError, /one count or a vector of 2/],
    ['index_put', [x, 1, 1], TypeError, /index_put_: indices: expected a list/],
    ['index_put', [x, [longs(0)], torch.ones(3).double()], TypeError, /value: expected dtype float32/],
    ['sub', [x, true], TypeError, /sub: not supported for bool/],
    ['sub', [torch.tensor([true]), 1], TypeError, /sub: not supported for bool/],
    ['clone', [x, { memory: 1 }], TypeError, /clone: unknown option 'memory'/],
    ['fmax', [x, 1], TypeError, /fmax: other: expected a Tensor/],
    ['normal', [x, 'a'], TypeError, /normal: expected tensors or numbers/],
    ['broadcast_shapes', [[2], 3.5], TypeError, /broadcast_shapes: size/],
    ['promote_types', [torch.float32, 'float64'], TypeError, /promote_types: type2/],
    ['no_grad', [1], TypeError, /no_grad: fn: expected a function, got 1/],
    ['set_grad_enabled', [1, () => {}], TypeError, /set_grad_enabled: mode: expected a boolean/],
    ['tensordot', [x, x, [0, 1]], TypeError, /tensordot: dims: expected a number or two lists/],
    ['threshold', [x, 5n, 1], TypeError, /threshold: threshold: expected a number, got 5n/],
  ];

  test.each(rows)('%s %#', (fn, args, kind, message) => {
    const attempt = (): unknown => call(fn, ...args);
    expect(attempt).toThrow(kind);
    expect(attempt).toThrow(message);
  });

  test('indices out of range, or too many', () => {
    expect(() => x.index(2)).toThrow(/select: index 2 is out of bounds for dimension 0 with size 2/);
    expect(() => x.index(0, 0, 0)).toThrow(/index: too many indices/);
    expect(() => x.index(longs(2))).toThrow(/index: index 2 is out of bounds/);
    expect(() => x.index(torch.tensor([true]))).toThrow(/index: the shape of the mask/);
    expect(() => x.index_put_([0], torch.zeros(4))).toThrow(RangeError);
  });

  test('what would change a tensor whose elements share memory, or a leaf that requires a gradient', () => {
    expect(() => torch.zeros(1).expand(3).uniform_()).toThrow(/single memory location/);
    expect(() => torch.zeros(3, { requires_grad: true }).index_fill_(0, longs(0), 1)).toThrow(/leaf/);
  });

  test('a failed write leaves the tensor as it was', () => {
    const t = torch.zeros(3);
    expect(() => t.index_add_(0, longs(0, 3), torch.ones(2))).toThrow(RangeError);
    expect(() => t.uniform_(1, 0)).toThrow(RangeError);
    expect(t.tolist()).toEqual([0, 0, 0]);
  });
});

describe('in place', () => {
  test('rows are views, and writes through them are recorded', () => {
    const x = torch.ones(2, 3, { requires_grad: true });
    const y = x.mul(2);
    for (let i = 0; i < 2; i++) y.index(i).mul_(3);
    y.index_put_([torch.slice(), 0], 5);
    expect(y.tolist()).toEqual([
      [5, 6, 6],
      [5, 6, 6],
    ]);
    y.sum().backward();
    expect(x.grad!.tolist()).toEqual([
      [0, 6, 6],
      [0, 6, 6],
    ]);
  });

  test('repeated indices accumulate', () => {
    const t = torch.zeros(3);
    const at = torch.tensor([0n, 2n, 0n]);
    t.index_put_([at], 1, { accumulate: true });
    t.scatter_add_(0, at, torch.ones(3));
    t.index_add_(0, at, torch.ones(3), { alpha: 2 });
    expect(t.tolist()).toEqual([8, 0, 4]);
  });

  test('a source that shares memory with the target is read as it was', () => {
    const t = torch.arange(6).float();
    t.index_copy_(0, torch.tensor([1n, 2n, 3n]), t.narrow(0, 0, 3));
    expect(t.tolist()).toEqual([0, 0, 1, 2, 4, 5]);
    const u = torch.tensor([2n, 0n, 1n]);
    expect(u.scatter_(0, u, u).tolist()).toEqual([0, 1, 2]);
  });
});

test('gradients of gradients pass through indexing, joining and sorting', () => {
  const x = torch.tensor([3, 1, 2], { dtype: torch.float64, requires_grad: true });
  const at = torch.tensor([2n, 0n, 2n]);
  const loss = torch
    .cat([x.index(at), x.sort().values, x.gather(0, at), x.flip(0)])
    .pow(3)
    .sum();
  const [g] = torch.autograd.grad(loss, [x], { create_graph: true }) as torch.Tensor[];
  const [h] = torch.autograd.grad(g.sum(), [x]) as torch.Tensor[];
  // x0 and x1 stand in the sum 4 and 2 times, x2 6 times.
  expect(h.tolist()).toEqual([4 * 6 * 3, 2 * 6 * 1, 6 * 6 * 2]);
});

test.each([torch.float32, torch.float64])('%s to int64 cuts off, and takes what is beyond to the least', (dtype) => {
  const small = [0, -0, 0.5, -0.5, 0.9999999, -0.9999999, 2.5, -3.5];
  for (let e = 0; e < 51; e++) for (const f of [1, -1, 1.75, -1.9999999]) small.push(f * 2 ** e);
  const beyond = [NaN, Infinity, -Infinity, 2 ** 51, -(2 ** 52) - 1, 2 ** 53, -(2 ** 62), 2 ** 63, -(2 ** 63), 1e300];
  // Where all numbers of a run are small they are converted otherwise.
  for (const values of [small, [...small, ...beyond], beyond]) {
    const x = torch.tensor(values, { dtype });
    const exact = (v: number) => (v >= -(2 ** 63) && v < 2 ** 63 ? BigInt(Math.trunc(v)) : -(2n ** 63n));
    expect([...x.long().toTypedArray()]).toEqual((x.tolist() as number[]).map(exact));
  }
});

test('an index that takes all is a view, and ones in front of what is assigned go away', () => {
  const x = torch.ones(2, 3, { requires_grad: true });
  const whole = x.index('...');
  expect([whole === x, whole.is_leaf, whole.grad_fn!.name()]).toEqual([false, false, 'AliasBackward0']);
  const t = torch.zeros(2, 3);
  t.index_put_([0], torch.ones(1, 1, 3));
  expect(t.sum(1).tolist()).toEqual([3, 0]);
  const value = torch.ones(1, 2, 3, { requires_grad: true });
  t.mul(1)
    .index_put_([[1, 0]], value)
    .sum()
    .backward();
  expect(value.grad!.tolist()).toEqual([[[1, 1, 1], [1, 1, 1]]]); // prettier-ignore
  expect(torch.flatten(torch.zeros(2, 3, 4), { start_dim: 1 }).shape).toEqual([2, 12]);
  expect(torch.ones(4).as_strided([2], [1], { storage_offset: 2 }).storage_offset()).toBe(2);
});

test('gradients where sizes or values are at their limits', () => {
  const scalar = torch.tensor(2, { requires_grad: true });
  scalar.unfold(0, 1, 1).mul(3).sum().backward();
  expect(scalar.grad!.item()).toBe(3);
  const base = torch.tensor([1, 2, 3], { requires_grad: true });
  const before = base.narrow(0, 2, 1).as_strided([2], [1], { storage_offset: 0 });
  before
    .mul(torch.tensor([5, 7]))
    .sum()
    .backward();
  expect(base.grad!.tolist()).toEqual([0, 0, 0]); // PyTorch's: what lies outside of the narrowed input is lost
  const x = torch.tensor([1, 2], { requires_grad: true });
  expect(torch.logit(torch.tensor([0, 1, 2], { dtype: torch.uint8 })).tolist()).toEqual([-Infinity, Infinity, NaN]);
  x.min().mul(NaN).backward();
  expect(x.grad!.tolist()).toEqual([NaN, 0]);
});

test.each([
  ['x.reshape, where it copies', (x: torch.Tensor) => x.t().reshape(6), 'UnsafeViewBackward0'],
  ['squeeze(dim)', (x: torch.Tensor) => x.squeeze(0), 'SqueezeBackward1'],
  ['T', (x: torch.Tensor) => x.T, 'PermuteBackward0'],
  ['zero_', (x: torch.Tensor) => x.mul(1).zero_(), 'ZeroBackward0'],
  ['div, rounded', (x: torch.Tensor) => x.div(2, { rounding_mode: 'floor' }), 'DivBackward2'],
  ['clamp', (x: torch.Tensor) => x.clamp(0, 1), 'ClampBackward1'],
])("%s has PyTorch's node", (_name, f, node) => {
  expect(f(torch.ones(2, 3, { requires_grad: true })).grad_fn!.name()).toBe(node);
});

test('numbers drawn around a tensor have the gradient zero', () => {
  const mean = torch.ones(3, { requires_grad: true });
  torch.normal(mean).sum().backward();
  expect(mean.grad!.tolist()).toEqual([0, 0, 0]);
});

test('the state of the default generator is a tensor that restores it', () => {
  torch.manual_seed(7);
  const state = torch.get_rng_state();
  const first = torch.rand(3).tolist();
  torch.set_rng_state(state);
  expect(torch.rand(3).tolist()).toEqual(first);
  expect(torch.initial_seed()).toBe(7);
  const generator = new torch.Generator().manual_seed(7);
  expect(torch.rand(3, { generator }).tolist()).toEqual(first);
});

test.each([torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool])(
  'many parts are put beside each other, %s',
  (dtype) => {
    const parts = Array.from({ length: 5000 }, (_, i) =>
      torch
        .arange(i % 7)
        .add(i)
        .to(dtype),
    );
    const expected = parts.flatMap((part) => part.tolist());
    expect(torch.cat(parts).tolist()).toEqual(expected);
    const rows = Array.from({ length: 40 }, (_, i) => torch.arange(1000).mul(i).to(dtype));
    expect(torch.stack(rows).tolist()).toEqual(rows.map((row) => row.tolist()));
    expect(torch.stack(rows, 1).t().equal(torch.stack(rows))).toBe(true);
    const columns = rows.map((row) => row.view(1, 500, 2));
    expect(torch.cat(columns, 1).view(40, 1000).equal(torch.stack(rows))).toBe(true);
    expect(torch.cat([columns[0].select(2, 1), columns[1].select(2, 0)], 1).tolist()).toEqual([
      [...expectedColumn(rows[0], 1), ...expectedColumn(rows[1], 0)],
    ]);
  },
);

/** Every second element, from `first` on. */
function expectedColumn(t: torch.Tensor, first: number): unknown[] {
  return (t.tolist() as unknown[]).filter((_, i) => i % 2 === first);
}

test('int64 lists hold what a number holds exactly, and refuse the rest', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const rows = [[-most, most, -1], [0, -(2 ** 40), 2 ** 32 - 1], [2 ** 31, -(2 ** 31) - 1, 5]]; // prettier-ignore
  const t = torch.tensor(rows, { dtype: torch.int64 });
  expect(t.tolist()).toEqual(rows);
  expect(t.narrow(0, 1, 2).narrow(1, 1, 2).tolist()).toEqual(rows.slice(1).map((row) => row.slice(1)));
  for (const beyond of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n]) {
    const memory = t.clone().toTypedArray({ copy: false }) as BigInt64Array;
    memory[4] = beyond;
    const one = torch.tensor(memory, { dtype: torch.int64 });
    expect(() => one.tolist()).toThrow(`tolist: ${beyond} is beyond the integers a JS number holds exactly`);
  }
});

test.each([torch.float32, torch.uint8])('runs come whole to any place, %s', (dtype) => {
  // Blocks of 4 MiB begin at a page, so that places differ by a few bytes, and by pages.
  const pitch = 2 ** 22 / dtype.itemsize / 64;
  const x = torch
    .arange(251)
    .to(dtype)
    .repeat(Math.ceil(pitch / 251))
    .narrow(0, 0, pitch)
    .repeat(64, 1);
  const row = x.select(0, 0).tolist() as number[];
  for (const n of [65, 80, 128, 300, 1000]) {
    for (const k of [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33]) {
      const out = torch.zeros([64, pitch], { dtype });
      out.narrow(1, k, n).copy_(x.narrow(1, 0, n));
      const expected = new Array<number>(k).fill(0).concat(row.slice(0, n), 0);
      for (const i of [0, 5, 63]) {
        expect(
          out
            .select(0, i)
            .narrow(0, 0, k + n + 1)
            .tolist(),
          `${n} to ${k}`,
        ).toEqual(expected);
      }
    }
  }
});
