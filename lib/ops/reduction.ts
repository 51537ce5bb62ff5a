import { callReduction, callStrided, coalesce } from '../backend/frame.js';
import { K, type KernelId } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { DType, int64 } from '../tensor/dtype.js';
import { allocate, describe, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { to } from './convert.js';
import { numelOf, sameDims } from './shape.js';
import { expand, reshape } from './view.js';

// What reductions share: their dimensions, their shapes, the kernel call; and the sum, of which gradients are made.

/** Dimensions to reduce: one, several, or (null, undefined or an empty list) all. */
export type ReduceDims = number | readonly number[] | null | undefined;

/** Sorted dimensions counted from the front. */
export function readDims(name: string, dim: ReduceDims, ndim: number): number[] {
  if (dim === null || dim === undefined || (Array.isArray(dim) && dim.length === 0))
    return Array.from({ length: ndim }, (_, i) => i);
  if (typeof dim === 'number') return ndim === 0 ? (wrapDim(name, dim, ndim), []) : [wrapDim(name, dim, ndim)];
  if (!Array.isArray(dim))
    throw new TypeError(`${name}: dim: expected a dimension or a list of them, got ${describe(dim)}`);
  const dims = dim.map((d) => wrapDim(name, d, ndim));
  if (new Set(dims).size !== dims.length)
    throw new RangeError(`${name}: dim: a dimension appears twice in ${describe(dim)}`);
  return ndim === 0 ? [] : dims.sort((a, b) => a - b);
}

/** The shape after reducing `dims` of `sizes`. */
export function reducedShape(sizes: Dims, dims: readonly number[], keepdim: boolean): number[] {
  const shape: number[] = [];
  for (let i = 0; i < sizes.length; i++) {
    if (!dims.includes(i)) shape.push(sizes[i]);
    else if (keepdim) shape.push(1);
  }
  return shape;
}

/** How many elements go into each element of a reduction's result. */
export function reducedCount(sizes: Dims, dims: readonly number[]): number {
  let n = 1;
  for (let i = 0; i < dims.length; i++) n *= sizes[dims[i]];
  return n;
}

/**
 * Calls a reduction kernel.
 * @param dims The dimensions to reduce, sorted.
 * @param outs Contiguous; one per output of the kernel.
 * @param scalars What follows `reduced`.
 */
export function reduceInto(
  kernel: KernelId,
  input: Tensor,
  dims: readonly number[],
  outs: readonly Tensor[],
  scalars: readonly number[] = [],
): void {
  const sizes = input._dims;
  const n = sizes.length;
  const size = reducedCount(sizes, dims);
  if (input._strides === null) {
    const leading = dims.length === 0 || dims.at(-1) === dims.length - 1;
    if (leading || dims[0] === n - dims.length) {
      const rest = size > 0 ? input._numel / size : numelOf(sizes.filter((_, i) => !dims.includes(i)));
      if (leading) callReduction(kernel, input, rest, 1, size, Math.max(rest, 1), outs, scalars);
      else callReduction(kernel, input, rest, size, size, 1, outs, scalars);
      return;
    }
  } else if (n <= 2 && dims.length === 1) {
    const [d] = dims;
    const [rest, restStep] = n === 1 ? [1, 0] : [sizes[1 - d], input._strides[1 - d]];
    callReduction(kernel, input, rest, restStep, size, input._strides[d], outs, scalars);
    return;
  }
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

/** The result of a reduction kernel with one output, not recorded. */
export function reduced(
  kernel: KernelId,
  input: Tensor,
  dims: readonly number[],
  keepdim: boolean,
  dtype = input._dtype,
): Tensor {
  const out = allocate(reducedShape(input._dims, dims, keepdim), dtype);
  reduceInto(kernel, input, dims, [out]);
  return out;
}

/** A result of a reduction, or its gradient, spread over the input's shape. */
export function spread(t: Tensor, sizes: Dims, dims: readonly number[]): Tensor {
  return expand(reshape(t, reducedShape(sizes, dims, true)), sizes);
}

/** What the node of a reduction keeps. */
export interface ReduceAttrs {
  dims: readonly number[];
}

/** The backward of a reduction of the whole tensor, or of some dimensions: PyTorch has two nodes. */
export function reductionOps(name: string, backward: Op['backward']): { whole: Op; along: Op } {
  return { whole: { name: `${name}Backward0`, backward }, along: { name: `${name}Backward1`, backward } };
}

const Sum = reductionOps('Sum', (grad, node) => spread(grad, node.inDims[0], (node.attrs as ReduceAttrs).dims));

/**
 * The sum over `dims`, which are sorted and counted from the front.
 * @param op For a sum of the whole tensor, or of dimensions the caller chose.
 */
export function sumOver(
  input: Tensor,
  dims: readonly number[],
  keepdim: boolean,
  op: keyof typeof Sum = 'along',
): Tensor {
  const out = reduced(K.sum, input, dims, keepdim);
  if (recording(input)) record(Sum[op], out, [input], [], { dims } satisfies ReduceAttrs);
  return out;
}

/** A gradient summed over what broadcasting had added. PyTorch: `Tensor.sum_to_size`. @throws RangeError if `dims` does not broadcast to its shape. */
export function sum_to_size(grad: Tensor, dims: Dims): Tensor {
  if (sameDims(grad._dims, dims)) return grad;
  const shift = grad._dims.length - dims.length;
  const over: number[] = [];
  for (let i = 0; i < grad._dims.length; i++) {
    if (i < shift || (dims[i - shift] === 1 && grad._dims[i] !== 1)) over.push(i);
    else if (dims[i - shift] !== grad._dims[i]) {
      throw new RangeError(
        `sum_to_size: size [${dims.join(', ')}] is not expandable to size [${grad._dims.join(', ')}]`,
      );
    }
  }
  const total = sumOver(grad, over, true);
  return shift > 0 ? reshape(total, dims) : total;
}

/** Whether an argument is an options object rather than a number, a list, a tensor or nothing. */
export function isOptions(value: unknown): value is object & { readonly length?: undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Tensor);
}

/** The options of a call: its last argument, or where that is missing one of the others that took its place. */
export function optionsAmong<T extends object>(last: unknown, ...others: unknown[]): T | undefined {
  return (last === undefined ? others.find(isOptions) : last) as T | undefined;
}

/** `keepdim`, by position or else from the options. @throws TypeError if it is no boolean. */
export function readKeepdim(name: string, keepdim: unknown, fromOptions: boolean): boolean {
  const flag = keepdim === undefined || isOptions(keepdim) ? fromOptions : keepdim;
  if (typeof flag !== 'boolean') throw new TypeError(`${name}: keepdim: expected a boolean, got ${describe(flag)}`);
  return flag;
}

/** The dtype a sum or product is computed in: integers and booleans in int64. */
export function accumulator(name: string, input: Tensor, dtype: DType | null): Tensor {
  if (dtype !== null && !(dtype instanceof DType))
    throw new TypeError(`${name}: dtype: expected a dtype, got ${describe(dtype)}`);
  const target = dtype ?? (input._dtype.is_floating_point ? input._dtype : int64);
  return target === input._dtype ? input : to(input, target);
}
