import { defineOptions } from '../options.js';
import { callList, pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recordingAny, type Op } from '../autograd/node.js';
import { promote_types, type DType } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { to } from './convert.js';
import { zeros } from './creation.js';
import { broadcastDims, numelOf, readSizes, sameDims } from './shape.js';
import { narrow, select } from './slices.js';
import { expand, reshape, view } from './view.js';

// Functions of several tensors that put them beside each other.

/** `dim` given outright, as an option, or not at all: then 0. */
type DimArgument = number | { dim?: number };

function readDim(name: string, dim: DimArgument | undefined, ndim: number): number {
  const given = typeof dim === 'object' && dim !== null ? (dim.dim ?? 0) : (dim ?? 0);
  return wrapDim(name, given, ndim);
}

function checkTensors(name: string, tensors: readonly Tensor[]): void {
  if (!Array.isArray(tensors)) throw new TypeError(`${name}: tensors: expected an array, got ${describe(tensors)}`);
  if (tensors.length === 0) throw new RangeError(`${name}: tensors: expected a non-empty array`);
  tensors.forEach((t, i) => checkTensor(name, `tensors[${i}]`, t));
}

/** Copies `parts`, converted, one behind the other along `dim` of a new tensor; they may lack that dimension. */
function joined(parts: readonly Tensor[], lengths: readonly number[], dims: Dims, dim: number): Tensor {
  const dtype = parts.map((part) => part._dtype).reduce((a, b) => promote_types(a, b));
  const out = allocate(dims, dtype);
  const strides = stridesOf(out);
  let offset = out._offset;
  const place = (i: number, own: Dims, steps: Dims | null): Tensor => {
    const t = new Tensor(out._storage, offset, own, steps, numelOf(own), dtype);
    offset += lengths[i] * strides[dim];
    return t;
  };
  // Along the first dimension each part lies in one run.
  const inRuns = numelOf(dims.slice(0, dim)) === 1;
  if (inRuns && parts.every((part) => part._strides === null && part._dtype === dtype)) {
    callList(
      K.list_copy,
      parts.map((part, i) => ({ scalars: [], operands: [part, place(i, part._dims, null)] })),
    );
    return out;
  }
  parts.forEach((part, i) => {
    const own = dims.slice();
    own[dim] = lengths[i];
    pointwise1(
      K.copy,
      place(i, own, inRuns ? null : strides),
      part._dims.length === own.length ? part : view(part.detach(), own),
    );
  });
  return out;
}

interface CatAttrs {
  dim: number;
  lengths: number[];
  dtypes: DType[];
}

const Cat: Op = {
  name: 'CatBackward0',
  backward(g, node) {
    const { dim, lengths, dtypes } = node.attrs as CatAttrs;
    let start = 0;
    return lengths.map((length, i) => {
      const at = start;
      start += length;
      if (!node.needs(i)) return null;
      const part = length === 0 ? zeros(node.inDims[i], { dtype: g._dtype }) : narrow(g, dim, at, length);
      return to(part, dtypes[i]);
    });
  },
};

/** Whether a part counts for nothing, whatever the shape of the others. */
function isNothing(t: Tensor): boolean {
  return t._dims.length === 1 && t._dims[0] === 0;
}

/**
 * The tensors one behind the other along dimension `dim` (default 0). Their dtypes are promoted; a tensor of shape [0]
 * may stand beside any others. PyTorch: `torch.cat`.
 * @throws RangeError if a size differs in another dimension, or a tensor has no dimensions.
 */
export function cat(tensors: readonly Tensor[], dim?: DimArgument): Tensor {
  checkTensors('cat', tensors);
  const first = tensors.find((t) => !isNothing(t)) ?? tensors[0];
  const n = first._dims.length;
  tensors.forEach((t, i) => {
    if (t._dims.length === 0)
      throw new RangeError(`cat: zero-dimensional tensor (at position ${i}) cannot be concatenated`);
  });
  const at = readDim('cat', dim, n);
  const parts = tensors.map((t) => (isNothing(t) && n !== 1 ? null : t));
  const dims = first._dims.slice();
  dims[at] = 0;
  parts.forEach((part, i) => {
    if (part === null) return;
    if (part._dims.length !== n || part._dims.some((size, d) => d !== at && size !== dims[d])) {
      throw new RangeError(
        `cat: tensors[${i}]: sizes must match except in dimension ${at}: expected [${first._dims.join(', ')}], ` +
          `got [${part._dims.join(', ')}]`,
      );
    }
    dims[at] += part._dims[at];
  });
  const lengths = parts.map((part) => part?._dims[at] ?? 0);
  const sources = tensors.map((t, i) =>
    parts[i] === null ? t.detach().view(dims.map((s, d) => (d === at ? 0 : s))) : t,
  );
  const out = joined(sources, lengths, dims, at);
  if (recordingAny(tensors)) {
    const attrs: CatAttrs = { dim: at, lengths, dtypes: tensors.map((t) => t._dtype) };
    record(Cat, out, tensors, [], attrs);
  }
  return out;
}

/** {@link cat}. */
export const concat = cat;
/** {@link cat}. */
export const concatenate = cat;

