import type { Op } from '../autograd/node.js';
import { AsStrided, geometryOf, viewOf } from '../autograd/view.js';
import { defineOptions, optionOrValue } from '../options.js';
import { checkTensor, describe, normalizedStrides, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { arange, zeros } from './creation.js';
import { index_add } from './indexing.js';
import { readSizes } from './shape.js';
import { flatten, movedim, reshape, unsqueeze } from './view.js';

// Parts of a tensor over the same memory: slices, single indices, diagonals, windows, and any strides.

const Slice: Op = {
  name: 'SliceBackward0',
  backward(g, node) {
    const { dim, start, step } = node.attrs as { dim: number; start: number; step: number };
    const base = zeros(node.inDims[0], { dtype: g.dtype });
    return slice_scatter(base, g, dim, start, step);
  },
};
const Select: Op = {
  name: 'SelectBackward0',
  backward(g, node) {
    const { dim, index } = node.attrs as { dim: number; index: number };
    return slice_scatter(zeros(node.inDims[0], { dtype: g.dtype }), unsqueeze(g, dim), dim, index, 1);
  },
};

/** A copy of `base`, zeros made for this, with `source` in a slice of it. As an op, so that gradients of gradients pass. */
function slice_scatter(base: Tensor, source: Tensor, dim: number, start: number, step: number): Tensor {
  sliceOf(base, dim, start, source._dims[dim], step).copy_(source);
  return base;
}

function sliceOf(input: Tensor, dim: number, start: number, length: number, step: number): Tensor {
  const strides = stridesOf(input).slice();
  const offset = input._offset + start * strides[dim];
  strides[dim] *= step;
  const dims = input._dims.slice();
  dims[dim] = length;
  return viewOf(input, dims, normalizedStrides(dims, strides), length === 0 ? input._offset : offset, Slice, {
    dim,
    start,
    step,
  });
}

/** `length` indices of dimension `dim` from `start` on, as a view. PyTorch: `torch.narrow`. */
export function narrow(input: Tensor, dim: number, start: number, length: number): Tensor {
  checkTensor('narrow', 'input', input);
  const at = wrapDim('narrow', dim, input._dims.length);
  const size = input._dims[at];
  if (input._dims.length === 0) throw new RangeError('narrow: cannot be applied to a 0-dim tensor');
  if (!Number.isInteger(start) || start < -size || start > size) {
    throw new RangeError(`narrow: start: expected to be in range of [${-size}, ${size}], got ${describe(start)}`);
  }
  const first = start < 0 ? start + size : start;
  if (!Number.isInteger(length) || length < 0 || first + length > size) {
    throw new RangeError(
      `narrow: length: start (${first}) + length (${describe(length)}) exceeds dimension size (${size})`,
    );
  }
  return sliceOf(input, at, first, length, 1);
}

/**
 * Python's slice of dimension `dim`, as a view: indices count from the end where negative and stop at the ends.
 * @throws RangeError for a step that is not positive.
 * @internal
 */
export function slice(input: Tensor, dim: number, start: number | null, end: number | null, step: number): Tensor {
  const at = wrapDim('slice', dim, input._dims.length);
  if (!Number.isInteger(step) || step <= 0)
    throw new RangeError(`slice: step: expected a positive integer, got ${describe(step)}`);
  const size = input._dims[at];
  const clip = (i: number | null, otherwise: number): number => {
    if (i === null) return otherwise;
    if (!Number.isInteger(i)) throw new TypeError(`slice: expected integers, got ${describe(i)}`);
    return Math.min(Math.max(i < 0 ? i + size : i, 0), size);
  };
  const first = clip(start, 0);
  const length = Math.max(0, Math.ceil((clip(end, size) - first) / step));
  return sliceOf(input, at, first, length, step);
}

/** Index `index` of dimension `dim`, which goes away, as a view. PyTorch: `torch.select`. */
export function select(input: Tensor, dim: number, index: number): Tensor {
  checkTensor('select', 'input', input);
  if (input._dims.length === 0) throw new RangeError('select: cannot be applied to a 0-dim tensor');
  const at = wrapDim('select', dim, input._dims.length);
  const size = input._dims[at];
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new RangeError(`select: index ${describe(index)} is out of bounds for dimension ${at} with size ${size}`);
  }
  const i = index < 0 ? index + size : index;
  const strides = stridesOf(input).slice();
  const offset = input._offset + i * strides[at];
  strides.splice(at, 1);
  const dims = input._dims.slice();
  dims.splice(at, 1);
  return viewOf(input, dims, normalizedStrides(dims, strides), offset, Select, { dim: at, index: i });
}

const asStridedOptions = defineOptions('as_strided', { storage_offset: null as number | null });

/**
 * Any sizes and strides over the tensor's memory. PyTorch: `torch.as_strided`.
 * @throws RangeError if they reach outside the storage.
 */
