import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

// Ops along a dimension that is not the last, or in another order, at sizes where they take other ways than small ones do.

const sizes = [3, 70, 40];

/** The elements of a tensor of these sizes, each along `dim`: their positions in memory. */
function alongEach(dim: number): number[][] {
  const step = sizes.slice(dim + 1).reduce((a, b) => a * b, 1);
  const lines: number[][] = [];
  for (let i = 0; i < 3 * 70 * 40; i++) {
    if (Math.floor(i / step) % sizes[dim] === 0) lines.push(Array.from({ length: sizes[dim] }, (_, k) => i + k * step));
  }
  return lines;
}

function values(size: number): number[] {
  return Array.from({ length: size }, (_, i) => Math.sin(i * i) * 3);
}

function numbers(t: torch.Tensor): number[] {
  return (t.flatten().tolist() as (number | bigint)[]).map(Number);
}

describe.each([0, 1, 2])('along dimension %i of three', (dim) => {
  const a = values(3 * 70 * 40);
  const weights = a.map((x) => Math.cos(7 * x));
  const x = () => torch.tensor(a).reshape(sizes).requires_grad_();

  test.each(['softmax', 'log_softmax'] as const)('%s and its gradient', (name) => {
    const input = x();
    const y = input[name](dim);
    y.mul(torch.tensor(weights).reshape(sizes)).sum().backward();
    const [expected, gradient] = [new Array<number>(a.length), new Array<number>(a.length)];
    for (const line of alongEach(dim)) {
      const total = line.reduce((sum, i) => sum + Math.exp(a[i]), 0);
      const p = line.map((i) => Math.exp(a[i]) / total);
      const mean = line.reduce((sum, i, k) => sum + weights[i] * (name === 'softmax' ? p[k] : 1), 0);
      line.forEach((i, k) => {
        expected[i] = name === 'softmax' ? p[k] : Math.log(p[k]);
        gradient[i] = name === 'softmax' ? p[k] * (weights[i] - mean) : weights[i] - p[k] * mean;
      });
    }
    expect(y.is_contiguous()).toBe(true);
    numbers(y.detach()).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
    numbers(input.grad!).forEach((value, i) => expect(value).toBeCloseTo(gradient[i], 5));
  });

  test('cumsum of a view', () => {
    const ints = Array.from({ length: a.length }, (_, i) => (i % 13) - 6);
    const t = torch.tensor(ints, { dtype: torch.int64 }).reshape([40, 70, 3]).permute(2, 1, 0).cumsum(dim);
    const flat = (i: number) => ints[(i % 40) * 210 + (Math.floor(i / 40) % 70) * 3 + Math.floor(i / 2800)];
    const expected = new Array<number>(a.length);
    for (const line of alongEach(dim)) line.reduce((sum, i) => (expected[i] = sum + flat(i)), 0);
    expect(numbers(t)).toEqual(expected);
  });
});

test.each(['float32', 'float64', 'int32', 'uint8'] as const)('flip of %s, whole and views', (dtype) => {
  const [m, n] = [5, 1300];
  const a = Array.from({ length: m * n }, (_, i) => i % 251);
  const t = torch.tensor(a, { dtype: torch[dtype] }).reshape([m, n]);
  const at = (rows: boolean, columns: boolean) =>
    Array.from({ length: m }, (_, i) =>
      Array.from({ length: n }, (_, j) => a[(rows ? m - 1 - i : i) * n + (columns ? n - 1 - j : j)]),
    );
  expect(t.flip(0).tolist()).toEqual(at(true, false));
  expect(t.flip(1).tolist()).toEqual(at(false, true));
  expect(t.flip(0, 1).tolist()).toEqual(at(true, true));
  expect(t.t().flip(0).t().tolist()).toEqual(at(false, true));
  const part = t.as_strided([m, 600], [n, 2], 3);
  expect(numbers(part.flip(1).flip(1))).toEqual(numbers(part.clone()));
  expect(numbers(part.flip(1).select(0, 2)).reverse()).toEqual(numbers(part.select(0, 2)));
});