const Stack: Op = {
  name: 'StackBackward0',
  backward(g, node) {
    const { dim, dtypes } = node.attrs as { dim: number; dtypes: DType[] };
    return dtypes.map((dtype, i) => (node.needs(i) ? to(select(g, dim, i), dtype) : null));
  },
};

/**
 * The tensors, of one shape, along a new dimension at `dim` (default 0). PyTorch: `torch.stack`.
 * @throws RangeError if the shapes differ.
 */
export function stack(tensors: readonly Tensor[], dim?: DimArgument): Tensor {
  checkTensors('stack', tensors);
  const own = tensors[0]._dims;
  const at = readDim('stack', dim, own.length + 1);
  tensors.forEach((t, i) => {
    if (sameDims(t._dims, own)) return;
    throw new RangeError(
      `stack: tensors[${i}]: expected each tensor to have shape [${own.join(', ')}], got [${t._dims.join(', ')}]`,
    );
  });
  const dims = own.slice();
  dims.splice(at, 0, tensors.length);
  const lengths = tensors.map(() => 1);
  const out = joined(tensors, lengths, dims, at);
  if (recordingAny(tensors)) record(Stack, out, tensors, [], { dim: at, dtypes: tensors.map((t) => t._dtype) });
  return out;
}

/** With at least one dimension. PyTorch: `torch.atleast_1d` for one tensor. */
export function atleast_1d(input: Tensor): Tensor {
  checkTensor('atleast_1d', 'input', input);
  return input._dims.length === 0 ? reshape(input, [1]) : input;
}

/** With at least two dimensions, new ones in front. PyTorch: `torch.atleast_2d` for one tensor. */
export function atleast_2d(input: Tensor): Tensor {
  checkTensor('atleast_2d', 'input', input);
  return input._dims.length >= 2 ? input : reshape(input, [1, input._numel]);
}

/** The tensors beside each other: along dimension 1, or 0 where they have but one. PyTorch: `torch.hstack`. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  checkTensors('hstack', tensors);
  const parts = tensors.map(atleast_1d);
  return cat(parts, parts[0]._dims.length === 1 ? 0 : 1);
}

/** The tensors below each other, vectors as rows. PyTorch: `torch.vstack`. */
export function vstack(tensors: readonly Tensor[]): Tensor {
  checkTensors('vstack', tensors);
  return cat(tensors.map(atleast_2d), 0);
}

/** The tensors expanded to the shape they broadcast to. PyTorch: `torch.broadcast_tensors`. */
export function broadcast_tensors(...tensors: Tensor[]): Tensor[] {
  tensors.forEach((t, i) => checkTensor('broadcast_tensors', `tensors[${i}]`, t));
  const dims = broadcast_shapes(...tensors.map((t) => t._dims));
  return tensors.map((t) => expand(t, dims));
}

/** The shape that shapes broadcast to. PyTorch: `torch.broadcast_shapes`. @throws RangeError if they do not. */
export function broadcast_shapes(...shapes: Dims[]): number[] {
  const sizes = shapes.map((shape): Dims => readSizes('broadcast_shapes', [shape]));
  return sizes.reduce((a, b) => broadcastDims('broadcast_shapes', a, b), []).slice();
}

interface MeshgridOptions {
  indexing?: 'ij' | 'xy';
}

const meshgridOptions = defineOptions('meshgrid', { indexing: 'ij' as 'ij' | 'xy' });

/**
 * For vectors that are coordinates along each axis of a grid, given one by one or as an array, the grids of coordinates.
 * PyTorch: `torch.meshgrid`.
 * @param options.indexing `ij` (default), or `xy` with the first two axes exchanged.
 */
export function meshgrid(tensors: readonly Tensor[], options?: MeshgridOptions): Tensor[];
export function meshgrid(...tensors: Tensor[] | [...Tensor[], MeshgridOptions]): Tensor[];
export function meshgrid(...given: unknown[]): Tensor[] {
  let [tensors, options] = given as [readonly Tensor[], MeshgridOptions?];
  if (given[0] instanceof Tensor) {
    const last = given.at(-1);
    options = last instanceof Tensor ? undefined : (last as MeshgridOptions);
    tensors = (last instanceof Tensor ? given : given.slice(0, -1)) as Tensor[];
  }
  checkTensors('meshgrid', tensors);
  const { indexing } = meshgridOptions(options);
  if (indexing !== 'ij' && indexing !== 'xy')
    throw new TypeError(`meshgrid: indexing: expected 'ij' or 'xy', got ${describe(indexing)}`);
  const axes = tensors.map((t) => {
    if (t._dims.length > 1)
      throw new RangeError(`meshgrid: expected tensors of at most one dimension, got ${describe(t)}`);
    return atleast_1d(t);
  });
  const swap = indexing === 'xy' && axes.length >= 2;
  if (swap) axes.splice(0, 2, axes[1], axes[0]);
  const dims = axes.map((t) => t._numel);
  const grids = axes.map((t, i) =>
    expand(
      view(
        t,
        dims.map((size, d) => (d === i ? size : 1)),
      ),
      dims,
    ),
  );
  if (!swap) return grids;
  grids.splice(0, 2, grids[1], grids[0]);
  return grids;
}
