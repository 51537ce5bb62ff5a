import { broadcastStrides, callStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, Tensor, wrapDim, type Dims, type Scalar } from '../tensor/tensor.js';
import { clone } from './convert.js';
import { zeros } from './creation.js';
import { writeInPlace } from './elementwise.js';
import { checkIndex, contentOf, readValue, shapeOf, sumAll, unshared, wrapIndices, type Operand } from './indices.js';
import { broadcastDims, sameDims } from './shape.js';
import { narrow } from './slices.js';
import { expand, reshape } from './view.js';

// Reading and writing the elements that a tensor of indices names along one dimension.

/** Strides over an iteration, 0 at `dim`, and behind them the one of the indexed dimension. */
function indexedStrides(strides: Dims, dim: number): number[] {
  const steps = strides.slice();
  steps[dim] = 0;
  steps.push(strides[dim]);
  return steps;
}

/** Calls `gather` or a kernel of scattering with an index for each position. */
function callPointed(
  kernel: 'gather' | 'scatter' | 'scatter_add',
  a: Operand,
  index: Tensor,
  out: Tensor,
  dim: number,
): void {
  const at = shapeOf(index);
  const gathers = kernel === 'gather';
  const whole = shapeOf(gathers ? (a as Tensor) : out);
  const plain = gathers ? out : a;
  const indexed = indexedStrides(whole.strides, dim);
  const steps = typeof plain === 'number' ? [] : [...broadcastStrides(plain, at.dims), 0];
  const strides = [gathers ? indexed : steps, [...at.strides, 0], gathers ? steps : indexed];
  callStrided(K[kernel], [...at.dims, whole.dims[dim]], [a, index, out], strides, [], out._dtype.code);
}

/** Calls a kernel with one index for each whole slice along `dim`: `slices` holds those slices, `whole` is indexed. */
function callSliced(
  kernel: 'gather' | 'scatter' | 'scatter_add',
  slices: Operand,
  index: Tensor,
  whole: Tensor,
  dim: number,
): void {
  const { dims, strides } = shapeOf(whole);
  const shape = dims.slice();
  shape[dim] = index._numel;
  const along = new Array<number>(dims.length + 1).fill(0);
  along[dim] = shapeOf(index).strides[0];
  const own = typeof slices === 'number' ? [] : [...broadcastStrides(slices, shape), 0];
  const indexed = indexedStrides(strides, dim);
  shape.push(dims[dim]);
  if (kernel === 'gather') callStrided(K[kernel], shape, [whole, index, slices], [indexed, along, own], [], 0);
  else callStrided(K[kernel], shape, [slices, index, whole], [own, along, indexed], [], whole._dtype.code);
}

const Gather: Op = {
  name: 'GatherBackward0',
  backward: (g, node) =>
    scatter_add.inPlace(zeros(node.inDims[0], { dtype: g._dtype }), node.attrs as number, node.unpack(0), g),
};

/**
 * `out[i][j][k] = input[index[i][j][k]][j][k]` for `dim` 0, and so on: an index for each element of the result, which has
 * the shape of `index`. PyTorch: `torch.gather`.
 * @throws RangeError if `index` is larger than `input` in another dimension, or an index is out of range.
 */
export function gather(input: Tensor, dim: number, index: Tensor): Tensor {
  checkTensor('gather', 'input', input);
  const at = wrapDim('gather', dim, input._dims.length);
  const places = checkIndex('gather', index);
  checkPointed('gather', 'input', input, places, at);
  const out = allocate(places._dims, input._dtype);
  if (out._numel > 0) callPointed('gather', input, places, out, at);
  if (recording(input)) record(Gather, out, [input], [places], at);
  return out;
}

/** Refuses an index that is larger than `other` in a dimension where it must not be. */
function checkPointed(name: string, argument: string, other: Tensor, index: Tensor, except: number): void {
  if (index._numel === 0) return;
  const { dims } = shapeOf(other);
  const own = shapeOf(index).dims;
  if (own.length !== dims.length || own.some((size, d) => d !== except && size > dims[d])) {
    throw new RangeError(
      `${name}: index: expected a shape no larger than that of ${argument}` +
        `${except === -1 ? '' : ` apart from dimension ${except}`}, [${dims.join(', ')}], got [${index._dims.join(', ')}]`,
    );
  }
}