// Rows of each length are sorted in a way of their own; of 32-bit keys and 64-bit ones not the same.
test.each(
  (['float32', 'float64', 'int64', 'int32', 'uint8', 'bool'] as const).flatMap((dtype) =>
    [5, 40, 100, 700].map((n) => ({ dtype, n })),
  ),
)('$n of $dtype are sorted as numbers are, NaN last, equals in order', ({ dtype, n }) => {
  const float = dtype.startsWith('float');
  const spread = { float32: 1e30, float64: 1e200, int64: 2 ** 44, int32: 2 ** 23, uint8: 1, bool: 0 }[dtype];
  const a = Array.from({ length: n }, (_, i) => {
    const x = ((i * i) % 101) - (dtype === 'uint8' ? 0 : 50);
    return spread === 0 ? x & 1 : x * spread;
  });
  if (float) [a[1], a[2], a[3], a[4]] = [NaN, -0, Infinity, -Infinity];
  const t = torch.tensor(a, { dtype: torch[dtype] });
  const rank = (x: number) => (Number.isNaN(x) ? [1, 0] : [0, x]);
  const order = [...a.keys()].sort((i, j) => {
    const [p, q] = [rank(a[i]), rank(a[j])];
    return p[0] - q[0] || (p[1] === q[1] ? 0 : p[1] - q[1]) || i - j;
  });
  expect(t.argsort().tolist()).toEqual(order);
  expect(numbers(t.sort().values)).toEqual(order.map((i) => numbers(t)[i]));
  const down = [...a.keys()].sort((i, j) => {
    const [p, q] = [rank(a[i]), rank(a[j])];
    return q[0] - p[0] || (p[1] === q[1] ? 0 : q[1] - p[1]) || i - j;
  });
  expect(t.argsort(0, true).tolist()).toEqual(down);
  for (const k of [1, 3, 7, 64, 65]) if (k <= n) expect(t.topk(k).indices.tolist()).toEqual(down.slice(0, k));
});

test('sorting takes its dimension first or by name, and refuses what is no option', () => {
  const t = torch.tensor([
    [3, 1, 2],
    [9, 8, 7],
  ]);
  const down = [
    [3, 2, 1],
    [9, 8, 7],
  ];
  for (const at of [t.sort(1, true), t.sort(1, { descending: true }), t.sort({ dim: 1, descending: true })])
    expect(at.values.tolist()).toEqual(down);
  for (const at of [t.topk(1, 0, { largest: false }), t.topk(1, { dim: 0, largest: false })])
    expect(at.values.tolist()).toEqual([[3, 1, 2]]);
  expect(t.argsort(0, { descending: true }).tolist()).toEqual([
    [1, 1, 1],
    [0, 0, 0],
  ]);
  expect(t.kthvalue(2, 1, { keepdim: true }).values.tolist()).toEqual([[2], [8]]);
  expect(() => t.topk(2, 1, false as never)).toThrow('topk: options: expected an object, got false');
  expect(() => t.sort(1, { largest: true } as never)).toThrow(/sort: unknown option 'largest'/);
});

test('topk finds the only greatest, wherever it stands', () => {
  const n = 150;
  expect(torch.eye(n).topk(1).indices.flatten().tolist()).toEqual([...Array(n).keys()]);
  expect(torch.eye(n).neg().topk(1, 1, { largest: false }).indices.flatten().tolist()).toEqual([...Array(n).keys()]);
});

test('the first of 10,000 are what sort puts first', () => {
  const t = torch.tensor(Array.from({ length: 10000 }, (_, i) => (i * i) % 7919));
  const sorted = t.sort(0, true);
  for (const k of [64, 65, 156, 157, 5000]) {
    const top = t.topk(k);
    expect(top.values.tolist()).toEqual(sorted.values.narrow(0, 0, k).tolist());
    expect(top.indices.tolist()).toEqual(sorted.indices.narrow(0, 0, k).tolist());
  }
});

