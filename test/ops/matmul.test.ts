import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import * as torch from 'cresset';

// Small whole numbers: sums are exact in any order, so results are compared bit for bit.
type Values = number[] | Float64Array;

function whole(size: number, seed: number): Float64Array {
  const out = new Float64Array(size);
  for (let i = 0, x = seed + 1; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0;
    out[i] = (x >>> 28) - 8;
  }
  return out;
}

/** How a matrix lies in memory; the last two are views of a larger one. */
const layouts = ['rows', 'columns', 'part', 'steps'] as const;
type Layout = (typeof layouts)[number];

function matrix(values: Values, rows: number, columns: number, layout: Layout, dtype: torch.DType): torch.Tensor {
  const t = torch.tensor(values, { dtype }).reshape([rows, columns]);
  if (layout === 'columns') return t.t().contiguous().t();
  const step = layout === 'steps' ? 2 : 1;
  if (layout !== 'rows') {
    const row = step * columns + 5;
    const view = torch.full([step * rows * row], 99, { dtype }).as_strided([rows, columns], [step * row, step]);
    view.copy_(t);
    return view;
  }
  return t;
}

/** a b, of rows one after the other. */
function product(m: number, n: number, k: number, a: Values, b: Values): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let t = 0; t < k; t++) {
      const x = a[i * k + t];
      for (let j = 0; j < n; j++) out[i * n + j] += x * b[t * n + j];
    }
  }
  return out;
}

function expectSame(out: torch.Tensor, m: number, n: number, wanted: (i: number, j: number) => number): void {
  expect(out.shape).toEqual([m, n]);
  const got = out.toTypedArray() as Float64Array;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      if (got[i * n + j] !== wanted(i, j)) {
        expect.fail(`[${i}, ${j}]: expected ${wanted(i, j)}, got ${got[i * n + j]}`);
      }
    }
  }
}

const shapesOfC = ['row', 'column', 'one', 'full'] as const;

/** What is added to an m by n product, and its values as it is broadcast. */
function addend(shape: (typeof shapesOfC)[number], m: number, n: number, layout: Layout, dtype: torch.DType) {
  const [rows, columns] = { row: [1, n], column: [m, 1], one: [1, 1], full: [m, n] }[shape];
  const z = whole(rows * columns, 3);
  const at = (i: number, j: number) => z[(rows === 1 ? 0 : i) * columns + (columns === 1 ? 0 : j)];
  return { c: matrix(z, rows, columns, layout, dtype), at };
}

test('products of any shape and layout, scaled and added to anything, are exact', () => {
  const size = fc.integer({ min: 1, max: 40 });
  const sample = fc.record({
    m: size,
    n: size,
    k: size,
    dtype: fc.constantFrom(torch.float32, torch.float64),
    a: fc.constantFrom(...layouts),
    b: fc.constantFrom(...layouts),
    c: fc.constantFrom(...shapesOfC),
    alpha: fc.constantFrom(1, -2),
    beta: fc.constantFrom(1, 0, 3),
  });
  fc.assert(
    fc.property(sample, ({ m, n, k, dtype, a, b, c, alpha, beta }) => {
      const [x, y] = [whole(m * k, 1), whole(k * n, 2)];
      const sums = product(m, n, k, x, y);
      const [ta, tb] = [matrix(x, m, k, a, dtype), matrix(y, k, n, b, dtype)];
      const added = addend(c, m, n, 'rows', dtype);
      const out = torch.addmm(added.c, ta, tb, { alpha, beta });
      expectSame(out, m, n, (i, j) => alpha * sums[i * n + j] + beta * added.at(i, j));
    }),
    { numRuns: 200 },
  );
});

