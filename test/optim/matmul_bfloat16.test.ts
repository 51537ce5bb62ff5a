import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { callStrided } from '../../lib/backend/frame.js';
import { K } from '../../lib/backend/kernels.js';

// Integers whose sums float32 holds: every order of adding gives the same, and the rounding has one result.

const FLOAT32 = 0;

function bfloat16(x: number): number {
  const bits = new Uint32Array(new Float32Array([x]).buffer)[0];
  const half = bits & 0x8000 && (bits & 0x17fff) !== 0 ? 0x10000 : 0;
  return new Float32Array(new Uint32Array([(bits & 0xffff0000) + half]).buffer)[0];
}

const integers = (rows: number, columns: number, seed: number) =>
  Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => ((i * 31 + j * 17 + seed * 7 + ((i * j) % 13)) % 33) - 16),
  );

type Matrix = number[][];

/** α a b + β c by the kernel; `a` and `b` lie transposed in memory if `transposed`. */
function product(
  a: Matrix,
  b: Matrix,
  c: Matrix | null,
  transposed: boolean,
  scalars: [number, number, number],
): Matrix {
  const [m, k, n] = [a.length, a[0].length, b[0].length];
  const operand = (rows: Matrix) => (transposed ? torch.tensor(rows).t().contiguous() : torch.tensor(rows));
  const out = torch.zeros([m, n]);
  const strides = [transposed ? [1, 0, m] : [k, 0, 1], transposed ? [0, k, 1] : [0, 1, n], [n, 1, 0], [n, 1, 0]];
  const addend = c && torch.tensor(c);
  callStrided(K.matmul_bfloat16, [m, n, k], [operand(a), operand(b), addend, out], strides, scalars, FLOAT32);
  return out.tolist() as Matrix;
}

function expected(a: Matrix, b: Matrix, c: Matrix | null, alpha: number, beta: number): Matrix {
  return a.map((row, i) =>
    b[0].map((_, j) => {
      const sum = row.reduce((s, x, p) => s + x * b[p][j], 0);
      return bfloat16(alpha * sum + (c ? beta * c[i][j] : 0));
    }),
  );
}

const sizes = [
  [1, 1, 1],
  [8, 48, 2],
  [9, 49, 33],
  [7, 150, 1],
  [200, 5, 64],
  [130, 97, 71],
  [257, 400, 301],
];
describe.each(sizes)('%i × %i of sums of %i', (m, n, k) => {
  const [a, b, c] = [integers(m, k, 1), integers(k, n, 2), integers(m, n, 3)];
  test.each([false, true])('transposed: %s', (transposed) => {
    expect(product(a, b, null, transposed, [1, 0, 0])).toEqual(expected(a, b, null, 1, 0));
    expect(product(a, b, c, transposed, [0.5, -2, 0])).toEqual(expected(a, b, c, 0.5, -2));
  });
});

test.each([1, 8, 47, 48, 50, 131, 300])('a symmetric result of %i rows', (n) => {
  const a = integers(n, 40, 4);
  const b = a[0].map((_, p) => a.map((row) => row[p]));
  const c = a.map((_, i) => a.map((_, j) => ((i + j) % 9) * Math.abs(i - j)));
  expect(product(a, b, null, false, [1, 0, 1])).toEqual(expected(a, b, null, 1, 0));
  expect(product(a, b, c, false, [2, 1, 1])).toEqual(expected(a, b, c, 2, 1));
});

test('rows that are no symmetric matrix are computed whole', () => {
  const [a, b] = [integers(5, 60, 1), integers(60, 70, 2)];
  expect(product(a, b, null, false, [1, 0, 1])).toEqual(expected(a, b, null, 1, 0));
});

test('a sum of nothing, no numbers and infinities', () => {
  const out = torch.zeros([1, 2]);
  const empty = torch.zeros([1, 0]);
  const addend = torch.tensor([[257, 3]]);
  const strides = [
    [0, 0, 1],
    [0, 1, 0],
    [2, 1, 0],
    [2, 1, 0],
  ];
  callStrided(K.matmul_bfloat16, [1, 2, 0], [empty, empty, addend, out], strides, [1, 1, 0], FLOAT32);
  expect(out.tolist()).toEqual([[256, 3]]);
  const odd = [[NaN, 1], [Infinity, 1], [-Infinity, 1]]; // prettier-ignore
  expect(product(odd, [[1], [1]], null, false, [1, 0, 0])).toEqual([[NaN], [Infinity], [-Infinity]]);
});