test.each(['float32', 'int64'] as const)(
  'topk and kthvalue of %s are what sort puts first, equals in order',
  (dtype) => {
    const [rows, n] = [4, 400];
    const a = Array.from({ length: rows * n }, (_, i) => (i * i) % 37);
    if (dtype === 'float32') [a[5], a[n + 200]] = [NaN, -Infinity];
    const t = torch.tensor(a, { dtype: torch[dtype] }).reshape([rows, n]);
    for (const dim of [0, 1]) {
      const x = dim === 1 ? t : t.t().contiguous();
      for (const k of [0, 1, 7, 49, 50, 51, n]) {
        for (const largest of [true, false]) {
          const sorted = x.sort(dim, largest);
          const top = x.topk(k, { dim, largest });
          expect(top.values.tolist()).toEqual(sorted.values.narrow(dim, 0, k).tolist());
          expect(top.indices.tolist()).toEqual(sorted.indices.narrow(dim, 0, k).tolist());
        }
        if (k === 0) continue;
        const { values, indices } = x.kthvalue(k, dim);
        const sorted = x.sort(dim);
        expect(values.tolist()).toEqual(sorted.values.select(dim, k - 1).tolist());
        expect(indices.tolist()).toEqual(sorted.indices.select(dim, k - 1).tolist());
      }
    }
  },
);

test('a sum with rows and columns of four dimensions', () => {
  const dims = [3, 4, 2, 70];
  const a = values(3 * 4 * 2 * 70);
  const b = values(4 * 70).map((x) => x * 2);
  const t = torch.tensor(a, { dtype: torch.float64 }).reshape(dims);
  const row = torch.tensor(b, { dtype: torch.float64 }).reshape([4, 1, 70]);
  const column = torch.tensor(b.slice(0, 6), { dtype: torch.float64 }).reshape([3, 1, 2, 1]);
  const position = (i: number) => ({ o: Math.floor(i / 560), p: Math.floor(i / 140) % 4, q: Math.floor(i / 70) % 2 });
  expect(t.add(row).flatten().tolist()).toEqual(a.map((x, i) => x + b[position(i).p * 70 + (i % 70)]));
  expect(t.add(column).flatten().tolist()).toEqual(a.map((x, i) => x + b[position(i).o * 2 + position(i).q]));
});

test.each([1, 31, 64, 100, 300])('rows of %i are added where an index says, equal ones in order', (width) => {
  const rows = 21;
  const index = Array.from({ length: 60 }, (_, i) => (i * i + 5 * i) % rows);
  const source = torch
    .arange(60 * width)
    .reshape([60, width])
    .remainder(1009)
    .to(torch.float32);
  const out = torch.ones(rows, width).index_add_(0, torch.tensor(index, { dtype: torch.int64 }), source);
  const expected = Array.from({ length: rows }, () => new Array<number>(width).fill(1));
  index.forEach((row, i) => expected[row].forEach((_, j) => (expected[row][j] += (i * width + j) % 1009)));
  expect(out.tolist()).toEqual(expected);
});

test.each<[string, () => unknown, RegExp]>([
  ['norm', () => torch.ones(2, 3).norm(2, 1, true as never), /norm: options: expected an object, got true/],
  ['std', () => torch.ones(2, 3).std(1, false as never), /std: options: expected an object, got false/],
  ['var', () => torch.ones(2, 3).var(1, 0 as never), /var: options: expected an object, got 0/],
  ['sum', () => torch.ones(2, 3).sum(1, true, 3 as never), /sum: options: expected an object, got 3/],
])('%s refuses what stands where its options would', (_, call, message) => {
  expect(call).toThrow(message);
});

test('meshgrid takes vectors one by one or as an array, and options after them', () => {
  const [x, y] = [torch.tensor([1, 2]), torch.tensor([3, 4, 5])];
  const [rows, columns] = [
    [1, 1, 1, 2, 2, 2],
    [3, 4, 5, 3, 4, 5],
  ];
  for (const grids of [torch.meshgrid(x, y), torch.meshgrid([x, y]), torch.meshgrid(x, y, { indexing: 'ij' })]) {
    expect(grids.map((t) => t.shape)).toEqual([
      [2, 3],
      [2, 3],
    ]);
    expect(grids.map(numbers)).toEqual([rows, columns]);
  }
  expect(torch.meshgrid(x, y, { indexing: 'xy' }).map((t) => t.shape)).toEqual([
    [3, 2],
    [3, 2],
  ]);
  expect(torch.meshgrid(y).map(numbers)).toEqual([[3, 4, 5]]);
  const meshgrid = torch.meshgrid as (...given: unknown[]) => unknown;
  expect(() => meshgrid()).toThrow('meshgrid: tensors: expected an array, got undefined');
  expect(() => meshgrid([])).toThrow('meshgrid: tensors: expected a non-empty array');
  expect(() => meshgrid([x, 5])).toThrow('meshgrid: tensors[1]: expected a Tensor, got 5');
  expect(() => meshgrid(x, 5)).toThrow(/meshgrid: options: expected an object, got 5/);
  expect(() => meshgrid(x, { indexing: 'xy' }, y)).toThrow(/meshgrid: tensors\[1\]: expected a Tensor, got /);
  expect(() => meshgrid(x, y, { order: 'ij' })).toThrow(/meshgrid: unknown option 'order'/);
  expect(() => meshgrid(x, y, { indexing: 'ji' })).toThrow("meshgrid: indexing: expected 'ij' or 'xy', got \"ji\"");
});

