import { K } from '../backend/kernels.js';
import { record, recordAll, recording, type Op } from '../autograd/node.js';
import { bool, int64 } from '../tensor/dtype.js';
import { defineOptions } from '../options.js';
import { checkTensor, describe, Tensor, wrapDim } from '../tensor/tensor.js';
import { div, mul } from './arithmetic.js';
import { maximum, minimum } from './bounds.js';
import { eq, isnan, logical_and, logical_or } from './comparison.js';
import { to } from './convert.js';
import { arange } from './creation.js';
import {
  isOptions,
  optionsAmong,
  readDims,
  readKeepdim,
  reduced,
  spread,
  sumOver,
  type ReduceAttrs,
  type ReduceDims,
} from './reduction.js';
import { reshape } from './view.js';
import { where } from './where.js';

// The greatest and least elements, and where they stand. NaN is both.

const reduceDefaults = { dim: null as ReduceDims, keepdim: false };
const alongDefaults = { dim: null as number | null, keepdim: false };
const optionsOf = {
  amax: defineOptions('amax', reduceDefaults),
  amin: defineOptions('amin', reduceDefaults),
  argmax: defineOptions('argmax', alongDefaults),
  argmin: defineOptions('argmin', alongDefaults),
  max: defineOptions('max', alongDefaults),
  min: defineOptions('min', alongDefaults),
};

/** Options of {@link amax} and {@link amin}. */
export interface AmaxOptions {
  dim?: ReduceDims;
  keepdim?: boolean;
}

/** Options of {@link argmax}, {@link argmin}, {@link max} and {@link min}. */
export interface ExtremumOptions {
  dim?: number | null;
  keepdim?: boolean;
}

function checkNonEmpty(name: string, input: Tensor, dims: readonly number[], over: unknown): void {
  if (over == null && input._numel === 0)
    throw new RangeError(`${name}: dim: expected a dimension to reduce, as the input has no elements`);
  for (const d of dims) {
    if (input._dims[d] === 0) throw new RangeError(`${name}: expected reduction dim ${d} to have non-zero size`);
  }
}

/** What of a gradient goes to the places of a mask, which has so many. */
type Share = (mask: Tensor, grad: Tensor, counts: Tensor) => Tensor;

/** As amax and amin have it: a gradient that is NaN, or an extremum that is, goes everywhere. */
const byProduct: Share = (mask, grad, counts) => div(mul(grad, mask), counts);
/** As max and min over everything have it. */
const byChoice: Share = (mask, grad, counts) => where(mask, div(grad, counts), 0);

/** The backward of an extremum over `dims`: equal extrema share the gradient evenly. */
function evenly(name: string, isExtreme: (x: Tensor, value: Tensor) => Tensor, select: Share): Op {
  return {
    name,
    backward(grad, node) {
      const x = node.unpack(0);
      const { dims } = node.attrs as ReduceAttrs;
      const mask = isExtreme(x, spread(node.unpack(1), x._dims, dims));
      const counts = sumOver(to(mask, x._dtype), dims, true);
      return select(mask, spread(grad, x._dims, dims), counts);
    },
  };
}

/** For max and min over everything NaN is an extremum like others; amax and amin give NaN to all. */
const equalOrNaN = (x: Tensor, value: Tensor): Tensor => logical_or(eq(x, value), logical_and(isnan(x), isnan(value)));
const ops = {
  amax: evenly('AmaxBackward0', eq, byProduct),
  amin: evenly('AminBackward0', eq, byProduct),
  max: evenly('MaxBackward1', equalOrNaN, byChoice),
  min: evenly('MinBackward1', equalOrNaN, byChoice),
};

function extremum(kernel: 'amax' | 'amin', op: Op, input: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const out = reduced(K[kernel], input, dims, keepdim);
  if (recording(input)) record(op, out, [input], [input, out], { dims } satisfies ReduceAttrs);
  return out;
}

function amaxOrAmin(
  name: 'amax' | 'amin',
  input: Tensor,
  dim: ReduceDims | AmaxOptions,
  keepdim: boolean | AmaxOptions | undefined,
): Tensor {
  checkTensor(name, 'input', input);
  const options = optionsOf[name](optionsAmong<AmaxOptions>(undefined, dim, keepdim));
  const over = isOptions(dim) ? options.dim : (dim as ReduceDims);
  const dims = readDims(name, over, input._dims.length);
  checkNonEmpty(name, input, dims, over);
  return extremum(name, ops[name], input, dims, readKeepdim(name, keepdim, options.keepdim));
}

/** The greatest element over `dim`, or of all; ties share the gradient. PyTorch: `torch.amax`. @throws RangeError if there is none. */
export function amax(input: Tensor, dim?: ReduceDims | AmaxOptions, keepdim?: boolean | AmaxOptions): Tensor {
  return amaxOrAmin('amax', input, dim, keepdim);
}

/** The least element over `dim`, or of all; ties share the gradient. PyTorch: `torch.amin`. @throws RangeError if there is none. */
export function amin(input: Tensor, dim?: ReduceDims | AmaxOptions, keepdim?: boolean | AmaxOptions): Tensor {
  return amaxOrAmin('amin', input, dim, keepdim);
}

const aminmaxOptions = defineOptions('aminmax', alongDefaults);

