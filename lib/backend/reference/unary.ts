import { toInt64 } from './convert.js';
import { every, floating, integral, numeric, pointwise, type Functions } from './pointwise.js';
import { digamma, erf, erfc, erfinv, lgamma } from './special.js';

const unary = (make: Functions | ((...scalars: number[]) => Functions)) => pointwise(1, make);

const TWO_52 = 2 ** 52;

/** To the nearest integer, half to even: adding 2^52 leaves no place for a fraction. */
function roundHalfEven(a: number): number {
  if (!(Math.abs(a) < TWO_52) || a === 0) return a;
  return a < 0 ? -(TWO_52 - a - TWO_52) : a + TWO_52 - TWO_52;
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** A float32 number to the nearest bfloat16, which is its upper half; half to even. */
export function roundBfloat16(a: number): number {
  if (Number.isNaN(a)) return a;
  single[0] = a;
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return single[0];
}

export const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));
const logSigmoid = (a: number) => Math.min(a, 0) - Math.log1p(Math.exp(-Math.abs(a)));
const sixAtMost = (a: number) => Math.min(Math.max(a, 0), 6);

/** The argument of the tanh in gelu's approximation. */
export const geluTanhInner = (a: number) => Math.sqrt(2 / Math.PI) * (a + 0.044715 * a * a * a);

/** The pointwise kernels of one input. */
export const unaryKernels = {
  neg: unary(
    numeric(
      (a) => -a,
      (a: bigint) => -a,
    ),
  ),
  abs: unary(numeric(Math.abs, (a: bigint) => (a < 0n ? -a : a))),
  sign: unary(
    numeric(
      (a) => (a > 0 ? 1 : a < 0 ? -1 : 0),
      (a: bigint) => (a > 0n ? 1n : a < 0n ? -1n : 0n),
    ),
  ),
  floor: unary(floating(Math.floor)),
  ceil: unary(floating(Math.ceil)),
  round: unary(floating(roundHalfEven)),
  trunc: unary(floating(Math.trunc)),
  frac: unary(floating((a) => a - Math.trunc(a))),
  exp: unary(floating(Math.exp)),
  exp2: unary(floating((a) => 2 ** a)),
  expm1: unary(floating(Math.expm1)),
  log: unary(floating(Math.log)),
  log2: unary(floating(Math.log2)),
  log10: unary(floating(Math.log10)),
  log1p: unary(floating(Math.log1p)),
  round_bfloat16: unary(floating(roundBfloat16)),
  sqrt: unary(floating(Math.sqrt)),
  rsqrt: unary(floating((a) => 1 / Math.sqrt(a))),
  reciprocal: unary(floating((a) => 1 / a)),
  sin: unary(floating(Math.sin)),
  cos: unary(floating(Math.cos)),
  tan: unary(floating(Math.tan)),
  asin: unary(floating(Math.asin)),
  acos: unary(floating(Math.acos)),
  atan: unary(floating(Math.atan)),
  sinh: unary(floating(Math.sinh)),
  cosh: unary(floating(Math.cosh)),
  tanh: unary(floating(Math.tanh)),
  sinc: unary(floating((a) => (a === 0 ? 1 : Math.sin(Math.PI * a) / (Math.PI * a)))),
  asinh: unary(floating(Math.asinh)),
  acosh: unary(floating(Math.acosh)),
  atanh: unary(floating(Math.atanh)),
  erf: unary(floating(erf)),
  erfc: unary(floating(erfc)),
  erfinv: unary(floating(erfinv)),
  lgamma: unary(floating(lgamma)),
  digamma: unary(floating(digamma)),
  sigmoid: unary(floating(sigmoid)),
  logit: unary((eps) => {
    const [low, high] = eps >= 0 ? [eps, 1 - eps] : [-Infinity, Infinity];
    return floating((a) => {
      const x = a < low ? low : a > high ? high : a;
      return Math.log(x / (1 - x));
    });
  }),
  relu: unary(
    numeric(
      (a) => (a < 0 ? 0 : a),
      (a: bigint) => (a < 0n ? 0n : a),
    ),
  ),
  gelu: unary(floating((a) => 0.5 * a * erfc(-a * Math.SQRT1_2))),
  gelu_tanh: unary(floating((a) => 0.5 * a * (1 + Math.tanh(geluTanhInner(a))))),
  silu: unary(floating((a) => a / (1 + Math.exp(-a)))),
  mish: unary(floating((a) => a * Math.tanh(Math.log1p(Math.exp(a))))),
  softplus: unary((beta, threshold) =>
    floating((a) => (a * beta > threshold ? a : Math.log1p(Math.exp(a * beta)) / beta)),
  ),
  log_sigmoid: unary(floating(logSigmoid)),
  elu: unary((alpha, scale, inputScale) =>
    floating((a) => (a < 0 ? Math.expm1(a * inputScale) * alpha * scale : a * scale)),
  ),
  leaky_relu: unary((slope) => floating((a) => (a > 0 ? a : a * slope))),
  hardsigmoid: unary(floating((a) => sixAtMost(a + 3) / 6)),
  hardswish: unary(floating((a) => (a * sixAtMost(a + 3)) / 6)),
  hardshrink: unary((lambd) => floating((a) => (a >= -lambd && a <= lambd ? 0 : a))),
  softshrink: unary((lambd) =>
    floating((a) => (a > lambd ? a - lambd : a < -lambd ? a + lambd : Number.isNaN(a) ? a : 0)),
  ),
  // NaN is kept, as PyTorch keeps it.
  threshold: unary((threshold, value) => {
    const filler = toInt64(value);
    return numeric(
      (a) => (a <= threshold ? value : a),
      (a: bigint) => (a <= threshold ? filler : a),
    );
  }),
  clamp: unary((min, max) => {
    const [low, high] = [toInt64(min), toInt64(max)];
    return numeric(
      (a) => Math.min(Math.max(a, min), max),
      (a: bigint) => (a > max ? high : a < min ? (max < min ? high : low) : a),
    );
  }),
  logical_not: unary(
    every(
      (a) => (a === 0 ? 1 : 0),
      (a: bigint) => (a === 0n ? 1 : 0),
    ),
  ),
  bitwise_not: unary(
    integral(
      (a) => ~a,
      (a: bigint) => ~a,
      (a) => 1 - a,
    ),
  ),
};
