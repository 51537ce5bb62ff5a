import { toInt64 } from './convert.js';
import { DType, KernelError, type StridedKernel } from './call.js';
import { eachRow } from './loops.js';
import { every, floating, integral, numeric, pointwise, type Functions } from './pointwise.js';
import { erfc } from './special.js';
import { Status } from '../status.js';
import { geluTanhInner, sigmoid } from './unary.js';

const binary = (make: Functions | ((...scalars: number[]) => Functions)) => pointwise(2, make);
const ternary = (make: Functions | ((...scalars: number[]) => Functions)) => pointwise(3, make);

/** A kernel that divides: a zero among integer divisors is refused before anything is written. */
function dividing(functions: Functions): StridedKernel {
  const kernel = binary(functions);
  return (call) => {
    const { data, dtype, strides } = call.operands[1]!;
    if (dtype > DType.float64) {
      const last = call.ndim - 1;
      const n = call.ndim === 0 ? 1 : call.shape[last];
      eachRow(call, Math.min(call.ndim, 1), (offsets) => {
        for (let i = 0, j = offsets[1]; i < n; i++, j += strides[last]) {
          if (Number(data[j]) === 0) throw new KernelError(Status.division_by_zero);
        }
      });
    }
    kernel(call);
  };
}

/** floor(a / b) from the exact remainder, so that a rounded quotient cannot cross an integer. */
function divFloor(a: number, b: number): number {
  if (b === 0) return a / b;
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) quotient -= 1;
  if (quotient === 0) return Math.sign(a / b) * 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && b < 0 !== rest < 0 ? rest + b : rest;
}

function divFloorInt64(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return a / b - (rest !== 0n && b < 0n !== rest < 0n ? 1n : 0n);
}

function remainderInt64(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return rest !== 0n && b < 0n !== rest < 0n ? rest + b : rest;
}

/** C's pow, where 1 and, to an infinite power, -1 give 1. */
const pow = (a: number, b: number) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

/** Wrapping, by repeated squaring; a negative power is the truncated reciprocal. */
function powInt64(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n ? -1n : 1n) : 0n;
  let result = 1n;
  for (let square = a; b > 0n; b >>= 1n, square = BigInt.asIntN(64, square * square)) {
    if (b & 1n) result = BigInt.asIntN(64, result * square);
  }
  return result;
}

const powInt = (a: number, b: number) => Number(BigInt.asIntN(32, powInt64(BigInt(a), BigInt(b))));

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const bool = (f: (a: any, b: any) => boolean) =>
  binary(
    every(
      (a, b) => (f(a, b) ? 1 : 0),
      (a, b) => (f(a, b) ? 1 : 0),
    ),
  );

const isNegative = (b: number) => b < 0 || Object.is(b, -0);

const bounded = (a: number, limit: number) => Math.min(Math.max(a, -limit), limit);