/** What a call that writes into a copy of its input, or into the input itself, does and records. */
interface Writing {
  /** The tensor written, if it takes part in the gradient. */
  source: Tensor | null;
  write(out: Tensor): void;
  op: Op;
  saved?: readonly Tensor[];
  attrs?: unknown;
}

/** An op that writes into its input, as a function that writes into a copy, and in place. */
interface Writer<A extends readonly unknown[]> {
  (input: Tensor, ...rest: A): Tensor;
  inPlace(input: Tensor, ...rest: A): Tensor;
}

/**
 * Makes both forms of an op.
 * @param read Checks the arguments and says what to do.
 */
function writer<A extends readonly unknown[]>(
  name: string,
  read: (name: string, input: Tensor, ...rest: A) => Writing,
): Writer<A> {
  const forward = (input: Tensor, ...rest: A): Tensor => {
    checkTensor(name, 'input', input);
    const { source, write, op, saved, attrs } = read(name, input, ...rest);
    const out = clone(input.detach());
    write(out);
    if (recording(input, source)) record(op, out, [input, source], saved, attrs);
    return out;
  };
  const inPlace = (input: Tensor, ...rest: A): Tensor => {
    checkTensor(`${name}_`, 'input', input);
    const { source, write } = read(`${name}_`, input, ...rest);
    return writeInPlace(`${name}_`, input, source === null ? [] : [source], write, (before) =>
      forward(before, ...rest),
    );
  };
  return Object.assign(forward, { inPlace });
}

/** What node of an op along a dimension keeps. */
interface Along {
  dim: number;
  alpha?: number;
}

const Scatter: Op = {
  name: 'ScatterBackward0',
  backward(g, node) {
    const { dim } = node.attrs as Along;
    const index = node.unpack(0);
    return [node.needs(0) ? scatter(g, dim, index, 0) : null, node.needs(1) ? gather(g, dim, index) : null];
  },
};

/** The part of a source that an index of the same number of dimensions reaches. */
function covered(src: Tensor, index: Tensor): Tensor {
  return index._dims.reduce((t, size, d) => (t._dims[d] === size ? t : narrow(t, d, 0, size)), src);
}

/** Reads the arguments of scatter and scatter_add. */
function readScatter(name: string, input: Tensor, dim: number, index: Tensor, src: Tensor): [number, Tensor, Tensor] {
  const at = wrapDim(name, dim, input._dims.length);
  const places = checkIndex(name, index);
  checkTensor(name, 'src', src);
  if (src._dtype !== input._dtype)
    throw new TypeError(`${name}: src: expected a tensor of dtype ${input._dtype.name}, got ${describe(src)}`);
  checkPointed(name, 'input', input, places, at);
  checkPointed(name, 'src', src, places, -1);
  return [at, places, places._numel === 0 ? src : covered(src, places)];
}

/**
 * The input with `src` (a tensor, or a number) written at `input[index[i][j][k]][j][k]` for `dim` 0, and so on. Of several
 * that go to one place the last stays. PyTorch: `torch.scatter`.
 * @throws RangeError if `index` is larger than `src`, or than `input` in another dimension, or an index is out of range.
 */
export const scatter = writer('scatter', (name, input, dim: number, index: Tensor, src: Tensor | Scalar): Writing => {
  if (!(src instanceof Tensor)) {
    const at = wrapDim(name, dim, input._dims.length);
    const places = checkIndex(name, index);
    checkPointed(name, 'input', input, places, at);
    const value = contentOf(name, input, src);
    return {
      source: null,
      write: (out) => places._numel > 0 && callPointed('scatter', value, unshared(out, places), out, at),
      op: ScatterValue,
      saved: [places],
      attrs: { dim: at },
    };
  }
  const [at, places, part] = readScatter(name, input, dim, index, src);
  return {
    source: part,
    write: (out) => places._numel > 0 && callPointed('scatter', unshared(out, part), unshared(out, places), out, at),
    op: Scatter,
    saved: [places],
    attrs: { dim: at },
  };
});

