import { record, recording, type Op } from '../autograd/node.js';
import { viewOf } from '../autograd/view.js';
import {
  checkTensor,
  contiguousStrides,
  describe,
  normalizedStrides,
  stridesOf,
  Tensor,
  wrapDim,
  type Dims,
} from '../tensor/tensor.js';
import { defineOptions } from '../options.js';
import { clone } from './convert.js';
import { sum_to_size } from './reduction.js';
import { numelOf, readSizes } from './shape.js';

// Other shapes over the same memory. A view's node knows how to bring a gradient back to the viewed shape.

const View: Op = { name: 'ViewBackward0', backward: (g, node) => reshape(g, node.inDims[0]) };
/** The copy that was made for a {@link reshape}, seen in its shape: nobody else sees it, so it is no view. */
const UnsafeView: Op = { ...View, name: 'UnsafeViewBackward0' };
const Permute: Op = {
  name: 'PermuteBackward0',
  backward(g, node) {
    const order = node.attrs as number[];
    const inverse = order.slice();
    order.forEach((from, to) => (inverse[from] = to));
    return permute(g, inverse);
  },
};
const Transpose: Op = {
  name: 'TransposeBackward0',
  backward(g, node) {
    const [a, b] = node.attrs as [number, number];
    return transpose(g, a, b);
  },
};
const T: Op = { name: 'TBackward0', backward: (g) => t(g) };
const Squeeze: Op = { name: 'SqueezeBackward0', backward: (g, node) => reshape(g, node.inDims[0]) };
const SqueezeDims: Op = { ...Squeeze, name: 'SqueezeBackward1' };
const Unsqueeze: Op = { name: 'UnsqueezeBackward0', backward: (g, node) => reshape(g, node.inDims[0]) };
const Expand: Op = { name: 'ExpandBackward0', backward: (g, node) => sum_to_size(g, node.inDims[0]) };
/**
 * The strides of `dims` over the memory of `t`, or null if the elements cannot be seen that way without a copy.
 * Dimensions are regrouped within runs of `t`'s dimensions that lie contiguous in memory.
 */
function viewStrides(t: Tensor, dims: Dims): number[] | null {
  if (t._strides === null || t._numel === 0) return contiguousStrides(dims);
  const own = t._dims;
  const ownStrides = t._strides;
  const strides = new Array<number>(dims.length);
  let view = dims.length - 1;
  let runNumel = 1;
  let viewNumel = 1;
  let runStride = own.length > 0 ? ownStrides[own.length - 1] : 1;
  for (let i = own.length - 1; i >= 0; i--) {
    runNumel *= own[i];
    const ends = i === 0 || (own[i - 1] !== 1 && ownStrides[i - 1] !== runNumel * runStride);
    if (!ends) continue;
    while (view >= 0 && (viewNumel < runNumel || dims[view] === 1)) {
      strides[view] = viewNumel * runStride;
      viewNumel *= dims[view--];
    }
    if (viewNumel !== runNumel) return null;
    if (i > 0) {
      runStride = ownStrides[i - 1];
      runNumel = 1;
      viewNumel = 1;
    }
  }
  return view === -1 ? strides : null;
}

/** Sizes with a -1 replaced by what is left. */
function inferSizes(name: string, given: readonly (number | Dims)[], numel: number): number[] {
  const sizes = readSizes(name, given, true);
  const unknown = sizes.indexOf(-1);
  if (unknown !== -1) {
    if (sizes.indexOf(-1, unknown + 1) !== -1)
      throw new RangeError(`${name}: only one dimension can be inferred, got [${sizes.join(', ')}]`);
    const rest = sizes.reduce((n, s) => (s === -1 ? n : n * s), 1);
    if (rest === 0 || numel % rest !== 0) {
      throw new RangeError(`${name}: shape [${sizes.join(', ')}] is invalid for input of size ${numel}`);
    }
    sizes[unknown] = numel / rest;
  }
  if (numelOf(sizes) !== numel)
    throw new RangeError(`${name}: shape [${sizes.join(', ')}] is invalid for input of size ${numel}`);
  return sizes;
}

/**
 * The same elements in another shape, as a view; one size may be -1. PyTorch: `Tensor.view`.
 * @throws Error if the strides do not allow it: use {@link reshape}.
 */
export function view(input: Tensor, ...sizes: (number | Dims)[]): Tensor {
  checkTensor('view', 'input', input);
  const dims = inferSizes('view', sizes, input._numel);
  const strides = viewStrides(input, dims);
  if (strides === null) {
    throw new Error(
      `view: shape [${dims.join(', ')}] is not compatible with the tensor's size [${input._dims.join(', ')}] and ` +
        `stride [${stridesOf(input).join(', ')}]: use reshape(...) instead`,
    );
  }
  return viewOf(input, dims, normalizedStrides(dims, strides), input._offset, View);
}

