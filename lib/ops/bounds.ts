import { pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import type { Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import type { DType } from '../tensor/dtype.js';
import { checkTensor, describe, Tensor } from '../tensor/tensor.js';
import { div } from './arithmetic.js';
import { eq, ge, gt, isnan, le, logical_and, logical_or, lt } from './comparison.js';
import { clone, to } from './convert.js';
import { binary, composite, fused, unary, withInPlace } from './elementwise.js';
import { isOptions, sum_to_size } from './reduction.js';
import { common_dtype } from './shape.js';
import { where } from './where.js';

// The greater, the lesser, and what keeps elements within bounds.

const greater = binary({
  name: 'maximum',
  reads: ['ab', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? share(g, a, b, lt(a, b)) : null,
    needs[1] ? share(g, a, b, gt(a, b)) : null,
  ],
});

const lesser = binary({
  name: 'minimum',
  reads: ['ab', 'ab'],
  gradient: (g, a, b, needs) => [
    needs[0] ? share(g, a, b, gt(a, b)) : null,
    needs[1] ? share(g, a, b, lt(a, b)) : null,
  ],
});

/** The greater of two elements; NaN if one is. PyTorch: `torch.maximum`. */
export function maximum(input: Tensor, other: Tensor | number): Tensor {
  return greater(input, other);
}

/** The lesser of two elements; NaN if one is. PyTorch: `torch.minimum`. */
export function minimum(input: Tensor, other: Tensor | number): Tensor {
  return lesser(input, other);
}

/** What an input has of a gradient: nothing where it lost, half where both are equal. */
function share(g: Tensor, a: Tensor, b: Tensor, lost: Tensor): Tensor {
  return where(lost, 0, where(eq(a, b), div(g, 2), g));
}

function checkPair(name: string, input: unknown, other: unknown): void {
  checkTensor(name, 'input', input);
  checkTensor(name, 'other', other);
}

/** The greater of two elements; the other if one is NaN. PyTorch: `torch.fmax`. */
export function fmax(input: Tensor, other: Tensor): Tensor {
  checkPair('fmax', input, other);
  return where(logical_or(ge(input, other), isnan(other)), input, other);
}

/** The lesser of two elements; the other if one is NaN. PyTorch: `torch.fmin`. */
export function fmin(input: Tensor, other: Tensor): Tensor {
  checkPair('fmin', input, other);
  return where(logical_or(le(input, other), isnan(other)), input, other);
}

/** A bound of {@link clamp}. */
type Bound = Tensor | number | null;

const clampingNumbers = unary({
  name: 'clamp',
  node: 'ClampBackward1',
  integers: 'compute',
  saves: 'input',
  gradient: (g, x, [min, max]) =>
    fused(K.clamp_backward, g, x, [min, max]) ?? where(logical_and(ge(x, min), le(x, max)), g, 0),
});

const ClampTensors: Op = {
  name: 'ClampBackward0',
  backward(g, node) {
    const x = node.unpack(0);
    const { min, max } = node.attrs as Record<'min' | 'max', number | null>;
    const low = min !== null ? node.unpack(min) : null;
    const high = max !== null ? node.unpack(max) : null;
    const inside = low === null ? le(x, high!) : high === null ? ge(x, low) : logical_and(ge(x, low), le(x, high));
    const grads: Tensor[] = [where(inside, g, 0)];
    if (low !== null) grads.push(where(high === null ? lt(x, low) : logical_and(lt(low, high), lt(x, low)), g, 0));
    if (high !== null) grads.push(where(low === null ? gt(x, high) : logical_or(gt(x, high), lt(high, low)), g, 0));
    return grads.map((t, i) => (node.needs(i) ? sum_to_size(t, node.inDims[i]) : null));
  },
};

/** Options of {@link clamp}; a bound that is null leaves its side open. */
export interface ClampOptions {
  min?: Bound;
  max?: Bound;
}

const clampOptions = defineOptions('clamp', { min: null as Bound, max: null as Bound });

/** The two bounds, however they were given. */
function readBounds(name: string, min: Bound | ClampOptions | undefined, max: Bound | undefined): [Bound, Bound] {
  const given = isOptions(min) ? clampOptions(min as ClampOptions) : { min: (min ?? null) as Bound, max: max ?? null };
  if (given.min === null && given.max === null)
    throw new TypeError(`${name}: at least one of 'min' or 'max' must not be null`);
  for (const key of ['min', 'max'] as const) {
    const bound = given[key];
    if (bound !== null && typeof bound !== 'number' && !(bound instanceof Tensor))
      throw new TypeError(`${name}: ${key}: expected a number, a Tensor or null, got ${describe(bound)}`);
  }
  return [given.min, given.max];
}

/** A bound as a number, or as what leaves its side open. */
function numberOr(bound: Bound, open: number): number | null {
  return bound === null ? open : typeof bound === 'number' ? bound : null;
}

/** The dtype of the input beside numbers that bound it. */
function besideNumbers(input: Tensor, ...bounds: Bound[]): DType {
  return common_dtype([input, ...bounds.filter((b) => b !== null)]);
}

/**
 * Every element brought within [min, max]; NaN stays. PyTorch: `torch.clamp`, with `clamp(x, min, max)` or
 * `clamp(x, { min, max })`.
 * @throws TypeError without any bound, or for a number beside a Tensor.
 */
export const clamp = withInPlace('clamp', clampOf, clampDirect);
export { clamp as clip };

function clampOf(input: Tensor, min?: Bound | ClampOptions, max?: Bound): Tensor {
  checkTensor('clamp', 'input', input);
  const [low, high] = readBounds('clamp', min, max);
  const least = numberOr(low, -Infinity);
  const most = numberOr(high, Infinity);
  if (least !== null && most !== null)
    return clampingNumbers.apply(to(input, besideNumbers(input, low, high)), [least, most]);
  if (typeof low === 'number' || typeof high === 'number')
    throw new TypeError('clamp: min, max: expected two numbers or two Tensors');
  const bounds = [low, high].filter((b) => b !== null) as Tensor[];
  const dtype = common_dtype([input, ...bounds]);
  const inputs = [input, ...bounds].map((t) => to(t, dtype));
  return composite(
    ClampTensors,
    inputs,
    () => {
      const raised = low === null ? inputs[0] : maximum(inputs[0], inputs[1]);
      return high === null ? raised : minimum(raised, inputs[inputs.length - 1]);
    },
    { min: low === null ? null : 1, max: high === null ? null : inputs.length - 1 },
  );
}

function clampDirect(out: Tensor, min?: Bound | ClampOptions, max?: Bound): boolean {
  const [low, high] = readBounds('clamp_', min, max);
  const [least, most] = [numberOr(low, -Infinity), numberOr(high, Infinity)];
  if (least === null || most === null || besideNumbers(out, low, high) !== out._dtype) return false;
  pointwise1(K.clamp, out, out, [least, most]);
  return true;
}

/** {@link clamp} from below. PyTorch: `torch.clamp_min`. */
export const clamp_min = withInPlace(
  'clamp_min',
  (input: Tensor, min: Tensor | number): Tensor => clamp(input, min),
  (out, min) => clampDirect(out, min),
);
/** {@link clamp} from above. PyTorch: `torch.clamp_max`. */
export const clamp_max = withInPlace(
  'clamp_max',
  (input: Tensor, max: Tensor | number): Tensor => clamp(input, null, max),
  (out, max) => clampDirect(out, null, max),
);

const nanOptions = defineOptions('nan_to_num', {
  nan: null as number | null,
  posinf: null as number | null,
  neginf: null as number | null,
});

/** Options of {@link nan_to_num}: what takes the place of what. */
export interface NanToNumOptions {
  /** Default 0. */
  nan?: number | null;
  /** Default: the greatest number of the dtype. */
  posinf?: number | null;
  /** Default: the least number of the dtype. */
  neginf?: number | null;
}

const GREATEST = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE } as Record<string, number>;

/** Finite numbers in place of NaN and the infinities. PyTorch: `torch.nan_to_num`. */
export const nan_to_num = withInPlace('nan_to_num', (input: Tensor, options?: NanToNumOptions): Tensor => {
  checkTensor('nan_to_num', 'input', input);
  const { nan, posinf, neginf } = nanOptions(options);
  if (!input._dtype.is_floating_point) return clone(input);
  const greatest = GREATEST[input._dtype.name];
  const real = where(isnan(input), nan ?? 0, input);
  const below = where(eq(real, Infinity), posinf ?? greatest, real);
  return where(eq(below, -Infinity), neginf ?? -greatest, below);
});
