import { mode } from '../autograd/mode.js';
import { recordAll, recording, type Op } from '../autograd/node.js';
import { follow } from '../autograd/view.js';
import { defineOptions, optionOrValue } from '../options.js';
import { checkTensor, describe, normalizedStrides, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { zeros } from './creation.js';
import { cat, stack } from './join.js';
import { readSizes } from './shape.js';

// A tensor taken apart into several views. Their gradients are put together at once.

/** Where one of the views lies. */
interface Part {
  dims: Dims;
  strides: Dims;
  offset: number;
}

/** Views that are outputs of one node. */
function viewsOf(input: Tensor, parts: readonly Part[], op: Op, dim: number): Tensor[] {
  const views = parts.map(({ dims, strides, offset }) => {
    const numel = dims.reduce((n, d) => n * d, 1);
    const view = new Tensor(input._storage, offset, dims, normalizedStrides(dims, strides), numel, input._dtype);
    if (mode.enabled && input._dtype.is_floating_point) follow(view, input, 'is one of several a function returned');
    return view;
  });
  if (recording(input)) recordAll(op, views, [input], [], { dim, shapes: parts.map((part) => part.dims) });
  return views;
}

interface SplitAttrs {
  dim: number;
  shapes: Dims[];
}

/** The gradients of all outputs, zeros for those not used. */
function complete(grads: readonly (Tensor | null)[], shapes: readonly Dims[]): Tensor[] {
  const { _dtype: dtype } = grads.find((g) => g !== null)!;
  return shapes.map((dims, i) => grads[i] ?? zeros(dims, { dtype }));
}

const Split: Op = {
  name: 'SplitBackward0',
  backward(_grad, node, grads) {
    const { dim, shapes } = node.attrs as SplitAttrs;
    return cat(complete(grads, shapes), dim);
  },
};

const SplitWithSizes: Op = { name: 'SplitWithSizesBackward0', backward: Split.backward };

const Unbind: Op = {
  name: 'UnbindBackward0',
  backward(_grad, node, grads) {
    const { dim, shapes } = node.attrs as SplitAttrs;
    return stack(complete(grads, shapes), dim);
  },
};

/** `dim` given outright or as an option; by default 0. */
type DimArgument = number | { dim?: number };

const dimDefaults = { dim: 0 };
const optionsOf = {
  split: defineOptions('split', dimDefaults),
  chunk: defineOptions('chunk', dimDefaults),
  tensor_split: defineOptions('tensor_split', dimDefaults),
  unbind: defineOptions('unbind', dimDefaults),
};

function readDim(name: keyof typeof optionsOf, input: Tensor, dim: DimArgument | undefined): number {
  checkTensor(name, 'input', input);
  if (input._dims.length === 0) throw new RangeError(`${name}: expected at least one dimension, got a 0-dim tensor`);
  return wrapDim(name, optionOrValue(optionsOf[name], 'dim', dim), input._dims.length);
}

/** Slices of the given lengths, one behind the other. */
function slices(input: Tensor, dim: number, lengths: readonly number[], op: Op): Tensor[] {
  const strides = stridesOf(input);
  let offset = input._offset;
  const parts = lengths.map((length): Part => {
    const dims = input._dims.slice();
    dims[dim] = length;
    const part = { dims, strides, offset };
    offset += length * strides[dim];
    return part;
  });
  return viewsOf(input, parts, op, dim);
}

/** Lengths that add up to `size`, all `length` but the last. */
function equalLengths(size: number, length: number): number[] {
  const n = Math.max(1, Math.ceil(size / length));
  return Array.from({ length: n }, (_, i) => Math.min(length, size - i * length));
}

/**
 * Views of `split_size` indices of dimension `dim` (default 0) each, the last one maybe smaller; or of the sizes in a list.
 * PyTorch: `torch.split`.
 * @throws RangeError if the sizes in the list do not add up to the dimension's.
 */
export function split(input: Tensor, split_size: number | Dims, dim?: DimArgument): Tensor[] {
  const at = readDim('split', input, dim);
  const size = input._dims[at];
  if (typeof split_size === 'number') {
    const [length] = readSizes('split', [split_size]);
    if (length === 0 && size !== 0)
      throw new RangeError(`split: split_size: can be 0 only if the dimension's size is 0, got a size of ${size}`);
    return slices(input, at, equalLengths(size, Math.max(length, 1)), Split);
  }
  const lengths = readSizes('split', [split_size]);
  if (lengths.reduce((a, b) => a + b, 0) !== size) {
    throw new RangeError(`split: split_size: expected sizes that add up to ${size}, got ${describe(split_size)}`);
  }
  return slices(input, at, lengths, SplitWithSizes);
}

/** Whether a value says how many views there shall be; so many that no list holds them are refused. */
function isCount(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n <= 2 ** 24;
}

/** At most `chunks` views of dimension `dim` (default 0), of equal size but for the last one. PyTorch: `torch.chunk`. */
export function chunk(input: Tensor, chunks: number, dim?: DimArgument): Tensor[] {
  const at = readDim('chunk', input, dim);
  if (!isCount(chunks)) throw new RangeError(`chunk: chunks: expected a positive integer, got ${describe(chunks)}`);
  const size = input._dims[at];
  if (size === 0) return slices(input, at, new Array<number>(chunks).fill(0), Split);
  return slices(input, at, equalLengths(size, Math.ceil(size / chunks)), Split);
}

/**
 * `sections` views of dimension `dim` (default 0) whose sizes differ by at most one; or those between the indices in a
 * list. PyTorch: `torch.tensor_split`.
 */
export function tensor_split(input: Tensor, sections: number | Dims, dim?: DimArgument): Tensor[] {
  const at = readDim('tensor_split', input, dim);
  const size = input._dims[at];
  if (typeof sections === 'number') {
    if (!isCount(sections))
      throw new RangeError(`tensor_split: sections: expected a positive integer, got ${describe(sections)}`);
    const longer = size % sections;
    const short = Math.floor(size / sections);
    return slices(
      input,
      at,
      Array.from({ length: sections }, (_, i) => (i < longer ? short + 1 : short)),
      SplitWithSizes,
    );
  }
  if (!Array.isArray(sections))
    throw new TypeError(`tensor_split: sections: expected an integer or a list of indices, got ${describe(sections)}`);
  const bounds = [0, ...(sections as Dims), size];
  return bounds.slice(1).map((end, i) => input.slice(at, bounds[i], i === sections.length ? null : end, 1));
}

/** A view of each index of dimension `dim` (default 0), which goes away. PyTorch: `torch.unbind`. */
export function unbind(input: Tensor, dim?: DimArgument): Tensor[] {
  const at = readDim('unbind', input, dim);
  const strides = stridesOf(input).slice();
  const dims = input._dims.slice();
  const [step] = strides.splice(at, 1);
  const [size] = dims.splice(at, 1);
  const parts = Array.from({ length: size }, (_, i): Part => ({ dims, strides, offset: input._offset + i * step }));
  return viewsOf(input, parts, Unbind, at);
}
