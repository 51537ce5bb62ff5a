import { fma64 } from '../../tensor/box_muller.js';

// 1 + cos(x) loses most of its digits near pi, and a schedule multiplies what is left through all later epochs. So the
// cosine is computed in twice the digits and rounded once: `Math.cos` is off by an ulp for 3 % of angles, this and the C
// library's, which PyTorch uses, differ for 0.1 %.

/** A number as an unevaluated sum, the second part below half an ulp of the first. */
type Double = readonly [high: number, low: number];

const HALF_PI = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33];
const ONE: Double = [1, 0];
/** Terms of the series: the next one is below 2^-107 for an angle up to pi / 4. */
const TERMS = 13;

/** The cosine of an angle in radians, correctly rounded but for rare ties. */
export function cos(x: number): number {
  const quarters = Math.round(x / HALF_PI[0]);
  let rest: Double = [x, 0];
  for (const part of HALF_PI) rest = add(rest, product(-quarters, part));
  const quadrant = ((quarters % 4) + 4) % 4;
  const odd = quadrant % 2;
  const square = times(rest, rest);
  // Of cos(rest), or of sin(rest) / rest in an odd quadrant: 1 - square / (1 * 2) * (1 - square / (3 * 4) * (1 - …)).
  let series = ONE;
  for (let n = 2 * TERMS + odd; n > 1; n -= 2) {
    const [high, low] = over(times(square, series), n * (n - 1));
    series = add(ONE, [-high, -low]);
  }
  const [value] = odd === 1 ? times(series, rest) : series;
  return quadrant === 1 || quadrant === 2 ? -value : value;
}

function normal(high: number, low: number): Double {
  const sum = high + low;
  return [sum, low - (sum - high)];
}

function product(a: number, b: number): Double {
  const high = a * b;
  return [high, fma64(a, b, -high)];
}

function add([a, b]: Double, [c, d]: Double): Double {
  const sum = a + c;
  const part = sum - a;
  return normal(sum, a - (sum - part) + (c - part) + (b + d));
}

function times([a, b]: Double, [c, d]: Double): Double {
  const [high, low] = product(a, c);
  return normal(high, low + (a * d + b * c));
}

function over([a, b]: Double, n: number): Double {
  const quotient = a / n;
  return normal(quotient, (fma64(-quotient, n, a) + b) / n);
}
