import { add, ONE, over, product, times, type Double } from '../double.js';

// 1 + cos(x) loses most of its digits near pi, and a schedule multiplies what is left through all later epochs. So the
// cosine is computed in twice the digits and rounded once: `Math.cos` is off by an ulp for 3 % of angles, this and the C
// library's, which PyTorch uses, differ for 0.1 %.

const HALF_PI = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33];
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
