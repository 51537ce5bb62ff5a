import { callStrided, coalesce } from '../backend/frame.js';
import type { KernelName } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { Category, int64, type DType } from '../tensor/dtype.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, stridesOf, wrapDim, type Dims, type Tensor } from '../tensor/tensor.js';
import { to } from './convert.js';
import { expand, reshape } from './view.js';
import { sameDims } from './shape.js';

// Reductions over one, several or all dimensions.

/** Dimensions to reduce: one, several, or (null, undefined or an empty list) all. */
export type ReduceDims = number | readonly number[] | null | undefined;

/** Sorted dimensions counted from the front. @internal */
export function readDims(name: string, dim: ReduceDims, ndim: number): number[] {
  if (dim === null || dim === undefined || (Array.isArray(dim) && dim.length === 0))
    return Array.from({ length: ndim }, (_, i) => i);
  const given = (typeof dim === 'number' ? [dim] : dim) as readonly number[];
  if (!Array.isArray(given))
    throw new TypeError(`${name}: dim: expected a dimension or a list of them, got ${describe(dim)}`);
  const dims = given.map((d) => wrapDim(name, d, ndim));
  if (new Set(dims).size !== dims.length)
    throw new RangeError(`${name}: dim: a dimension appears twice in ${describe(dim)}`);
  return ndim === 0 ? [] : dims.sort((a, b) => a - b);
}

/** The shape after reducing `dims` of `sizes`. @internal */
export function reducedShape(sizes: Dims, dims: readonly number[], keepdim: boolean): number[] {
  const shape: number[] = [];
  sizes.forEach((size, i) => {
    if (!dims.includes(i)) shape.push(size);
    else if (keepdim) shape.push(1);
  });
  return shape;
}

/**
 * Calls a reduction kernel.
 * @param dims The dimensions to reduce, sorted.
 * @param outs Contiguous; one per output of the kernel.
 * @param scalars What follows `reduced`.
 * @internal
 */
export function reduceInto(
  kernel: KernelName,
  input: Tensor,
  dims: readonly number[],
  outs: readonly Tensor[],
  scalars: readonly number[] = [],
): void {
  const strides = stridesOf(input);
  const kept = input._dims.map((_, i) => i).filter((i) => !dims.includes(i));
  const outStrides = new Array<number>(kept.length);
  let step = 1;
  for (let i = kept.length - 1; i >= 0; i--) {
    outStrides[i] = step;
    step *= input._dims[kept[i]];
  }
  const outer = coalesce(
    kept.map((i) => input._dims[i]),
    [kept.map((i) => strides[i]), outStrides],
    true,
  );
  const inner = coalesce(
    dims.map((i) => input._dims[i]),
    [dims.map((i) => strides[i])],
    true,
  );
  const shape = [...outer.dims, ...inner.dims];
  const zeros = inner.dims.map(() => 0);
  const outSteps = [...outer.strides[1], ...zeros];
  callStrided(
    kernel,
    shape,
    [input, ...outs],
    [[...outer.strides[0], ...inner.strides[0]], ...outs.map(() => outSteps)],
    [inner.dims.length, ...scalars],
    0,
  );
}

/** A gradient of a reduction spread over the input's shape. @internal */
export function spread(grad: Tensor, sizes: Dims, dims: readonly number[]): Tensor {
  return expand(reshape(grad, reducedShape(sizes, dims, true)), sizes);
}

/** What the node of a reduction keeps. @internal */
export interface ReduceAttrs {
  dims: readonly number[];
}

const Sum: Op = {
  name: 'SumBackward0',
  backward: (grad, node) => spread(grad, node.inDims[0], (node.attrs as ReduceAttrs).dims),
};

const sumOptions = defineOptions('sum', { dim: null as ReduceDims, keepdim: false, dtype: null as DType | null });

/** Options of {@link sum}. */
export interface SumOptions {
  dim?: ReduceDims;
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean;
  /** What the elements are converted to first. Default: int64 for integers and booleans. */
  dtype?: DType | null;
}

/** The sum over `dim`, or of all elements. PyTorch: `torch.sum`. */
export function sum(input: Tensor, dim?: ReduceDims | SumOptions, keepdim?: boolean | SumOptions): Tensor {
  checkTensor('sum', 'input', input);
  const given = optionsAmong(dim, keepdim);
  const options = sumOptions(given);
  const over = isOptions(dim) ? options.dim : (dim ?? options.dim);
  const keep = typeof keepdim === 'boolean' ? keepdim : options.keepdim;
  const dtype = options.dtype ?? (input._dtype.category === Category.float ? input._dtype : int64);
  if (dtype !== input._dtype) input = to(input, dtype);
  const dims = readDims('sum', over, input._dims.length);
  const out = allocate(reducedShape(input._dims, dims, keep), input._dtype);
  reduceInto('sum', input, dims, [out]);
  if (recording(input)) record(Sum, out, [input], [], { dims } satisfies ReduceAttrs);
  return out;
}

/** Whether an argument is an options object rather than dimensions. @internal */
export function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The options among trailing arguments, if there are any. @internal */
export function optionsAmong<T extends object>(...given: (unknown | T)[]): T | undefined {
  return given.find(isOptions) as T | undefined;
}

/** A gradient summed over what broadcasting had added. PyTorch: `Tensor.sum_to_size`. @throws RangeError if `dims` does not broadcast to its shape. */
export function sum_to_size(grad: Tensor, dims: Dims): Tensor {
  if (sameDims(grad._dims, dims)) return grad;
  const shift = grad._dims.length - dims.length;
  const reduced: number[] = [];
  for (let i = 0; i < grad._dims.length; i++) {
    if (i < shift || (dims[i - shift] === 1 && grad._dims[i] !== 1)) reduced.push(i);
    else if (dims[i - shift] !== grad._dims[i]) {
      throw new RangeError(
        `sum_to_size: size [${dims.join(', ')}] is not expandable to size [${grad._dims.join(', ')}]`,
      );
    }
  }
  const total = sum(grad, reduced, true);
  return shift > 0 ? reshape(total, dims) : total;
}
