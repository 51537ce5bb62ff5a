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

test('float32 divides to the lower integer, each step rounded', () => {
  const [a, b] = operands();
  const expected = a.map((value, i) => {
    const rest = value % b[i];
    const q = fround(fround(fround(value - rest) / b[i]) - (rest !== 0 && rest < 0 !== b[i] < 0 ? 1 : 0));
    if (b[i] === 0) return value / b[i];
    if (q === 0) return value / b[i] < 0 || Object.is(value / b[i], -0) ? -0 : 0;
    return q - Math.floor(q) > 0.5 ? Math.floor(q) + 1 : Math.floor(q);
  });
  const [x, y] = [torch.tensor(a), torch.tensor(b)];
  for (const got of [x.floor_divide(y), x.div(y, { rounding_mode: 'floor' })]) {
    (got.tolist() as number[]).forEach((value, i) => {
      // Quotients of more digits than float32 holds: the reference backend rounds them once, PyTorch and the addon at each step.
      const off = Math.abs(expected[i]) >= 2 ** 22 ? 2 ** -22 * Math.abs(expected[i]) : 0;
      if (off > 0 && off < Infinity)
        expect(Math.abs(value - expected[i]), `${a[i]} by ${b[i]}`).toBeLessThanOrEqual(off);
      else expect(value, `${a[i]} by ${b[i]}`).toBe(expected[i]);
    });
  }
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

test.each([
  // Numbers to which a double adds 1.5 * 2^52 and stays exact, and the first two to which it does not.
  [
    [2n ** 51n - 1n, -(2n ** 51n), 2n ** 50n + 1n, -(2n ** 50n) - 1n, 6n, -6n],
    [1n, -1n, 3n, -(2n ** 25n) - 1n, 2n ** 51n - 1n],
  ],
  [
    [2n ** 51n + 1n, 7n],
    [1n, -2n],
  ],
  [
    [-(2n ** 51n) - 1n, 7n],
    [1n, -2n],
  ],
  [
    [2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 62n + 3n, -(2n ** 63n), 2n ** 63n - 1n, 7n, -7n],
    [2n, -3n, -1n, 2n ** 53n - 1n, -(2n ** 61n)],
  ],
])('%s by %s, and the smallest of 32 bits by -1, divide as integers do', (numbers, divisors) => {
  const wrap = (x: bigint) => BigInt.asIntN(64, x);
  const pairs = numbers.flatMap((a) => divisors.map((b) => [a, b] as const));
  const [x, y] = [0, 1].map((k) => torch.tensor(pairs.map((pair) => pair[k])));
  const floor = (a: bigint, b: bigint) => wrap(a / b - (a % b !== 0n && a % b < 0n !== b < 0n ? 1n : 0n));
  const values = (t: torch.Tensor) => Array.from(t.toTypedArray() as unknown as BigInt64Array);
  expect(values(x.floor_divide(y))).toEqual(pairs.map(([a, b]) => floor(a, b)));
  expect(values(x.remainder(y))).toEqual(pairs.map(([a, b]) => wrap(a - floor(a, b) * b)));
  expect(values(x.fmod(y))).toEqual(pairs.map(([a, b]) => a % b));
  expect(values(x.div(y, { rounding_mode: 'trunc' }))).toEqual(pairs.map(([a, b]) => wrap(a / b)));
  const least = torch.tensor([-2147483648, 5], { dtype: torch.int32 });
  expect(least.floor_divide(-1).tolist()).toEqual([-2147483648, -5]);
  expect(least.remainder(-1).tolist()).toEqual([0, 0]);
  const bytes = torch.tensor([255, 7, 200], { dtype: torch.uint8 });
  expect(bytes.floor_divide(7).tolist()).toEqual([36, 1, 28]);
  expect(bytes.remainder(7).tolist()).toEqual([3, 0, 4]);
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