/** The same elements in another shape, as a view where the strides allow it, else a copy; one size may be -1. PyTorch: `torch.reshape`. */
export function reshape(input: Tensor, ...sizes: (number | Dims)[]): Tensor {
  checkTensor('reshape', 'input', input);
  const dims = inferSizes('reshape', sizes, input._numel);
  const strides = viewStrides(input, dims);
  if (strides === null) {
    const copy = clone(input, { memory_format: 'contiguous' });
    const out = new Tensor(copy._storage, copy._offset, dims, null, copy._numel, copy._dtype);
    return recording(copy) ? record(UnsafeView, out, [copy]) : out;
  }
  return viewOf(input, dims, normalizedStrides(dims, strides), input._offset, View);
}

/** {@link view} with the shape of `other`. */
export function view_as(input: Tensor, other: Tensor): Tensor {
  checkTensor('view_as', 'other', other);
  return view(input, other._dims);
}

/** {@link reshape} with the shape of `other`. */
export function reshape_as(input: Tensor, other: Tensor): Tensor {
  checkTensor('reshape_as', 'other', other);
  return reshape(input, other._dims);
}

/** The dimensions in another order. PyTorch: `torch.permute`. @throws RangeError unless each dimension stands there once. */
export function permute(input: Tensor, ...order: (number | Dims)[]): Tensor {
  checkTensor('permute', 'input', input);
  const given = order.length === 1 && Array.isArray(order[0]) ? (order[0] as number[]) : (order as number[]);
  const n = input._dims.length;
  const dims = given.map((d) => wrapDim('permute', d, n));
  if (dims.length !== n || new Set(dims).size !== n) {
    throw new RangeError(`permute: dims: expected each of the ${n} dimensions once, got [${given.join(', ')}]`);
  }
  const sizes = dims.map((d) => input._dims[d]);
  const steps = stridesOf(input);
  const strides = dims.map((d) => steps[d]);
  return viewOf(input, sizes, normalizedStrides(sizes, strides), input._offset, Permute, dims);
}

function swapped(values: Dims, a: number, b: number): number[] {
  const result = values.slice();
  result[a] = values[b];
  result[b] = values[a];
  return result;
}

/** Two dimensions exchanged. PyTorch: `torch.transpose`. */
export function transpose(input: Tensor, dim0: number, dim1: number): Tensor {
  checkTensor('transpose', 'input', input);
  const a = wrapDim('transpose', dim0, input._dims.length);
  const b = wrapDim('transpose', dim1, input._dims.length);
  if (input._dims.length === 0) return viewOf(input, [], null, input._offset, Transpose, [0, 0]);
  const dims = swapped(input._dims, a, b);
  return viewOf(input, dims, normalizedStrides(dims, swapped(stridesOf(input), a, b)), input._offset, Transpose, [
    a,
    b,
  ]);
}

/** A matrix transposed; fewer dimensions stay as they are. PyTorch: `torch.t`. @throws RangeError for more than two dimensions. */
export function t(input: Tensor): Tensor {
  checkTensor('t', 'input', input);
  if (input._dims.length > 2) throw new RangeError(`t: expects a tensor with <= 2 dimensions, got ${describe(input)}`);
  if (input._dims.length < 2) return viewOf(input, input._dims, input._strides, input._offset, T);
  const dims = swapped(input._dims, 0, 1);
  return viewOf(input, dims, normalizedStrides(dims, swapped(stridesOf(input), 0, 1)), input._offset, T);
}

/** One dimension or several, as a list. */
function listOfDims(name: string, argument: string, dim: number | Dims): Dims {
  if (typeof dim === 'number') return [dim];
  if (Array.isArray(dim)) return dim as Dims;
  throw new TypeError(`${name}: ${argument}: expected a dimension or a list of them, got ${describe(dim)}`);
}

/** Without dimension `dim` if its size is 1; without all of size 1 if `dim` is not given. PyTorch: `torch.squeeze`. */
export function squeeze(input: Tensor, dim?: number | readonly number[]): Tensor {
  checkTensor('squeeze', 'input', input);
  const n = input._dims.length;
  const chosen = dim === undefined ? null : listOfDims('squeeze', 'dim', dim).map((d) => wrapDim('squeeze', d, n));
  const keep = input._dims
    .map((_, i) => i)
    .filter((i) => input._dims[i] !== 1 || (chosen !== null && !chosen.includes(i)));
  const strides = stridesOf(input);
  const dims = keep.map((i) => input._dims[i]);
  return viewOf(
    input,
    dims,
    normalizedStrides(
      dims,
      keep.map((i) => strides[i]),
    ),
    input._offset,
    chosen === null ? Squeeze : SqueezeDims,
  );
}

/** With a dimension of size 1 inserted at `dim`. PyTorch: `torch.unsqueeze`. */
export function unsqueeze(input: Tensor, dim: number): Tensor {
  checkTensor('unsqueeze', 'input', input);
  const at = wrapDim('unsqueeze', dim, input._dims.length + 1);
  const strides = stridesOf(input).slice();
  strides.splice(at, 0, at < strides.length ? strides[at] * input._dims[at] : 1);
  const dims = input._dims.slice();
  dims.splice(at, 0, 1);
  return viewOf(input, dims, input._strides === null ? null : strides, input._offset, Unsqueeze);
}