const ScatterValue: Op = { name: 'ScatterBackward1', backward: Scatter.backward };

const ScatterAdd: Op = {
  name: 'ScatterAddBackward0',
  backward: (g, node) => [
    node.needs(0) ? g : null,
    node.needs(1) ? gather(g, (node.attrs as Along).dim, node.unpack(0)) : null,
  ],
};

/** The input with `src` added at `input[index[i][j][k]][j][k]` for `dim` 0, and so on. PyTorch: `torch.scatter_add`. */
export const scatter_add = writer('scatter_add', (name, input, dim: number, index: Tensor, src: Tensor): Writing => {
  const [at, places, part] = readScatter(name, input, dim, index, src);
  return {
    source: part,
    write: (out) =>
      places._numel > 0 && callPointed('scatter_add', unshared(out, part), unshared(out, places), out, at),
    op: ScatterAdd,
    saved: [places],
    attrs: { dim: at },
  };
});

/** A vector of indices. */
function checkVector(name: string, index: unknown): Tensor {
  const places = checkIndex(name, index);
  if (places._dims.length > 1) throw new RangeError(`${name}: index: expected a vector, got ${describe(places)}`);
  return places;
}

const IndexSelect: Op = {
  name: 'IndexSelectBackward0',
  backward: (g, node) =>
    index_add.inPlace(zeros(node.inDims[0], { dtype: g._dtype }), node.attrs as number, node.unpack(0), g),
};

/** The slices of dimension `dim` that the vector `index` names, in its order. PyTorch: `torch.index_select`. @throws RangeError for an index out of range. */
export function index_select(input: Tensor, dim: number, index: Tensor): Tensor {
  checkTensor('index_select', 'input', input);
  const at = wrapDim('index_select', dim, input._dims.length);
  const places = checkVector('index_select', index);
  if (input._dims.length === 0 && places._numel !== 1)
    throw new RangeError(
      `index_select: index: expected one index for a tensor without dimensions, got ${places._numel}`,
    );
  const dims = input._dims.slice();
  if (dims.length > 0) dims[at] = places._numel;
  const out = allocate(dims, input._dtype);
  if (out._numel > 0) callSliced('gather', out, places, input, at);
  if (recording(input)) record(IndexSelect, out, [input], [places], at);
  return out;
}

/** Reads the arguments of index_add and index_copy. */
function readSlices(name: string, input: Tensor, dim: number, index: Tensor, source: Tensor): [number, Tensor] {
  const at = wrapDim(name, dim, input._dims.length);
  const places = checkVector(name, index);
  checkTensor(name, 'source', source);
  if (source._dtype !== input._dtype)
    throw new TypeError(`${name}: source: expected a tensor of dtype ${input._dtype.name}, got ${describe(source)}`);
  const expected = input._dims.slice();
  if (expected.length > 0) expected[at] = places._numel;
  const { dims } = shapeOf(source);
  if (!sameDims(dims, expected.length === 0 ? [places._numel] : expected)) {
    throw new RangeError(`${name}: source: expected shape [${expected.join(', ')}], got [${source._dims.join(', ')}]`);
  }
  return [at, places];
}

const IndexAdd: Op = {
  name: 'IndexAddBackward0',
  backward(g, node) {
    const { dim, alpha } = node.attrs as Along;
    const picked = node.needs(1) ? reshape(index_select(g, dim, node.unpack(0)), node.inDims[1]) : null;
    return [node.needs(0) ? g : null, picked === null || alpha === 1 ? picked : picked.mul(alpha!)];
  },
};

const indexAddOptions = defineOptions('index_add', { alpha: 1 });

