import { pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recordingAny, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { bool } from '../tensor/dtype.js';
import { checkTensor, describe, Tensor, type Scalar } from '../tensor/tensor.js';
import { eq, ge, isnan, le, logical_and, lt } from './comparison.js';
import { tensor, zeros_like } from './creation.js';
import { allocateLike, apart, binary, composite, nodeName, promote, withInPlace } from './elementwise.js';
import { abs, exp, log, neg } from './functions.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, result_type, sameDims } from './shape.js';
import { where } from './where.js';

// Arithmetic, element by element. All of it broadcasts, promotes dtypes, takes numbers in place of tensors, and has an
// in-place form with a trailing underscore.

const alphaOptions = {
  add: defineOptions('add', { alpha: 1 }),
  sub: defineOptions('sub', { alpha: 1 }),
  rsub: defineOptions('rsub', { alpha: 1 }),
};

const adding = binary({
  name: 'add',
  boolKernel: 'logical_or',
  gradient: (g, _a, _b, needs, alpha) => [needs[0] ? g : null, needs[1] ? scaled(g, alpha as number) : null],
});

const subtracting = binary({
  name: 'sub',
  kernel: 'add',
  gradient: (g, _a, _b, needs, alpha) => [needs[0] ? g : null, needs[1] ? scaled(g, -(alpha as number)) : null],
});

function scaled(g: Tensor, factor: number): Tensor {
  return factor === 1 ? g : factor === -1 ? neg(g) : mul(g, factor);
}

const ONE: readonly number[] = [1];
const MINUS_ONE: readonly number[] = [-1];

/** Options of {@link add} and {@link sub}. */
export interface AlphaOptions {
  /** What `other` is multiplied by. Default 1. */
  alpha?: number;
}

/** The factor of `other`. */
function readAlpha(
  name: keyof typeof alphaOptions,
  options: AlphaOptions | undefined,
  input: Tensor | Scalar,
  other: Tensor | Scalar,
): number {
  const { alpha } = alphaOptions[name](options);
  if (typeof alpha !== 'number') throw new TypeError(`${name}: alpha: expected a number, got ${describe(alpha)}`);
  if (!Number.isInteger(alpha) && !result_type(input, other).is_floating_point)
    throw new TypeError(`${name}: alpha: expected a whole number for integer tensors, got ${alpha}`);
  return alpha;
}

/** `input + alpha * other`. PyTorch: `torch.add`. */
export const add = Object.assign(
  (input: Tensor | Scalar, other: Tensor | Scalar, options?: AlphaOptions): Tensor => {
    if (options === undefined) return adding.apply(input, other, ONE, 1);
    const alpha = readAlpha('add', options, input, other);
    return adding.apply(input, other, [alpha], alpha);
  },
  {
    inPlace: (input: Tensor, other: Tensor | Scalar, options?: AlphaOptions): Tensor => {
      if (options === undefined) return adding.applyInPlace(input, other, ONE, 1);
      const alpha = readAlpha('add', options, input, other);
      return adding.applyInPlace(input, other, [alpha], alpha);
    },
  },
);

/** Booleans have no difference: PyTorch refuses them even beside numbers. */
function checkNoBool(name: string, input: Tensor | Scalar, other: Tensor | Scalar): void {
  if (!isBool(input) && !isBool(other)) return;
  throw new TypeError(`${name}: not supported for bool tensors; use logical_xor or logical_not`);
}

function isBool(operand: Tensor | Scalar): boolean {
  return operand instanceof Tensor ? operand._dtype === bool : typeof operand === 'boolean';
}

/** `input - alpha * other`. PyTorch: `torch.sub`. @throws TypeError for booleans. */
export const sub = Object.assign(
  (input: Tensor | Scalar, other: Tensor | Scalar, options?: AlphaOptions): Tensor => {
    checkNoBool('sub', input, other);
    if (options === undefined) return subtracting.apply(input, other, MINUS_ONE, 1);
    const alpha = readAlpha('sub', options, input, other);
    return subtracting.apply(input, other, [-alpha], alpha);
  },
  {
    inPlace: (input: Tensor, other: Tensor | Scalar, options?: AlphaOptions): Tensor => {
      checkNoBool('sub_', input, other);
      if (options === undefined) return subtracting.applyInPlace(input, other, MINUS_ONE, 1);
      const alpha = readAlpha('sub', options, input, other);
      return subtracting.applyInPlace(input, other, [-alpha], alpha);
    },
  },
);
export { sub as subtract };

/** `other - alpha * input`. PyTorch: `torch.rsub`. */
export function rsub(input: Tensor, other: Tensor | Scalar, options?: AlphaOptions): Tensor {
  checkNoBool('rsub', input, other);
  const alpha = readAlpha('rsub', options, input, other);
  return subtracting.apply(other, input, [-alpha], alpha);
}

/** The product. PyTorch: `torch.mul`. */
export const mul = binary({
  name: 'mul',
  boolKernel: 'logical_and',
  reads: ['b', 'a'],
  gradient: (g, a, b, needs) => [needs[0] ? mul(g, b) : null, needs[1] ? mul(g, a) : null],
});
export { mul as multiply };

const trueDividing = binary({
  name: 'div',
  float: true,
  reads: ['b', 'ab'],
  gradient: (g, a, b, needs) => [needs[0] ? div(g, b) : null, needs[1] ? div(mul(neg(g), div(a, b)), b) : null],
});
const noGradient = (g: Tensor, _a: Tensor, _b: Tensor, needs: readonly [boolean, boolean]) =>
  [needs[0] ? zeros_like(g) : null, needs[1] ? zeros_like(g) : null] as const;
const floorDividing = binary({ name: 'div', node: 'DivBackward2', kernel: 'div_floor', gradient: noGradient });
const truncDividing = binary({ name: 'div', node: 'DivBackward2', kernel: 'div_trunc', gradient: noGradient });

/** Options of {@link div}. */
export interface DivOptions {
  /** Null (default) for true division, or which way the quotient is rounded. */
  rounding_mode?: 'trunc' | 'floor' | null;
}

const divOptions = defineOptions('div', { rounding_mode: null as DivOptions['rounding_mode'] });

function dividing(options?: DivOptions): typeof trueDividing {
  if (options === undefined) return trueDividing;
  const { rounding_mode } = divOptions(options);
  if (rounding_mode === null) return trueDividing;
  if (rounding_mode === 'floor') return floorDividing;
  if (rounding_mode === 'trunc') return truncDividing;
  throw new RangeError(`div: rounding_mode: expected null, 'trunc' or 'floor', got ${describe(rounding_mode)}`);
}

/** The quotient. PyTorch: `torch.div`. @throws RangeError where integers are divided by zero. */
export const div = Object.assign(
  (input: Tensor | Scalar, other: Tensor | Scalar, options?: DivOptions): Tensor => dividing(options)(input, other),
  {
    inPlace: (input: Tensor, other: Tensor | Scalar, options?: DivOptions): Tensor =>
      dividing(options).inPlace(input, other),
  },
);
export { div as divide, trueDividing as true_divide, floorDividing as floor_divide };

/** The remainder of {@link div} rounded towards zero: it has the sign of `input`. PyTorch: `torch.fmod`. */
export const fmod = binary({
  name: 'fmod',
  reads: ['', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? g : null,
    needs[1] ? neg(mul(g, div(a, b, { rounding_mode: 'trunc' }))) : null,
  ],
});

/** The remainder of {@link floor_divide}: it has the sign of `other`. PyTorch: `torch.remainder`. */
export const remainder = binary({
  name: 'remainder',
  reads: ['', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? g : null,
    needs[1] ? neg(mul(g, div(a, b, { rounding_mode: 'floor' }))) : null,
  ],
});

const raising = binary({
  name: 'pow',
  // PyTorch's too: the root of -infinity is NaN, not infinity.
  ofNumber: new Map([
    [0.5, 'sqrt'],
    [-0.5, 'rsqrt'],
    [-1, 'reciprocal'],
  ]),
  reads: ['ab', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? mul(g, powerRule(a, b)) : null,
    needs[1] ? mul(g, where(logical_and(eq(base(a, b), 0), ge(b, 0)), 0, mul(pow(a, b), log(base(a, b))))) : null,
  ],
});

/** The derivative of a^b by a; 0 where b is 0, also at a = 0. */
function powerRule(a: Tensor, b: Tensor | number): Tensor {
  if (b === 2) return mul(a, 2);
  if (typeof b === 'number') return b === 0 ? zeros_like(a) : mul(pow(a, b - 1), b);
  return where(eq(b, 0), 0, mul(pow(a, sub(b, 1)), b));
}

/** The base of a power as a tensor. */
function base(a: Tensor | number, like: Tensor): Tensor {
  return typeof a === 'number' ? add(zeros_like(like.detach()), a) : a;
}

function checkExponent(name: string, input: Tensor | Scalar, exponent: Tensor | Scalar): void {
  if (typeof exponent === 'number' && exponent < 0 && Number.isInteger(exponent)) {
    if (input instanceof Tensor && !input._dtype.is_floating_point)
      throw new RangeError(`${name}: exponent: integers to negative integer powers are not allowed, got ${exponent}`);
  }
}

/**
 * `input` to the power of `exponent`. PyTorch: `torch.pow`.
 * @throws RangeError for integers to a negative power.
 */
export const pow = Object.assign(
  (input: Tensor | Scalar, exponent: Tensor | Scalar): Tensor => {
    checkExponent('pow', input, exponent);
    return raising(input, exponent);
  },
  {
    inPlace: (input: Tensor, exponent: Tensor | Scalar): Tensor => {
      checkExponent('pow_', input, exponent);
      return raising.inPlace(input, exponent);
    },
  },
);

/** The angle of the point (other, input). PyTorch: `torch.atan2`. */
export const atan2 = binary({
  name: 'atan2',
  float: true,
  reads: ['ab', 'ab'],
  gradient(g, a, b, needs) {
    const scale = div(g, add(mul(a, a), mul(b, b)));
    return [needs[0] ? mul(scale, b) : null, needs[1] ? neg(mul(scale, a)) : null];
  },
});
export { atan2 as arctan2 };

/** The square root of `input`² + `other`², without overflow. PyTorch: `torch.hypot`. */
export const hypot = binary({
  name: 'hypot',
  reads: ['ab', 'ab'],
  gradient(g, a, b, needs) {
    const scale = div(g, hypot(a, b));
    return [needs[0] ? mul(scale, a) : null, needs[1] ? mul(scale, b) : null];
  },
});

/** The magnitude of `input` with the sign of `other`. PyTorch: `torch.copysign`. */
export const copysign = binary({
  name: 'copysign',
  float: true,
  reads: ['ab', ''],
  gradient: (g, a, b, needs) => [
    needs[0] ? mul(g, where(eq(a, 0), 0, div(copysign(a, b), a))) : null,
    needs[1] ? zeros_like(g) : null,
  ],
});

/** A gradient of two broadcast inputs, brought to their shapes. */
type PairGradient = (grad: Tensor, a: Tensor, b: Tensor, first: boolean) => Tensor;

/** A function of two tensors that is made of others but has a gradient of its own. */
function compositeBinary(
  name: string,
  forward: (a: Tensor, b: Tensor) => Tensor,
  gradient: PairGradient,
): (input: Tensor | Scalar, other: Tensor | Scalar) => Tensor {
  const op: Op = {
    name: nodeName(name),
    backward(g, node) {
      const a = node.unpack(0);
      const b = node.unpack(1);
      return [true, false].map((first, i) =>
        node.needs(i) ? sum_to_size(gradient(g, a, b, first), node.inDims[i]) : null,
      );
    },
  };
  return (input, other) => {
    const { values, dtype } = promote(name, { input, other }, true);
    const beside = values.find((t) => t instanceof Tensor);
    if (beside === undefined)
      throw new TypeError(`${name}: input: expected a Tensor beside a number, got ${describe(input)}`);
    const [a, b] = values.map((t) => (t instanceof Tensor ? t : tensor(t, { dtype })));
    return composite(op, [a, b], () => forward(a, b));
  };
}

/** `input * log(other)`; 0 where `input` is 0, unless `other` is NaN. PyTorch: `torch.xlogy`. */
export const xlogy = withInPlace(
  'xlogy',
  compositeBinary(
    'xlogy',
    (a, b) => where(isnan(b), NaN, where(eq(a, 0), 0, mul(a, log(b)))),
    (g, a, b, first) => (first ? mul(g, where(logical_and(eq(a, 0), le(b, 0)), 0, log(b))) : div(mul(g, a), b)),
  ) as (input: Tensor, other: Tensor | Scalar) => Tensor,
);

const addingExponents = binary({
  name: 'logaddexp',
  float: true,
  reads: ['ab', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? div(g, add(exp(sub(b, a)), 1)) : null,
    needs[1] ? div(g, add(exp(sub(a, b)), 1)) : null,
  ],
});

/** log(exp(input) + exp(other)), without overflow. PyTorch: `torch.logaddexp`. */
export function logaddexp(input: Tensor | Scalar, other: Tensor | Scalar): Tensor {
  return addingExponents(input, other);
}

const lerpNumber = binary({
  name: 'lerp',
  gradient: (g, _a, _b, needs, weight) => [
    needs[0] ? mul(g, 1 - (weight as number)) : null,
    needs[1] ? mul(g, weight as number) : null,
  ],
});

function lerpTensors(input: Tensor, end: Tensor, weight: Tensor): Tensor {
  // From the nearer end, so that weights of 0 and 1 give the ends themselves.
  const span = sub(end, input);
  const [fromStart, fromEnd] = [add(input, mul(span, weight)), sub(end, mul(span, sub(1, weight)))];
  return where(lt(abs(weight.detach()), 0.5), fromStart, fromEnd);
}

function checkLerp(name: string, input: Tensor, end: Tensor, weight: Tensor | number): void {
  checkTensor(name, 'input', input);
  for (const [argument, value] of [
    ['end', end],
    ['weight', weight],
  ] as const) {
    if (argument === 'weight' && typeof value === 'number') continue;
    checkTensor(name, argument, value);
    if (value._dtype !== input._dtype) {
      throw new TypeError(`${name}: ${argument}: expected dtype ${input._dtype.name}, got ${value._dtype.name}`);
    }
  }
  if (!input._dtype.is_floating_point)
    throw new TypeError(`${name}: input: expected a floating-point dtype, got ${input._dtype.name}`);
}

/** `start + weight * (end - start)`. PyTorch: `torch.lerp`. @throws TypeError unless the dtypes are equal. */
export const lerp = withInPlace(
  'lerp',
  (input: Tensor, end: Tensor, weight: Tensor | number): Tensor => {
    checkLerp('lerp', input, end, weight);
    return typeof weight === 'number'
      ? lerpNumber.apply(input, end, [weight], weight)
      : lerpTensors(input, end, weight);
  },
  (out, end, weight) => {
    checkLerp('lerp_', out, end, weight);
    if (typeof weight !== 'number' || !sameDims(broadcastDims('lerp_', out._dims, end._dims), out._dims)) return false;
    pointwiseStrided(K.lerp, out, [out, apart(out, end)], [weight]);
    return true;
  },
);

const valueOptions = {
  addcmul: defineOptions('addcmul', { value: 1 }),
  addcdiv: defineOptions('addcdiv', { value: 1 }),
};

/** `input` plus a multiple of the product, or of the quotient, of two tensors. */
function addcombined(name: 'addcmul' | 'addcdiv', gradients: (g: Tensor, b: Tensor, c: Tensor) => [Tensor, Tensor]) {
  const op: Op = {
    name: nodeName(name),
    backward(g, node) {
      const pair =
        node.needs(1) || node.needs(2) ? gradients(mul(g, node.attrs as number), node.unpack(0), node.unpack(1)) : null;
      return [g, pair?.[0] ?? null, pair?.[1] ?? null].map((t, i) =>
        t !== null && node.needs(i) ? sum_to_size(t, node.inDims[i]) : null,
      );
    },
  };
  /** The operands in the dtype they are promoted to, and the shape they broadcast to. */
  const read = (label: string, input: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { value?: number }) => {
    checkTensor(label, 'input', input);
    checkTensor(label, 'tensor1', tensor1);
    checkTensor(label, 'tensor2', tensor2);
    const { value } = valueOptions[name](options);
    const { values, dtype } = promote(label, { input, tensor1, tensor2 }, false);
    const [a, b, c] = values as Tensor[];
    const dims = broadcastDims(label, broadcastDims(label, a._dims, b._dims), c._dims);
    return { a, b, c, value, dtype, dims };
  };
  return withInPlace(
    name,
    (input: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { value?: number }): Tensor => {
      const { a, b, c, value, dtype, dims } = read(name, input, tensor1, tensor2, options);
      const out = allocateLike(dims, dtype, sameDims(a._dims, dims) ? a : b);
      pointwiseStrided(K[name], out, [a, b, c], [value]);
      if (recordingAny([a, b, c])) record(op, out, [a, b, c], [b, c], value);
      return out;
    },
    (out, tensor1, tensor2, options?: { value?: number }) => {
      const { b, c, value, dtype, dims } = read(`${name}_`, out, tensor1, tensor2, options);
      if (dtype !== out._dtype || !sameDims(dims, out._dims)) return false;
      pointwiseStrided(K[name], out, [out, apart(out, b), apart(out, c)], [value]);
      return true;
    },
  );
}

/** `input + value * tensor1 * tensor2`. PyTorch: `torch.addcmul`. */
export const addcmul = addcombined('addcmul', (g, b, c) => [mul(g, c), mul(g, b)]);
/** `input + value * tensor1 / tensor2`. PyTorch: `torch.addcdiv`. */
export const addcdiv = addcombined('addcdiv', (g, b, c) => [div(g, c), div(mul(neg(g), div(b, c)), c)]);