/**
 * Dimensions of size 1 repeated to the given sizes, and new ones put in front, without a copy; -1 keeps a size. PyTorch: `Tensor.expand`.
 * @throws RangeError if a size other than 1 would change.
 */
export function expand(input: Tensor, ...sizes: (number | Dims)[]): Tensor {
  checkTensor('expand', 'input', input);
  const given = sizes.length === 1 && Array.isArray(sizes[0]) ? (sizes[0] as number[]) : (sizes as number[]);
  const shift = given.length - input._dims.length;
  const own = stridesOf(input);
  const strides: number[] = [];
  const dims = given.map((size, i) => {
    const old = i < shift ? 1 : input._dims[i - shift];
    const wanted = size === -1 && i >= shift ? old : size;
    if (!Number.isSafeInteger(wanted) || wanted < 0 || (old !== 1 && wanted !== old)) {
      throw new RangeError(
        `expand: the expanded size (${describe(size)}) must match the existing size (${old}) at non-singleton dimension ${i}: ` +
          `target sizes ${describe(given)}, tensor sizes [${input._dims.join(', ')}]`,
      );
    }
    strides.push(i < shift || (old === 1 && wanted !== 1) ? 0 : own[i - shift]);
    return wanted;
  });
  if (shift < 0)
    throw new RangeError(`expand: expected at least ${input._dims.length} sizes, got [${given.join(', ')}]`);
  return viewOf(input, dims, normalizedStrides(dims, strides), input._offset, Expand);
}

/** {@link expand} to the sizes of `other`. */
export function expand_as(input: Tensor, other: Tensor): Tensor {
  checkTensor('expand_as', 'other', other);
  return expand(input, other._dims);
}

/** PyTorch: `torch.broadcast_to`. */
export function broadcast_to(input: Tensor, size: Dims): Tensor {
  return expand(input, size);
}

/** Options of {@link flatten}. */
export interface FlattenOptions {
  /** The first dimension to join. Default 0. */
  start_dim?: number;
  /** The last one. Default -1. */
  end_dim?: number;
}

const flattenOptions = defineOptions('flatten', { start_dim: 0, end_dim: -1 });

/** Dimensions `start_dim` to `end_dim` (both included) made one. PyTorch: `torch.flatten`. */
export function flatten(input: Tensor, first?: number | FlattenOptions, last?: number): Tensor {
  checkTensor('flatten', 'input', input);
  const given = typeof first === 'object' ? first : { start_dim: first, end_dim: last };
  const { start_dim, end_dim } = flattenOptions(given);
  const n = input._dims.length;
  const start = wrapDim('flatten', start_dim, n);
  const end = wrapDim('flatten', end_dim, n);
  if (start > end)
    throw new RangeError(`flatten: start_dim cannot come after end_dim, got ${start_dim} and ${end_dim}`);
  if (n === 0) return reshape(input, [1]);
  if (start === end) return input;
  const joined = numelOf(input._dims.slice(start, end + 1));
  return reshape(input, [...input._dims.slice(0, start), joined, ...input._dims.slice(end + 1)]);
}

/** Dimension `dim` split into `sizes`, one of which may be -1. PyTorch: `torch.unflatten`. */
export function unflatten(input: Tensor, dim: number, sizes: Dims): Tensor {
  checkTensor('unflatten', 'input', input);
  const at = wrapDim('unflatten', dim, input._dims.length);
  if (input._dims.length === 0) throw new RangeError('unflatten: cannot be applied to a 0-dim tensor');
  const split = inferSizes('unflatten', [sizes], input._dims[at]);
  return view(input, [...input._dims.slice(0, at), ...split, ...input._dims.slice(at + 1)]);
}

/** Dimensions `source` moved to `destination`, the others keeping their order. PyTorch: `torch.movedim`. */
export function movedim(input: Tensor, source: number | Dims, destination: number | Dims): Tensor {
  checkTensor('movedim', 'input', input);
  const n = input._dims.length;
  const from = listOfDims('movedim', 'source', source).map((d) => wrapDim('movedim', d, n));
  const to = listOfDims('movedim', 'destination', destination).map((d) => wrapDim('movedim', d, n));
  if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length) {
    throw new RangeError(
      `movedim: expected as many distinct dimensions in source as in destination, got ${describe(source)} and ${describe(destination)}`,
    );
  }
  const rest = input._dims.map((_, i) => i).filter((i) => !from.includes(i));
  const order = input._dims.map((_, i) => {
    const moved = to.indexOf(i);
    return moved === -1 ? rest.shift()! : from[moved];
  });
  return permute(input, order);
}

/** {@link movedim}. */
export const moveaxis = movedim;
/** {@link transpose}. */
export const swapaxes = transpose;
/** {@link transpose}. */
export const swapdims = transpose;

/** All elements in one row, as a view where the strides allow it. PyTorch: `torch.ravel`. */
export function ravel(input: Tensor): Tensor {
  return reshape(input, [-1]);
}
