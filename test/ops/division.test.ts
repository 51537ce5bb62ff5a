import { expect, test } from 'vitest';
import * as torch from 'cresset';

const { fround } = Math;

/** Numbers of every size and sign, in whole vectors and with a rest, and what is no number to divide. */
function operands(): [number[], number[]] {
  torch.manual_seed(11);
  const n = 5003;
  const sizes = torch.randn(2, n).mul(12).exp2();
  const [a, b] = torch.randn(2, n).mul(sizes).tolist() as number[][];
  const special = [0, -0, 1, -1, 3.5, -3.5, 1e30, -1e30, 1e-40, Infinity, -Infinity, NaN];
  a.push(...special.flatMap((x) => special.map(() => fround(x))));
  b.push(...special.flatMap(() => special.map(fround)));
  // Whole multiples, and the numbers next to them.
  for (let i = 1; i < 300; i++) {
    a.push(fround(i * fround(0.7)), fround(-i * 3));
    b.push(fround(0.7), 3);
  }
  return [a, b];
}

test('fmod and remainder of float32 are exact', () => {
  const [a, b] = operands();
  const [x, y] = [torch.tensor(a), torch.tensor(b)];
  // JavaScript's % is exact, and so are float32's remainders.
  const rest = a.map((value, i) => value % b[i]);
  expect(x.fmod(y).tolist()).toEqual(rest);
  const floored = rest.map((r, i) => (r !== 0 && r < 0 !== b[i] < 0 ? fround(r + b[i]) : r));
  expect(x.remainder(y).tolist()).toEqual(floored);
  expect(x.clone().remainder_(y).tolist()).toEqual(floored);
  expect(x.fmod(0.7).tolist()).toEqual(a.map((value) => value % fround(0.7)));
});

test('integers divide to the lower integer', () => {
  const a = [7, -7, 7, -7, 6, -6, 0, -1, 2147483647, -2147483648];
  const b = [2, 2, -2, -2, 3, 3, -5, 2147483647, -1, 3];
  for (const dtype of [torch.int64, torch.int32]) {
    const [x, y] = [torch.tensor(a, { dtype }), torch.tensor(b, { dtype })];
    expect(x.floor_divide(y).tolist()).toEqual(a.map((value, i) => Math.floor(value / b[i]) + 0));
    expect(x.remainder(y).tolist()).toEqual(a.map((value, i) => value - Math.floor(value / b[i]) * b[i] + 0));
  }
});

test('atan2, atan, asin and acos of float32 are rounded once, but for some, and exact at their ends', () => {
  const [a, b] = operands();
  const near = (got: torch.Tensor, exact: (i: number) => number) =>
    (got.tolist() as number[]).forEach((value, i) => {
      const expected = exact(i);
      if (Number.isNaN(expected) || expected === 0) expect(value).toBe(expected);
      else
        expect(Math.abs(value - expected), String(i)).toBeLessThanOrEqual(
          Math.max(2 ** -23.9 * Math.abs(expected), 2 ** -150),
        );
    });
  const [x, y] = [torch.tensor(a), torch.tensor(b)];
  near(x.atan2(y), (i) => Math.atan2(a[i], b[i]));
  near(x.atan(), (i) => Math.atan(a[i]));
  const unit = [
    ...Array.from({ length: 2001 }, (_, i) => fround(i / 1000 - 1)),
    -0,
    1e-20,
    -1e-20,
    1.5,
    -2,
    NaN,
    Infinity,
  ];
  near(torch.tensor(unit).asin(), (i) => Math.asin(unit[i]));
  near(torch.tensor(unit).acos(), (i) => Math.acos(unit[i]));
});
