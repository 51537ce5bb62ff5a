import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

// Exponents that are numbers have ways of their own.

const inf = Infinity;
const bases = [-inf, -2, -0, 0, 0.25, 1, 4, inf, NaN];
/** What PyTorch gives for those bases. */
const powers: [exponent: number, expected: number[]][] = [
  [0, [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  [1, [-inf, -2, -0, 0, 0.25, 1, 4, inf, NaN]],
  [2, [inf, 4, 0, 0, 0.0625, 1, 16, inf, NaN]],
  [3, [-inf, -8, -0, 0, 0.015625, 1, 64, inf, NaN]],
  [4, [inf, 16, 0, 0, 0.00390625, 1, 256, inf, NaN]],
  [5, [-inf, -32, -0, 0, 0.0009765625, 1, 1024, inf, NaN]],
  [2.5, [inf, NaN, 0, 0, 0.03125, 1, 32, inf, NaN]],
  [0.5, [NaN, NaN, -0, 0, 0.5, 1, 2, inf, NaN]],
  [-0.5, [NaN, NaN, -inf, inf, 2, 1, 0.5, 0, NaN]],
  [-1, [-0, -0.5, -inf, inf, 4, 1, 0.25, 0, NaN]],
  [-2, [0, 0.25, inf, inf, 16, 1, 0.0625, 0, NaN]],
  [-3, [-0, -0.125, -inf, inf, 64, 1, 0.015625, 0, NaN]],
  [-1.5, [0, NaN, inf, inf, 8, 1, 0.125, 0, NaN]],
  [inf, [inf, inf, 0, 0, 0, 1, inf, inf, NaN]],
  [-inf, [0, 0, inf, inf, inf, 1, 0, 0, NaN]],
];

describe.each(['float32', 'float64'] as const)('%s', (name) => {
  const dtype = torch[name];
  const x = () => torch.tensor(bases, { dtype });

  test.each(powers)('to the power of %d', (exponent, expected) => {
    expect(x().pow(exponent).tolist()).toEqual(expected);
    expect(x().pow_(exponent).tolist()).toEqual(expected);
  });

  test('a root by a tensor is that of C, where -infinity has one', () => {
    const half = torch.full([bases.length], 0.5, { dtype });
    expect(x().pow(half).tolist()).toEqual([inf, NaN, 0, 0, 0.5, 1, 2, inf, NaN]);
  });

  test.each([0.5, -0.5, -1, 3, -2, 2.5, -7])('the gradient of the power %d', (exponent) => {
    const base = torch.tensor([0.3, 1.7, 2], { dtype, requires_grad: true });
    const y = base.pow(exponent);
    expect(y.grad_fn!.name()).toBe('PowBackward0');
    y.sum().backward();
    const unit = name === 'float32' ? 2 ** -22 : 2 ** -50;
    (base.grad!.tolist() as number[]).forEach((g, i) => {
      const expected = exponent * (base.tolist() as number[])[i] ** (exponent - 1);
      expect(Math.abs(g / expected - 1)).toBeLessThan(unit);
    });
  });
});

test('float powers by a number are rounded once, even where the exponent of the result is great', () => {
  const { fround } = Math;
  const bases = Array.from({ length: 500 }, (_, i) => fround(0.7 + i / 900));
  for (const exponent of [2.5, 0.1, -7, 101, -230.5]) {
    const e = fround(exponent);
    const y = torch.tensor(bases).pow(exponent).tolist() as number[];
    bases.forEach((x, i) => {
      const exact = x ** e;
      if (exact > 3e38 || exact < 1e-37) return;
      // Half a unit in the last place, and what the double's own error may add.
      const unit = 2 ** (Math.floor(Math.log2(exact)) - 23);
      expect(Math.abs(y[i] - exact) / unit).toBeLessThan(0.51);
    });
  }
});
