import { fma64 } from '../tensor/box_muller.js';

// Numbers of twice the digits.

/** A number as an unevaluated sum, the second part below half an ulp of the first. */
export type Double = readonly [high: number, low: number];

export const ONE: Double = [1, 0];

function normal(high: number, low: number): Double {
  const sum = high + low;
  return [sum, low - (sum - high)];
}

export function product(a: number, b: number): Double {
  const high = a * b;
  return [high, fma64(a, b, -high)];
}

export function add([a, b]: Double, [c, d]: Double): Double {
  const sum = a + c;
  const part = sum - a;
  return normal(sum, a - (sum - part) + (c - part) + (b + d));
}

export function times([a, b]: Double, [c, d]: Double): Double {
  const [high, low] = product(a, c);
  return normal(high, low + (a * d + b * c));
}

export function over([a, b]: Double, n: number): Double {
  const quotient = a / n;
  return normal(quotient, (fma64(-quotient, n, a) + b) / n);
}

/**
 * The power that a bias correction takes. A whole one is rounded once, as the C library's is but for rare ties; `**` is off
 * by an ulp for every tenth, and `1 - x ** step` and what RAdam makes of it magnify that a hundred times and more.
 */
export function power(x: number, n: number): number {
  if (!Number.isInteger(n) || n < 0) return x ** n; // a state that was loaded may have counted anything
  let result = ONE;
  let square: Double = [x, 0];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = times(result, square);
    square = times(square, square);
  }
  return result[0];
}
