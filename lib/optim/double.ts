import { fma64 } from '../fma.js';

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

/** By indices: each step takes powers, and destructuring goes by way of the arrays' iterators. */
export function times(x: Double, y: Double): Double {
  const high = product(x[0], y[0]);
  return normal(high[0], high[1] + (x[0] * y[1] + x[1] * y[0]));
}

export function over([a, b]: Double, n: number): Double {
  const quotient = a / n;
  return normal(quotient, (fma64(-quotient, n, a) + b) / n);
}

const STRETCH = 128;
const MOST_BASES = 64;
/** The last power of each base. */
const powers = new Map<number, { exponent: number; value: Double }>();

/**
 * The power that a bias correction takes. A whole one is rounded once, as the C library's is but for rare ties; `**` is off
 * by an ulp for every tenth, and `1 - x ** step` and what RAdam makes of it magnify that a hundred times and more.
 * A step's power is the last one's times `x`, from one multiple of STRETCH to the next: so it is the same for a run that
 * was resumed.
 */
export function power(x: number, n: number): number {
  if (!Number.isInteger(n) || n < 0) return x ** n; // a state that was loaded may have counted anything
  const start = n - (n % STRETCH);
  let known = powers.get(x);
  if (known === undefined || known.exponent < start || known.exponent > n) {
    if (powers.size >= MOST_BASES) powers.clear();
    known = { exponent: start, value: powerOf([x, 0], start) };
    powers.set(x, known);
  }
  for (; known.exponent < n; known.exponent++) known.value = times(known.value, [x, 0]);
  return known.value[0];
}

/** By squares. */
function powerOf(x: Double, n: number): Double {
  let result = ONE;
  for (let square = x, rest = n; rest > 0; rest = Math.floor(rest / 2), square = times(square, square)) {
    if (rest % 2 === 1) result = times(result, square);
  }
  return result;
}
