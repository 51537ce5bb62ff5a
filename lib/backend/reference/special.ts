/** The special functions JavaScript lacks, in double precision. */

// Chebyshev coefficients of (x + 3.75) exp(x²) erfc(x), x >= 0, in t = (x - 3.75) / (x + 3.75).
const ERFC_CHEBYSHEV = [
  1.5802719754089016, -1.4155291636062, 0.5310168126584589, -0.16770511573096467, 0.044234890018353,
  -0.009506139167741073, 0.0015696224296742666, -0.0001678661262168746, 1.971677029425334e-6, 3.086971620657423e-6,
  -4.936920694378021e-7, -9.53473146659699e-9, 1.355826598349273e-8, -1.0830423386818938e-9, -2.9040184105173024e-10,
  5.307787477918412e-11, 5.780745301094449e-12, -1.9937853144156815e-12, -1.1724828156626562e-13, 7.242772425819864e-14,
  2.8807292328714303e-15, -2.704740368320155e-15, -1.0963030130888184e-16, 1.050156492773231e-16,
];

/** exp(-x²) with x² in two parts, so that its rounding is not magnified. */
function expMinusSquare(x: number): number {
  const high = Math.fround(x);
  return Math.exp(-high * high) * Math.exp((high - x) * (high + x));
}

/** erfc for x >= 0. */
function erfcPositive(x: number): number {
  if (x > 28) return 0;
  const t = (x - 3.75) / (x + 3.75);
  let b1 = 0;
  let b2 = 0;
  for (let k = ERFC_CHEBYSHEV.length - 1; k > 0; k--) {
    const b0 = 2 * t * b1 - b2 + ERFC_CHEBYSHEV[k];
    b2 = b1;
    b1 = b0;
  }
  return ((t * b1 - b2 + ERFC_CHEBYSHEV[0]) / (x + 3.75)) * expMinusSquare(x);
}

/** erf near zero, by its Maclaurin series. */
function erfSeries(x: number): number {
  let power = x;
  let sum = x;
  for (let n = 1; Math.abs(power) > 1e-17 * Math.abs(sum); n++) {
    power *= -(x * x) / n;
    sum += power / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export function erf(x: number): number {
  if (Math.abs(x) < 0.5) return erfSeries(x);
  return x < 0 ? erfcPositive(-x) - 1 : 1 - erfcPositive(x);
}

export function erfc(x: number): number {
  if (Math.abs(x) < 0.5) return 1 - erfSeries(x);
  return x < 0 ? 2 - erfcPositive(-x) : erfcPositive(x);
}

/** Winitzki's approximation, then Halley's method. */
export function erfinv(x: number): number {
  const tail = 1 - Math.abs(x);
  if (!(tail > 0)) return tail === 0 ? x * Infinity : NaN;
  if (x === 0) return x;
  const log = Math.log1p(-x * x);
  const half = 2 / (Math.PI * 0.147) + log / 2;
  let y = Math.sqrt(Math.max(Math.sqrt(half * half - log / 0.147) - half, 0));
  if (tail > 0.5) y = Math.max(y, Math.abs(x) / 2);
  for (let i = 0; i < 3; i++) {
    const error = tail > 0.5 ? erf(y) - Math.abs(x) : tail - erfc(y);
    const newton = (error * Math.sqrt(Math.PI)) / 2 / expMinusSquare(y);
    y -= newton / (1 + y * newton);
  }
  return x < 0 ? -y : y;
}

const EULER = 0.5772156649015329;

/** ζ(k) - 1 for k >= 2, by the Euler-Maclaurin formula. */
function zetaMinusOne(k: number): number {
  const n = 64;
  let sum = n ** (1 - k) / (k - 1) + n ** -k / 2 + (k * n ** (-k - 1)) / 12;
  sum +=
    -(k * (k + 1) * (k + 2) * n ** (-k - 3)) / 720 +
    (k * (k + 1) * (k + 2) * (k + 3) * (k + 4) * n ** (-k - 5)) / 30240;
  for (let i = n - 1; i >= 2; i--) sum += i ** -k;
  return sum;
}

// (ζ(k) - 1) / k with alternating sign, from k = 2: the Taylor series of lgamma at 2.
const LGAMMA_TAYLOR = Array.from({ length: 28 }, (_, i) => ((i % 2 ? -1 : 1) * zetaMinusOne(i + 2)) / (i + 2));

/** lgamma(2 + z) for |z| <= 0.5. */
function lgammaNear2(z: number): number {
  let sum = 0;
  for (let i = LGAMMA_TAYLOR.length - 1; i >= 0; i--) sum = sum * z + LGAMMA_TAYLOR[i];
  return z * (1 - EULER + z * sum);
}

/** sin(πx), exact at the integers. */
function sinPi(x: number): number {
  const nearest = Math.round(x);
  return Math.sin(Math.PI * (x - nearest)) * (nearest % 2 === 0 ? 1 : -1);
}

export function lgamma(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (!Number.isFinite(x) || (x <= 0 && Number.isInteger(x))) return Infinity;
  if (x < -0.5) return Math.log(Math.PI / Math.abs(sinPi(x))) - lgamma(1 - x);
  if (x < 0.5) return lgammaNear2(x) - Math.log1p(x) - Math.log(Math.abs(x));
  if (x < 1.5) return lgammaNear2(x - 1) - Math.log1p(x - 1);
  if (x < 10) {
    let product = 1;
    while (x > 2.5) product *= --x;
    return Math.log(product) + lgammaNear2(x - 2);
  }
  const r = 1 / (x * x);
  const series =
    1 / 12 + r * (-1 / 360 + r * (1 / 1260 + r * (-1 / 1680 + r * (1 / 1188 + r * (-691 / 360360 + r / 156)))));
  return (x - 0.5) * (Math.log(x) - 1) + (Math.log(2 * Math.PI) - 1) / 2 + series / x;
}

export function digamma(x: number): number {
  if (x === 0) return -1 / x;
  if (x < 0)
    return Number.isInteger(x) || x === -Infinity
      ? NaN
      : digamma(1 - x) - Math.PI / Math.tan(Math.PI * (x - Math.round(x)));
  let shift = 0;
  while (x < 10) shift -= 1 / x++;
  const r = 1 / (x * x);
  const series =
    r * (1 / 12 + r * (-1 / 120 + r * (1 / 252 + r * (-1 / 240 + r * (1 / 132 + r * (-691 / 32760 + r / 12))))));
  return shift + Math.log(x) - 0.5 / x - series;
}
