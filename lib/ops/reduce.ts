import { pointwise2 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { unrecorded } from '../autograd/mode.js';
import { record, recording } from '../autograd/node.js';
import { bool, int64, uint8, type DType } from '../tensor/dtype.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { div, mul } from './arithmetic.js';
import { eq, isnan, ne } from './comparison.js';
import { to } from './convert.js';
import { eye, fillNumber } from './creation.js';
import {
  accumulator,
  isOptions,
  optionsAmong,
  readDims,
  readKeepdim,
  reduced,
  reducedCount,
  reducedShape,
  reduceInto,
  reductionOps,
  spread,
  sumOver,
  type ReduceAttrs,
  type ReduceDims,
} from './reduction.js';
import { reshape, unsqueeze } from './view.js';
import { where } from './where.js';

// Sums, products and counts over one, several or all dimensions. `dim` and `keepdim` may stand as in PyTorch or in the
// options.

const reduceDefaults = { dim: null as ReduceDims, keepdim: false, dtype: null as DType | null };
const optionsOf = {
  sum: defineOptions('sum', reduceDefaults),
  nansum: defineOptions('nansum', reduceDefaults),
  mean: defineOptions('mean', reduceDefaults),
  prod: defineOptions('prod', reduceDefaults),
};

/** Options of {@link sum}, {@link mean} and {@link prod}. */
export interface SumOptions {
  /** Which dimensions to reduce; null (default) for all. */
  dim?: ReduceDims;
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean;
  /** What the elements are converted to first. Default: int64 for integers and booleans in a sum or product. */
  dtype?: DType | null;
}

/** Completes `(dim, keepdim, options)`, of which options may stand in any place. */
function readArguments(
  name: keyof typeof optionsOf,
  dim: ReduceDims | SumOptions,
  keepdim: boolean | SumOptions | undefined,
  options: SumOptions | undefined,
): typeof reduceDefaults {
  const complete = optionsOf[name](optionsAmong<SumOptions>(options, dim, keepdim));
  return {
    dim: isOptions(dim) || dim === undefined ? complete.dim : (dim as ReduceDims),
    keepdim: readKeepdim(name, keepdim, complete.keepdim),
    dtype: complete.dtype,
  };
}

/** The sum over `dim`, or of all elements. PyTorch: `torch.sum`. */
export function sum(
  input: Tensor,
  dim?: ReduceDims | SumOptions,
  keepdim?: boolean | SumOptions,
  options?: SumOptions,
): Tensor {
  checkTensor('sum', 'input', input);
  const given = readArguments('sum', dim, keepdim, options);
  const t = accumulator('sum', input, given.dtype);
  return sumOver(t, readDims('sum', given.dim, t._dims.length), given.keepdim, given.dim == null ? 'whole' : 'along');
}

/** {@link sum} with NaN counted as 0. PyTorch: `torch.nansum`. */
export function nansum(
  input: Tensor,
  dim?: ReduceDims | SumOptions,
  keepdim?: boolean | SumOptions,
  options?: SumOptions,
): Tensor {
  checkTensor('nansum', 'input', input);
  const given = readArguments('nansum', dim, keepdim, options);
  const t = accumulator('nansum', input, given.dtype);
  const numbers = t._dtype.is_floating_point ? where(isnan(t), 0, t) : t;
  return sumOver(numbers, readDims('nansum', given.dim, t._dims.length), given.keepdim);
}

const Mean = reductionOps('Mean', (grad, node) => {
  const { dims } = node.attrs as ReduceAttrs;
  const sizes = node.inDims[0];
  return spread(div(grad, reducedCount(sizes, dims)), sizes, dims);
});

/** The mean over `dim`, or of all elements. PyTorch: `torch.mean`. @throws TypeError for integers and booleans. */
export function mean(
  input: Tensor,
  dim?: ReduceDims | SumOptions,
  keepdim?: boolean | SumOptions,
  options?: SumOptions,
): Tensor {
  checkTensor('mean', 'input', input);
  const given = readArguments('mean', dim, keepdim, options);
  const t = given.dtype === null ? input : accumulator('mean', input, given.dtype);
  if (!t._dtype.is_floating_point) {
    throw new TypeError(
      `mean: input: expected a floating-point dtype, got ${t._dtype.name}; pass { dtype: torch.float32 } to convert`,
    );
  }
  const dims = readDims('mean', given.dim, t._dims.length);
  const out = reduced(K.sum, t, dims, given.keepdim);
  pointwise2(K.div, out, out, reducedCount(t._dims, dims));
  if (recording(t)) record(given.dim == null ? Mean.whole : Mean.along, out, [t], [], { dims } satisfies ReduceAttrs);
  return out;
}

const Prod = reductionOps('Prod', (grad, node) => {
  const { dims } = node.attrs as ReduceAttrs;
  const x = node.unpack(0);
  return mul(spread(grad, x._dims, dims), productsOfOthers(x, dims, node.unpack(1)));
});

/** For each element the product of all others along `dims`: one dimension, or all. */
function productsOfOthers(x: Tensor, dims: readonly number[], product: Tensor): Tensor {
  if (!hasZero(x)) return div(spread(product, x._dims, dims), x);
  // With a zero there is nothing to divide by: each element in its turn is replaced by 1.
  const along = dims.length === 1 ? dims[0] : 0;
  const t = dims.length === 1 ? x : reshape(x, [-1]);
  const last = t._dims.length - 1;
  const rows = unsqueeze(t.transpose(along, last), -2);
  const others = prod(where(eye(t._dims[along], { dtype: bool }), 1, rows), -1);
  return reshape(others.transpose(along, last), x._dims);
}

/** Whether any element is zero. @internal */
function hasZero(x: Tensor): boolean {
  return any(eq(x.detach(), 0)).item() as boolean;
}

/** The product over dimension `dim`, or of all elements. PyTorch: `torch.prod`. */
export function prod(
  input: Tensor,
  dim?: number | null | SumOptions,
  keepdim?: boolean | SumOptions,
  options?: SumOptions,
): Tensor {
  checkTensor('prod', 'input', input);
  const given = readArguments('prod', dim, keepdim, options);
  const t = accumulator('prod', input, given.dtype);
  const dims = readDims('prod', given.dim, t._dims.length);
  if (given.dim !== null && typeof given.dim !== 'number')
    throw new TypeError(`prod: dim: expected one dimension, got ${describe(given.dim)}`);
  const out = reduced(K.prod, t, dims, given.keepdim);
  if (recording(t))
    record(given.dim === null ? Prod.whole : Prod.along, out, [t], [t, out], { dims } satisfies ReduceAttrs);
  return out;
}

const truthOptions = {
  all: defineOptions('all', { dim: null as ReduceDims, keepdim: false }),
  any: defineOptions('any', { dim: null as ReduceDims, keepdim: false }),
};

/** Options of {@link all} and {@link any}. */
export interface AllOptions {
  dim?: ReduceDims;
  keepdim?: boolean;
}

function truth(
  name: 'all' | 'any',
  input: Tensor,
  dim: ReduceDims | AllOptions,
  keepdim: boolean | AllOptions | undefined,
): Tensor {
  checkTensor(name, 'input', input);
  const options = truthOptions[name](optionsAmong<AllOptions>(undefined, dim, keepdim));
  const dims = readDims(name, isOptions(dim) ? options.dim : (dim as ReduceDims), input._dims.length);
  const keep = readKeepdim(name, keepdim, options.keepdim);
  const truths = input._dtype === bool ? input : ne(input, 0);
  const out = allocate(reducedShape(input._dims, dims, keep), bool);
  if (reducedCount(input._dims, dims) === 0) fillNumber(out, name === 'all' ? 1 : 0);
  else reduceInto(name === 'all' ? K.amin : K.amax, truths, dims, [out]);
  return input._dtype === uint8 ? to(out, uint8) : out;
}

/** Whether all elements over `dim` are non-zero, as bool (uint8 for uint8). PyTorch: `torch.all`. */
export function all(input: Tensor, dim?: ReduceDims | AllOptions, keepdim?: boolean | AllOptions): Tensor {
  return truth('all', input, dim, keepdim);
}

/** Whether any element over `dim` is non-zero, as bool (uint8 for uint8). PyTorch: `torch.any`. */
export function any(input: Tensor, dim?: ReduceDims | AllOptions, keepdim?: boolean | AllOptions): Tensor {
  return truth('any', input, dim, keepdim);
}

const countOptions = defineOptions('count_nonzero', { dim: null as ReduceDims });

/** How many elements over `dim` are not zero, as int64. PyTorch: `torch.count_nonzero`. */
export function count_nonzero(input: Tensor, dim?: ReduceDims | { dim?: ReduceDims }): Tensor {
  checkTensor('count_nonzero', 'input', input);
  const over = isOptions(dim) ? countOptions(dim as { dim?: ReduceDims }).dim : (dim as ReduceDims);
  const dims = readDims('count_nonzero', over, input._dims.length);
  return unrecorded(() => sumOver(to(ne(input, 0), int64), dims, false));
}