export function as_strided(
  input: Tensor,
  size: Dims,
  stride: Dims,
  given?: number | null | { storage_offset?: number | null },
): Tensor {
  checkTensor('as_strided', 'input', input);
  const storage_offset = optionOrValue(asStridedOptions, 'storage_offset', given);
  const dims = readSizes('as_strided', [size]);
  const strides = readSizes('as_strided', [stride]);
  if (storage_offset !== null && !Number.isSafeInteger(storage_offset))
    throw new TypeError(`as_strided: storage_offset: expected an integer, got ${describe(storage_offset)}`);
  const itemsize = input._dtype.itemsize;
  const first = input._storage.byteOffset / itemsize;
  const offset = storage_offset === null ? input._offset : first + storage_offset;
  const last = dims.reduce((at, d, i) => at + (d - 1) * strides[i], offset);
  const empty = dims.includes(0);
  if (dims.length !== strides.length)
    throw new RangeError(`as_strided: expected as many strides as sizes, got ${strides.length} and ${dims.length}`);
  if (
    !Number.isSafeInteger(offset) ||
    offset < first ||
    (!empty && (last - first + 1) * itemsize > input._storage.nbytes)
  ) {
    throw new RangeError(
      `as_strided: sizes [${dims.join(', ')}], strides [${strides.join(', ')}] and storage offset ${offset - first} reach outside ` +
        `a storage of ${input._storage.nbytes / itemsize} elements`,
    );
  }
  const attrs = { view: { dims, strides, offset }, base: geometryOf(input) };
  return viewOf(input, dims, normalizedStrides(dims, strides), offset, AsStrided, attrs);
}

interface DiagonalOptions {
  /** Above the main diagonal if positive. Default 0. */
  offset?: number;
  /** Default 0. */
  dim1?: number;
  /** Default 1. */
  dim2?: number;
}

const Diagonal: Op = {
  name: 'DiagonalBackward0',
  backward(g, node) {
    const base = zeros(node.inDims[0], { dtype: g._dtype });
    diagonal(base, node.attrs as DiagonalOptions).copy_(g);
    return base;
  },
};

const diagonalOptions = defineOptions('diagonal', { offset: 0, dim1: 0, dim2: 1 });

/** The diagonals of the matrices in dimensions `dim1` and `dim2`, as a last dimension of a view. PyTorch: `torch.diagonal`. */
export function diagonal(input: Tensor, given?: number | DiagonalOptions): Tensor {
  checkTensor('diagonal', 'input', input);
  const options = diagonalOptions(typeof given === 'object' || given === undefined ? given : { offset: given });
  const n = input._dims.length;
  const [a, b] = [wrapDim('diagonal', options.dim1, n), wrapDim('diagonal', options.dim2, n)];
  const { offset } = options;
  if (!Number.isInteger(offset)) throw new TypeError(`diagonal: offset: expected an integer, got ${describe(offset)}`);
  if (n < 2 || a === b) {
    throw new RangeError(`diagonal: expected two distinct dimensions, got ${a} and ${b} of ${describe(input)}`);
  }
  const strides = stridesOf(input);
  const length = Math.max(0, Math.min(input._dims[a] + Math.min(offset, 0), input._dims[b] - Math.max(offset, 0)));
  const skipped = offset >= 0 ? offset * strides[b] : -offset * strides[a];
  const kept = input._dims.map((_, i) => i).filter((i) => i !== a && i !== b);
  const dims = [...kept.map((i) => input._dims[i]), length];
  const steps = [...kept.map((i) => strides[i]), strides[a] + strides[b]];
  const start = input._offset + (length === 0 ? 0 : skipped);
  return viewOf(input, dims, normalizedStrides(dims, steps), start, Diagonal, options);
}

const Unfold: Op = {
  name: 'UnfoldBackward0',
  backward(g, node) {
    const { dim, size, step } = node.attrs as { dim: number; size: number; step: number };
    const dims = node.inDims[0].length === 0 ? [1] : node.inDims[0];
    const places = unfold(arange(dims[dim]), 0, size, step).reshape(-1);
    const own = node.inDims[0].length === 0 ? unsqueeze(g, 0) : g;
    const windows = flatten(movedim(own, -1, dim + 1), dim, dim + 1);
    return reshape(index_add.inPlace(zeros(dims, { dtype: g._dtype }), dim, places, windows), node.inDims[0]);
  },
};

/** Every window of `size` indices of dimension `dimension`, `step` apart, as a last dimension of a view. PyTorch: `Tensor.unfold`. */
export function unfold(input: Tensor, dimension: number, size: number, step: number): Tensor {
  checkTensor('unfold', 'input', input);
  const dim = wrapDim('unfold', dimension, input._dims.length);
  const whole = input._dims.length === 0 ? 1 : input._dims[dim];
  if (!Number.isInteger(size) || size < 0 || size > whole)
    throw new RangeError(`unfold: size: expected at most the dimension's size ${whole}, got ${describe(size)}`);
  if (!Number.isInteger(step) || step <= 0)
    throw new RangeError(`unfold: step: expected a positive integer, got ${describe(step)}`);
  const dims = input._dims.slice();
  const strides = stridesOf(input).slice();
  const along = strides[dim] ?? 1;
  if (dims.length > 0) {
    dims[dim] = Math.floor((whole - size) / step) + 1;
    strides[dim] = along * step;
  }
  dims.push(size);
  strides.push(along);
  return viewOf(input, dims, normalizedStrides(dims, strides), input._offset, Unfold, { dim, size, step });
}
