// Rows shorter than some vectors are taken many at a time, by kernels of their own: all numbers here are exact, so that any
// element left out, or taken from beside a row, shows.
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { float32, float64, int32, int64 } = torch;

const lengths = [1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 64, 65, 100, 129, 256, 257, 500, 1021, 1025];
const counts = [1, 2, 5, 8, 16, 17, 33, 70];

/** Small integers, so that there are equals; as a matrix of its own, or as columns of one that holds `beside` beside them. */
function matrix(rows: number, n: number, dtype: torch.DType, beside: number | null): torch.Tensor {
  const numbers = torch.randint(-4, 5, [rows, n]).to(dtype);
  if (beside === null) return numbers;
  const wide = torch.full([rows, n + 5], beside, { dtype });
  const x = wide.narrow(1, 3, n);
  x.copy_(numbers);
  return x;
}

/** The first position of a number greater (`sign` 1) or less (-1) than all before it, or of the first NaN. */
function extremum(row: number[], sign: number): number {
  const nan = row.findIndex(Number.isNaN);
  return nan >= 0 ? nan : row.indexOf(Math.max(...row.map((x) => sign * x)) * sign);
}

function check(x: torch.Tensor): void {
  const rows = x.to(float64).tolist() as number[][];
  const by = (f: (row: number[]) => number) => rows.map(f);
  const sum = (row: number[]) => row.reduce((a, b) => a + b, 0);
  expect(x.sum(1).tolist(), 'sum').toEqual(by(sum));
  expect(x.argmax(1).tolist(), 'argmax').toEqual(by((row) => extremum(row, 1)));
  expect(x.argmin(1).tolist(), 'argmin').toEqual(by((row) => extremum(row, -1)));
  expect(x.amax(1).tolist(), 'amax').toEqual(by((row) => row[extremum(row, 1)]));
  expect(x.amin(1).tolist(), 'amin').toEqual(by((row) => row[extremum(row, -1)]));
  const signs = x.ge(0).to(x.dtype).mul(2).sub(1);
  expect(signs.prod(1).tolist(), 'prod').toEqual(
    by((row) => row.reduce((product, y) => (y >= 0 ? product : -product), 1)),
  );
}

describe.each([
  [float32, NaN],
  [float64, NaN],
  [int32, 100],
  [int64, -100],
])('%s', (dtype, beside) => {
  test.each(lengths)('rows of %i', (n) => {
    torch.manual_seed(n);
    for (const rows of counts) {
      check(matrix(rows, n, dtype, null));
      check(matrix(rows, n, dtype, beside));
    }
  });
});

test.each([float32, float64])('NaN and infinities, %s', (dtype) => {
  torch.manual_seed(1);
  for (const n of [3, 10, 16, 33, 100]) {
    const x = matrix(40, n, dtype, 0);
    for (let row = 0; row < 40; row++) {
      if (row % 2 === 0) x.index_put_([row, (7 * row) % n], NaN);
      if (row % 3 === 0) x.index_put_([row, (5 * row) % n], NaN);
      if (row % 5 === 0) x.index_put_([row, (3 * row) % n], Infinity);
      if (row % 7 === 0) x.select(0, row).fill_(-Infinity);
    }
    check(x);
  }
});

test.each([
  [float32, 2 ** -20],
  [float64, 2 ** -49],
])('the variance around a mean of each row, %s', (dtype, tolerance) => {
  torch.manual_seed(2);
  for (const n of [2, 10, 16, 33, 100, 256]) {
    const x = matrix(37, n, dtype, NaN);
    const expected = (x.tolist() as number[][]).map((row) => {
      const mean = row.reduce((a, b) => a + b) / n;
      return row.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1);
    });
    (x.var(1).tolist() as number[]).forEach((variance, i) => {
      expect(Math.abs(variance - expected[i])).toBeLessThanOrEqual(tolerance * expected[i]);
    });
  }
});

test.each([float32, float64])('softmax of rows with others beside them, %s', (dtype) => {
  torch.manual_seed(4);
  for (const n of lengths.filter((length) => length <= 129)) {
    for (const rows of counts) {
      const x = matrix(rows, n, dtype, NaN);
      const grad = matrix(rows, n, dtype, NaN);
      for (const f of [torch.softmax, torch.log_softmax]) {
        const results = [false, true].map((alone) => {
          const leaf = (alone ? x.contiguous() : x).detach().requires_grad_();
          const y = f(leaf, 1);
          y.backward(alone ? grad.contiguous() : grad);
          return [y.tolist(), leaf.grad!.tolist()];
        });
        expect(results[0]).toEqual(results[1]);
        expect(Math.abs(f(x, 1).exp().sum().item() as number)).not.toBeNaN();
      }
    }
  }
});

test.each([float32, float64, int64])('a row and a column with each row, %s', (dtype) => {
  torch.manual_seed(6);
  for (const n of [2, 3, 7, 10, 16, 100, 127, 129]) {
    const rows = Math.ceil(40000 / n);
    const x = matrix(rows, n, dtype, null);
    const [row, column] = [matrix(1, n, dtype, null), matrix(rows, 1, dtype, null)];
    const sums = [row, column].map((beside) => x.add(beside).to(float64).flatten().tolist() as number[]);
    const [all, a, b] = [x, row, column].map((t) => t.to(float64).flatten().tolist() as number[]);
    expect(sums[0]).toEqual(all.map((value, i) => value + a[i % n]));
    expect(sums[1]).toEqual(all.map((value, i) => value + b[Math.floor(i / n)]));
  }
});

test('rows among other dimensions, of any order', () => {
  torch.manual_seed(3);
  const x = torch.randint(-4, 5, [3, 20, 4, 10]).to(float32);
  for (const dims of [
    [0, 1, 2, 3],
    [1, 0, 2, 3],
    [2, 1, 0, 3],
  ]) {
    const y = x.permute(dims);
    expect(y.sum(3).flatten().tolist()).toEqual(y.contiguous().reshape(240, 10).sum(1).tolist());
    expect(y.argmax(3).flatten().tolist()).toEqual(y.contiguous().reshape(240, 10).argmax(1).tolist());
  }
});