/** The input with `alpha` times the slices of `source` added at the places along `dim` that `index` names. PyTorch: `torch.index_add`. */
export const index_add = writer(
  'index_add',
  (name, input, dim: number, index: Tensor, source: Tensor, options?: { alpha?: number }): Writing => {
    const [at, places] = readSlices(name, input, dim, index, source);
    const { alpha } = indexAddOptions(options);
    return {
      source,
      write(out) {
        if (source._numel === 0) return;
        const terms = alpha === 1 ? source : source.detach().mul(alpha);
        callSliced('scatter_add', unshared(out, terms), unshared(out, places), out, at);
      },
      op: IndexAdd,
      saved: [places],
      attrs: { dim: at, alpha },
    };
  },
);

const IndexCopy: Op = {
  name: 'IndexCopyBackward0',
  backward(g, node) {
    const { dim } = node.attrs as Along;
    const index = node.unpack(0);
    return [
      node.needs(0) ? index_fill(g, dim, index, 0) : null,
      node.needs(1) ? reshape(index_select(g, dim, index), node.inDims[1]) : null,
    ];
  },
};

/** The input with the slices of `source` at the places along `dim` that `index` names. PyTorch: `torch.index_copy`. */
export const index_copy = writer('index_copy', (name, input, dim: number, index: Tensor, source: Tensor): Writing => {
  const [at, places] = readSlices(name, input, dim, index, source);
  return {
    source,
    write: (out) => source._numel > 0 && callSliced('scatter', unshared(out, source), unshared(out, places), out, at),
    op: IndexCopy,
    saved: [places],
    attrs: { dim: at },
  };
});

const IndexFill: Op = {
  name: 'IndexFillBackward0',
  backward(g, node) {
    const { dim } = node.attrs as Along;
    const index = node.unpack(0);
    return [
      node.needs(0) ? index_fill(g, dim, index, 0) : null,
      node.needs(1) ? sumAll(index_select(g, dim, index)) : null,
    ];
  },
};

/** The input with `value` in the slices along `dim` that `index` names, negative ones counted from the end. PyTorch: `torch.index_fill`. */
export const index_fill = writer(
  'index_fill',
  (name, input, dim: number, index: Tensor, value: Tensor | Scalar): Writing => {
    const at = wrapDim(name, dim, input._dims.length);
    const places = wrapIndices(name, checkVector(name, index), shapeOf(input).dims[at]);
    const [source, content] = readValue(name, input, value);
    return {
      source,
      write: (out) => out._numel > 0 && places._numel > 0 && callSliced('scatter', content, places, out, at),
      op: IndexFill,
      saved: [places],
      attrs: { dim: at },
    };
  },
);

/** The elements at `index`, positions in the input seen as one row; in the shape of `index`. PyTorch: `torch.take`. */
export function take(input: Tensor, index: Tensor): Tensor {
  checkTensor('take', 'input', input);
  const places = wrapIndices('take', checkIndex('take', index), input._numel);
  return reshape(index_select(reshape(input, [-1]), 0, reshape(places, [-1])), places._dims);
}

/**
 * The elements at `indices` along `dim`, as `argmax` and `argsort` give them; the shapes broadcast in the other
 * dimensions. Without `dim` both are seen as one row. PyTorch: `torch.take_along_dim`.
 */
export function take_along_dim(input: Tensor, indices: Tensor, dim: number | null = null): Tensor {
  checkTensor('take_along_dim', 'input', input);
  const places = checkIndex('take_along_dim', indices);
  if (dim === null) return gather(reshape(input, [-1]), 0, reshape(places, [-1]));
  if (input._dims.length !== places._dims.length) {
    throw new RangeError(
      `take_along_dim: indices: expected as many dimensions as input has, ${input._dims.length}, got ${describe(places)}`,
    );
  }
  const at = wrapDim('take_along_dim', dim, input._dims.length);
  const without = (t: Tensor): number[] => t._dims.map((size, d) => (d === at ? 1 : size));
  const common = broadcastDims('take_along_dim', without(input), without(places));
  const withSize = (t: Tensor): number[] => common.map((size, d) => (d === at ? t._dims[d] : size));
  return gather(expand(input, withSize(input)), at, expand(places, withSize(places)));
}