// Around where one way of multiplying gives way to another, and where the blocks of the packed way end.
const large: [m: number, n: number, k: number][] = [
  [128, 128, 129],
  [127, 131, 137],
  [65, 65, 700],
  [97, 150, 513],
  [64, 300, 150],
  [300, 64, 150],
  [33, 130, 784],
  [2100, 70, 20],
  [70, 2100, 20],
  [200, 300, 1],
  [70, 301, 3],
  [1, 700, 600],
  [1, 66_000, 9],
  [2, 4100, 131],
  [3, 2100, 150],
  [5, 333, 100],
  [9, 1, 300],
  [12, 500, 300],
  [12, 100, 389],
  [31, 100, 389],
  [64, 47, 801],
  [200, 10, 333],
  [20, 520, 2048],
  [66, 1500, 1500],
  [1024, 520, 70],
  [1024, 1024, 20],
  [96, 256, 700],
];
test.each(large)('products of %d x %d over %d are exact, however their operands lie', (m, n, k) => {
  const [x, y, z] = [whole(m * k, 1), whole(k * n, 2), whole(m * n, 3)];
  const sums = product(m, n, k, x, y);
  for (const dtype of [torch.float32, torch.float64]) {
    const as = layouts.map((layout) => matrix(x, m, k, layout, dtype));
    const bs = layouts.map((layout) => matrix(y, k, n, layout, dtype));
    const c = matrix(z, m, n, 'part', dtype);
    // Else a strip that is packed nowhere could be found packed, from the product before.
    const others = [as[1], bs[1]].map((t) => t.mul(3));
    // Both dtypes see each layout of each operand, and between them all pairs.
    const wide = Number(dtype === torch.float64);
    as.forEach((a, i) =>
      bs.forEach((b, j) => {
        if ((i + j) % 2 !== wide) return;
        torch.mm(others[0], others[1]);
        expectSame(torch.mm(a, b), m, n, (r, s) => sums[r * n + s]);
      }),
    );
    const out = torch.addmm(c, as[wide], bs[wide], { alpha: -2, beta: 3 });
    expectSame(out, m, n, (r, s) => 3 * z[r * n + s] - 2 * sums[r * n + s]);
  }
});

// Both operands along k, and rows that fill vectors: where products that are done turned begin, and where their parts of k and of
// rows end.
test.each([
  [8, 128, 192],
  [16, 129, 200],
  [16, 128, 384],
  [24, 130, 390],
  [32, 131, 2100],
  [48, 150, 1100],
  [64, 700, 400],
  [80, 150, 320],
  [96, 140, 2100],
  [128, 129, 1100],
])('products of %d rows by %d others of length %d are exact, whatever is added', (m, n, k) => {
  for (const dtype of [torch.float32, torch.float64]) {
    const [x, y] = [whole(m * k, 1), whole(k * n, 2)];
    const sums = product(m, n, k, x, y);
    const [a, b] = [matrix(x, m, k, 'part', dtype), matrix(y, k, n, 'columns', dtype)];
    expectSame(torch.mm(a, b), m, n, (i, j) => sums[i * n + j]);
    for (const shape of shapesOfC) {
      const added = addend(shape, m, n, 'part', dtype);
      const out = torch.addmm(added.c, a, b, { alpha: -2, beta: 3 });
      expectSame(out, m, n, (i, j) => 3 * added.at(i, j) - 2 * sums[i * n + j]);
    }
  }
});

test('an infinite element is added once, wherever it stands along k', () => {
  const k = 135;
  const a = torch.ones(5, k);
  for (let at = 0; at < k; at++) {
    const b = torch.ones(7, k);
    b.index_put_([3, at], torch.tensor(Infinity));
    const out = torch.mm(a, b.t());
    expectSame(out, 5, 7, (_, column) => (column === 3 ? Infinity : k));
  }
});

const before = torch.get_num_threads();
afterEach(() => torch.set_num_threads(before));

test.each([1, 2])('batches are multiplied as their matrices are, on %d threads', (threads) => {
  torch.set_num_threads(threads);
  for (const [batch, m, n, k] of [
    [7, 5, 9, 4],
    [64, 32, 32, 16],
    [37, 40, 130, 90],
    [1000, 3, 2, 5],
    [100, 3, 2, 0],
    [0, 3, 2, 4],
    [3, 150, 120, 130],
  ]) {
    const a = torch.randn(batch, m, k);
    const b = torch.randn(batch, k, n);
    const out = torch.bmm(a, b);
    for (let i = 0; i < batch; i++) {
      expect(torch.equal(out.select(0, i), torch.mm(a.select(0, i), b.select(0, i)))).toBe(true);
    }
  }
});

test.each([
  [300, 200, 700],
  [128, 256, 10],
  [32, 512, 784],
  [32, 700, 2100],
  [3, 900, 300],
  [150, 150, 150],
])('a product of %d x %d over %d has the same bits on one thread and two', (m, n, k) => {
  const [a, b] = [torch.randn(m, k), torch.randn(n, k)];
  torch.set_num_threads(1);
  const one = torch.matmul(a, b.t());
  torch.set_num_threads(2);
  expect(torch.equal(torch.matmul(a, b.t()), one)).toBe(true);
});
