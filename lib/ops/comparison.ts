import { pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { bool } from '../tensor/dtype.js';
import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { add, mul, sub } from './arithmetic.js';
import { allocateLike, binary, withInPlace } from './elementwise.js';
import { abs } from './functions.js';
import { reduced } from './reduction.js';
import { sameDims } from './shape.js';

// Comparisons and logic, element by element, and what is made of them.

/** Where `input` equals `other`, as bool. PyTorch: `torch.eq`. */
export const eq = binary({ name: 'eq', toBool: true });
/** Where they differ. PyTorch: `torch.ne`. */
export const ne = binary({ name: 'ne', toBool: true });
/** Where `input` is less than `other`. PyTorch: `torch.lt`. */
export const lt = binary({ name: 'lt', toBool: true });
/** Where `input` is at most `other`. PyTorch: `torch.le`. */
export const le = binary({ name: 'le', toBool: true });
/** Where `input` is greater than `other`. PyTorch: `torch.gt`. */
export const gt = binary({ name: 'gt', toBool: true });
/** Where `input` is at least `other`. PyTorch: `torch.ge`. */
export const ge = binary({ name: 'ge', toBool: true });
export { ne as not_equal, lt as less, le as less_equal, gt as greater, ge as greater_equal };

/** Where both are non-zero, as bool. PyTorch: `torch.logical_and`. */
export const logical_and = binary({ name: 'logical_and', toBool: true });
/** Where at least one is non-zero. PyTorch: `torch.logical_or`. */
export const logical_or = binary({ name: 'logical_or', toBool: true });
/** Where exactly one is non-zero. PyTorch: `torch.logical_xor`. */
export const logical_xor = binary({ name: 'logical_xor', toBool: true });

/** Where `input` is zero, as bool. PyTorch: `torch.logical_not`. */
export const logical_not = withInPlace('logical_not', (input: Tensor): Tensor => {
  checkTensor('logical_not', 'input', input);
  const out = allocateLike(input._dims, bool, input);
  pointwise1(K.logical_not, out, input);
  return out;
});

/** The bits set in both; of integers and booleans. PyTorch: `torch.bitwise_and`. */
export const bitwise_and = binary({ name: 'bitwise_and' });
/** The bits set in either. PyTorch: `torch.bitwise_or`. */
export const bitwise_or = binary({ name: 'bitwise_or' });
/** The bits set in exactly one. PyTorch: `torch.bitwise_xor`. */
export const bitwise_xor = binary({ name: 'bitwise_xor' });

/** Every bit inverted; of booleans, the negation. PyTorch: `torch.bitwise_not`. */
export const bitwise_not = withInPlace('bitwise_not', (input: Tensor): Tensor => {
  checkTensor('bitwise_not', 'input', input);
  const out = allocateLike(input._dims, input._dtype, input);
  pointwise1(K.bitwise_not, out, input);
  return out;
});

/** Where an element is NaN. PyTorch: `torch.isnan`. */
export function isnan(input: Tensor): Tensor {
  checkTensor('isnan', 'input', input);
  return ne(input, input);
}

/** Where an element is infinite. PyTorch: `torch.isinf`. */
export function isinf(input: Tensor): Tensor {
  checkTensor('isinf', 'input', input);
  return input._dtype.is_floating_point ? eq(abs(input.detach()), Infinity) : ne(input, input);
}

/** Where an element is neither NaN nor infinite. PyTorch: `torch.isfinite`. */
export function isfinite(input: Tensor): Tensor {
  checkTensor('isfinite', 'input', input);
  return input._dtype.is_floating_point ? lt(abs(input.detach()), Infinity) : eq(input, input);
}

/** Options of {@link isclose} and {@link allclose}. */
export interface CloseOptions {
  /** Relative to `other`. Default 1e-5. */
  rtol?: number;
  /** Default 1e-8. */
  atol?: number;
  /** Whether NaN equals NaN. Default false. */
  equal_nan?: boolean;
}

const closeDefaults = { rtol: 1e-5, atol: 1e-8, equal_nan: false };
const closeOptions = {
  isclose: defineOptions('isclose', closeDefaults),
  allclose: defineOptions('allclose', closeDefaults),
};

function close(name: 'isclose' | 'allclose', input: Tensor, other: Tensor, options?: CloseOptions): Tensor {
  checkTensor(name, 'input', input);
  checkTensor(name, 'other', other);
  const { rtol, atol, equal_nan } = closeOptions[name](options);
  if (!(rtol >= 0)) throw new RangeError(`${name}: rtol: expected a number of at least 0, got ${describe(rtol)}`);
  if (!(atol >= 0)) throw new RangeError(`${name}: atol: expected a number of at least 0, got ${describe(atol)}`);
  if (input._dtype !== other._dtype)
    throw new TypeError(`${name}: other: expected dtype ${input._dtype.name} as input has, got ${other._dtype.name}`);
  // Booleans have no difference: as integers they have.
  const a = input._dtype === bool ? input.detach().int() : input.detach();
  const b = input._dtype === bool ? other.detach().int() : other.detach();
  let result = eq(a, b);
  if (equal_nan) result = logical_or(result, logical_and(isnan(a), isnan(b)));
  const difference = abs(sub(a, b));
  const allowed = add(abs(mul(b, rtol)), atol);
  return logical_or(result, logical_and(isfinite(difference), le(difference, allowed)));
}

/** Where |input - other| ≤ atol + rtol |other|. PyTorch: `torch.isclose`. @throws TypeError unless the dtypes are equal. */
export function isclose(input: Tensor, other: Tensor, options?: CloseOptions): Tensor {
  return close('isclose', input, other, options);
}

/** Whether {@link isclose} holds everywhere. PyTorch: `torch.allclose`. */
export function allclose(input: Tensor, other: Tensor, options?: CloseOptions): boolean {
  return holdsEverywhere(close('allclose', input, other, options));
}

const LARGE = 2 ** 17;
const FIRST_COMPARED = 4096;

/** Whether two tensors have the same shape and equal elements; NaN equals nothing. PyTorch: `torch.equal`. */
export function equal(input: Tensor, other: Tensor): boolean {
  checkTensor('equal', 'input', input);
  checkTensor('equal', 'other', other);
  if (!sameDims(input._dims, other._dims)) return false;
  // Large ones that differ mostly do so early.
  if (input._numel >= LARGE && input.is_contiguous() && other.is_contiguous()) {
    const first = (t: Tensor) => t.detach().view(-1).narrow(0, 0, FIRST_COMPARED);
    if (!holdsEverywhere(eq(first(input), first(other)))) return false;
  }
  return holdsEverywhere(eq(input, other));
}

function holdsEverywhere(t: Tensor): boolean {
  if (t._numel === 0) return true;
  return reduced(
    K.amin,
    t,
    t._dims.map((_, i) => i),
    false,
  ).item() as boolean;
}