/** Both {@link amin} and {@link amax}. PyTorch: `torch.aminmax`. */
export function aminmax(input: Tensor, options?: ExtremumOptions): { min: Tensor; max: Tensor } {
  const given = aminmaxOptions(options);
  return { min: amin(input, given), max: amax(input, given) };
}

function position(
  name: 'argmax' | 'argmin',
  input: Tensor,
  dim: number | null | ExtremumOptions | undefined,
  keepdim: boolean | ExtremumOptions | undefined,
): Tensor {
  checkTensor(name, 'input', input);
  if (input._dtype === bool) throw new TypeError(`${name}: input: not supported for bool tensors`);
  const options = optionsOf[name](optionsAmong<ExtremumOptions>(undefined, dim, keepdim));
  const over = isOptions(dim) ? options.dim : (dim as number | null | undefined);
  const dims = readDims(name, over, input._dims.length);
  checkNonEmpty(name, input, dims, over);
  return reduced(K[name], input, dims, readKeepdim(name, keepdim, options.keepdim), int64);
}

/**
 * Where the greatest element stands along `dim`, or among all elements in row-major order; the first of equals. int64.
 * PyTorch: `torch.argmax`.
 */
export function argmax(
  input: Tensor,
  dim?: number | null | ExtremumOptions,
  keepdim?: boolean | ExtremumOptions,
): Tensor {
  return position('argmax', input, dim, keepdim);
}

/** Where the least element stands; see {@link argmax}. PyTorch: `torch.argmin`. */
export function argmin(
  input: Tensor,
  dim?: number | null | ExtremumOptions,
  keepdim?: boolean | ExtremumOptions,
): Tensor {
  return position('argmin', input, dim, keepdim);
}

/** Values and where they stood: both by name, and in this order when iterated. */
export class ValuesIndices {
  constructor(
    readonly values: Tensor,
    /** int64 */
    readonly indices: Tensor,
  ) {}

  *[Symbol.iterator](): Generator<Tensor> {
    yield this.values;
    yield this.indices;
  }
}

/** The backward of values selected along a dimension: the gradient goes to where they stood. */
function selecting(name: string): Op {
  return {
    name,
    backward(grad, node) {
      const indices = node.unpack(0);
      const { dims } = node.attrs as ReduceAttrs;
      const sizes = node.inDims[0];
      if (sizes.length === 0) return reshape(grad, []);
      const places = arange(sizes[dims[0]], { dtype: int64 });
      const along = reshape(
        places,
        sizes.map((size, i) => (i === dims[0] ? size : 1)),
      );
      return where(eq(along, spread(indices, sizes, dims)), spread(grad, sizes, dims), 0);
    },
  };
}

const selections = { max: selecting('MaxBackward0'), min: selecting('MinBackward0') };

type Along = number | Tensor | ExtremumOptions | undefined;

function maxOrMin(
  name: 'max' | 'min',
  input: Tensor,
  dim: Along,
  keepdim: boolean | ExtremumOptions | undefined,
): Tensor | ValuesIndices {
  checkTensor(name, 'input', input);
  if (dim instanceof Tensor) return (name === 'max' ? maximum : minimum)(input, dim);
  const options = optionsOf[name](optionsAmong<ExtremumOptions>(undefined, dim, keepdim));
  const along = isOptions(dim) ? options.dim : (dim as number | undefined);
  const kernel = `a${name}` as const;
  const n = input._dims.length;
  if (along == null) {
    const dims = readDims(name, null, n);
    checkNonEmpty(name, input, dims, null);
    return extremum(kernel, ops[name], input, dims, false);
  }
  if (typeof along !== 'number') throw new TypeError(`${name}: dim: expected an integer, got ${describe(along)}`);
  wrapDim(name, along, n);
  const dims = readDims(name, along, n);
  checkNonEmpty(name, input, dims, along);
  const keep = readKeepdim(name, keepdim, options.keepdim);
  const values = reduced(K[kernel], input, dims, keep);
  const indices = reduced(K[`arg${name}`], input, dims, keep, int64);
  if (recording(input)) {
    recordAll(selections[name], [values], [input], [indices], { dims } satisfies ReduceAttrs);
  }
  return new ValuesIndices(values, indices);
}

/**
 * The greatest of all elements; or, given `dim`, the greatest along it and where they stand; or, given another tensor,
 * {@link maximum}. Ties share the gradient among all elements; along `dim` the first has it. PyTorch: `torch.max`.
 */
export function max(input: Tensor): Tensor;
export function max(input: Tensor, other: Tensor): Tensor;
export function max(input: Tensor, dim: number | ExtremumOptions, keepdim?: boolean | ExtremumOptions): ValuesIndices;
export function max(input: Tensor, dim?: Along, keepdim?: boolean | ExtremumOptions): Tensor | ValuesIndices {
  return maxOrMin('max', input, dim, keepdim);
}

/** The least element or elements; see {@link max}. PyTorch: `torch.min`. */
export function min(input: Tensor): Tensor;
export function min(input: Tensor, other: Tensor): Tensor;
export function min(input: Tensor, dim: number | ExtremumOptions, keepdim?: boolean | ExtremumOptions): ValuesIndices;
export function min(input: Tensor, dim?: Along, keepdim?: boolean | ExtremumOptions): Tensor | ValuesIndices {
  return maxOrMin('min', input, dim, keepdim);
}