/** The pointwise kernels of two and three inputs. */
export const binaryKernels = {
  add: binary((alpha) => {
    const factor = toInt64(alpha);
    return numeric(
      (a, b) => a + alpha * b,
      (a: bigint, b: bigint) => a + factor * b,
      (a, b) => a + Math.imul(alpha, b),
    );
  }),
  mul: binary(
    numeric(
      (a, b) => a * b,
      (a: bigint, b: bigint) => a * b,
      Math.imul,
    ),
  ),
  div: binary(floating((a, b) => a / b)),
  div_floor: dividing(numeric(divFloor, divFloorInt64)),
  div_trunc: dividing(
    numeric(
      (a, b) => Math.trunc(a / b),
      (a: bigint, b: bigint) => a / b,
    ),
  ),
  fmod: dividing(
    numeric(
      (a, b) => a % b,
      (a: bigint, b: bigint) => a % b,
    ),
  ),
  remainder: dividing(numeric(remainder, remainderInt64)),
  pow: binary(numeric(pow, powInt64, powInt)),
  maximum: binary(
    every(
      (a, b) => Math.max(a, b),
      (a: bigint, b: bigint) => (a > b ? a : b),
    ),
  ),
  minimum: binary(
    every(
      (a, b) => Math.min(a, b),
      (a: bigint, b: bigint) => (a < b ? a : b),
    ),
  ),
  atan2: binary(floating(Math.atan2)),
  hypot: binary(floating((a, b) => Math.hypot(a, b))),
  logaddexp: binary(
    // Infinities too.
    floating((a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))))),
  ),
  copysign: binary(floating((a, b) => (isNegative(b) ? -Math.abs(a) : Math.abs(a)))),
  lerp: binary((weight) =>
    floating((a, b) => (Math.abs(weight) < 0.5 ? a + weight * (b - a) : b - (1 - weight) * (b - a))),
  ),
  eq: bool((a, b) => a === b),
  ne: bool((a, b) => a !== b),
  lt: bool((a, b) => a < b),
  le: bool((a, b) => a <= b),
  gt: bool((a, b) => a > b),
  ge: bool((a, b) => a >= b),
  // `a == 0` holds for 0 and 0n alike, and not for NaN.
  logical_and: bool((a, b) => !(a == 0 || b == 0)),
  logical_or: bool((a, b) => !(a == 0 && b == 0)),
  logical_xor: bool((a, b) => (a == 0) !== (b == 0)),
  bitwise_and: binary(
    integral(
      (a, b) => a & b,
      (a: bigint, b: bigint) => a & b,
    ),
  ),
  bitwise_or: binary(
    integral(
      (a, b) => a | b,
      (a: bigint, b: bigint) => a | b,
    ),
  ),
  bitwise_xor: binary(
    integral(
      (a, b) => a ^ b,
      (a: bigint, b: bigint) => a ^ b,
    ),
  ),

  threshold_backward: binary((threshold) => floating((grad, a) => (a <= threshold ? 0 : grad))),
  sigmoid_backward: binary(floating((grad, y) => grad * (1 - y) * y)),
  tanh_backward: binary(floating((grad, y) => grad * (1 - y * y))),
  gelu_backward: binary(
    floating((grad, a) => {
      const density = Math.exp(-0.5 * a * a) / Math.sqrt(2 * Math.PI);
      return grad * (0.5 * erfc(-a * Math.SQRT1_2) + a * density);
    }),
  ),
  gelu_tanh_backward: binary(
    floating((grad, a) => {
      const t = Math.tanh(geluTanhInner(a));
      const slope = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * a * a);
      return grad * (0.5 * (1 + t) + 0.5 * a * (1 - t * t) * slope);
    }),
  ),
  silu_backward: binary(
    floating((grad, a) => {
      const s = sigmoid(a);
      return grad * s * (1 + a * (1 - s));
    }),
  ),
  mish_backward: binary(
    floating((grad, a) => {
      if (a > 40) return grad; // the same, but for infinity
      const t = Math.tanh(Math.log1p(Math.exp(a)));
      return grad * (t + a * sigmoid(a) * (1 - t * t));
    }),
  ),
  softplus_backward: binary((beta, threshold) =>
    floating((grad, a) => (a * beta > threshold ? grad : grad * sigmoid(a * beta))),
  ),
  log_sigmoid_backward: binary(floating((grad, a) => grad * sigmoid(-a))),
  elu_backward: binary((alpha, scale, inputScale) =>
    floating((grad, a) => grad * (a > 0 ? scale : alpha * scale * inputScale * Math.exp(a * inputScale))),
  ),
  leaky_relu_backward: binary((slope) => floating((grad, a) => (a > 0 ? grad : grad * slope))),
  hardsigmoid_backward: binary(floating((grad, a) => (a > -3 && a < 3 ? grad / 6 : 0))),
  hardswish_backward: binary(floating((grad, a) => (a >= 3 ? grad : a <= -3 ? 0 : grad * (a / 3 + 0.5)))),
  shrink_backward: binary((lambd) => floating((grad, a) => (a < -lambd || a > lambd ? grad : 0))),
  clamp_backward: binary((min, max) => floating((grad, a) => (a >= min && a <= max ? grad : 0))),
  hardtanh_backward: binary((min, max) => floating((grad, a) => (a > min && a < max ? grad : 0))),

  huber: binary((delta) =>
    floating((a, b) => {
      const z = Math.abs(a - b);
      return z <= delta ? 0.5 * z * z : delta * (z - 0.5 * delta);
    }),
  ),
  smooth_l1: binary((beta) =>
    floating((a, b) => {
      const z = Math.abs(a - b);
      return z < beta ? (0.5 * z * z) / beta : z - 0.5 * beta;
    }),
  ),
  huber_backward: binary((delta, factor) => floating((a, b) => factor * bounded(a - b, delta))),
  smooth_l1_backward: binary((beta, factor) => floating((a, b) => (factor * bounded(a - b, beta)) / beta)),

  where: ternary(
    every(
      (condition, a, b) => (condition ? a : b),
      (condition, a, b) => (condition ? a : b),
    ),
  ),
  addcmul: ternary((value) => {
    const factor = toInt64(value);
    return numeric(
      (a, b, c) => a + value * b * c,
      (a: bigint, b: bigint, c: bigint) => a + factor * b * c,
      (a, b, c) => a + Math.imul(Math.imul(value, b), c),
    );
  }),
  addcdiv: ternary((value) => floating((a, b, c) => a + (value * b) / c)),
};