describe.each(['float32', 'float64', 'int64', 'int32', 'uint8'] as const)('operands of %s that lie across', (name) => {
  const dtype = torch[name];
  // Sizes that are whole cache lines, and that leave some over in each direction; dimensions around and between the two.
  const shapes: [number[], [number, number]][] = [
    [
      [144, 160],
      [0, 1],
    ],
    [
      [131, 277],
      [0, 1],
    ],
    [
      [17, 1100],
      [0, 1],
    ],
    [
      [1100, 19],
      [0, 1],
    ],
    [
      [3, 67, 130],
      [1, 2],
    ],
    [
      [33, 5, 130],
      [0, 2],
    ],
    [
      [33, 4, 2, 130],
      [0, 3],
    ],
    [
      [2, 67, 4, 50],
      [1, 3],
    ],
  ];
  const of = (size: number, k: number) => Array.from({ length: size }, (_, i) => (i * k + Math.floor(i / 97)) % 101);

  test.each(shapes)('%j, dimensions %j', (sizes, [d, e]) => {
    const n = sizes.reduce((a, b) => a * b, 1);
    const [p, q, r] = [of(n, 7), of(n, 13), of(n, 29)];
    const straight = torch.tensor(p, { dtype }).reshape(sizes);
    const turned = sizes.slice();
    [turned[d], turned[e]] = [sizes[e], sizes[d]];
    const across = torch.tensor(q, { dtype }).reshape(turned).transpose(d, e);
    const other = torch.tensor(r, { dtype }).reshape(turned).transpose(d, e);
    const steps = across.stride();
    const position = (i: number) => {
      let [at, rest] = [0, i];
      for (let k = sizes.length - 1; k >= 0; rest = Math.floor(rest / sizes[k--])) at += (rest % sizes[k]) * steps[k];
      return at;
    };
    const at = Array.from({ length: n }, (_, i) => position(i));
    const expected = (f: (a: number, b: number, c: number) => number) => at.map((k, i) => f(p[i], q[k], r[k]));
    expect(numbers(straight.add(across))).toEqual(expected((a, b) => a + b));
    expect(numbers(across.maximum(straight))).toEqual(expected((a, b) => Math.max(a, b)));
    expect(numbers(straight.gt(across))).toEqual(expected((a, b) => Number(a > b)));
    expect(numbers(torch.where(straight.gt(50), across, other))).toEqual(expected((a, b, c) => (a > 50 ? b : c)));
    expect(numbers(straight.clone().add_(other))).toEqual(expected((a, _, c) => a + c));
  });
});

test('operands that lie across along different dimensions', () => {
  const of = (...sizes: number[]) => torch.arange(20 * 30 * 40).reshape(sizes);
  const [a, b, c] = [of(20, 30, 40), of(40, 30, 20).transpose(0, 2), of(20, 40, 30).transpose(1, 2)];
  const sum = a.clone().addcmul_(b, c);
  expect(torch.equal(sum, a.addcmul(b.contiguous(), c.contiguous()))).toBe(true);
  expect(sum.index(7, 11, 13).item()).toBe(
    7 * 1200 + 11 * 40 + 13 + (13 * 600 + 11 * 20 + 7) * (7 * 1200 + 13 * 30 + 11),
  );
});
