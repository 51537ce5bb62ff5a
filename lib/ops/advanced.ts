import { pointwise1, pointwise2 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { viewOf } from '../autograd/view.js';
import { defineOptions } from '../options.js';
import { bool, int64 } from '../tensor/dtype.js';
import { Slice } from '../tensor/slice.js';
import { allocate, checkTensor, describe, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { clone, to } from './convert.js';
import { full, tensor, zeros } from './creation.js';
import { writeInPlace } from './elementwise.js';
import { checkIndex, unshared, wrapIndices } from './indices.js';
import { index_add, index_copy, index_select } from './indexing.js';
import { fillOp, fillWhereInPlace, selectOp, selectWhere } from './mask.js';
import { nonzero } from './masking.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, numelOf, sameDims } from './shape.js';
import { select, slice } from './slices.js';
import { expand, permute, reshape, unsqueeze } from './view.js';

// Python's indexing, `x[…]`, by the names it has in C++: `x.index(…)` and `x.index_put_([…], value)`.

/**
 * What may stand between the brackets: a number, `torch.slice(start, end, step)`, null for a new dimension, `'...'` for all
 * dimensions not named, a tensor of indices or a mask, or a list of either.
 */
export type Index = number | Slice | null | '...' | Tensor | readonly number[] | readonly boolean[];

/** Numbers, slices and new dimensions applied; the tensors stand at the dimensions of `view` that they index. */
interface Applied {
  view: Tensor;
  tensors: (Tensor | null)[];
}

/** How many dimensions of the input an index takes. */
function taken(index: Index | Tensor): number {
  if (index === null || index === '...') return 0;
  return index instanceof Tensor && index._dtype === bool ? index._dims.length : 1;
}

function asTensor(index: Index): Index {
  if (!Array.isArray(index)) return index;
  const list = index as readonly (number | boolean)[];
  return tensor(list, { dtype: list.length > 0 && typeof list[0] === 'boolean' ? bool : int64 });
}

function apply(name: string, input: Tensor, given: readonly Index[]): Applied {
  const indices = given.map(asTensor);
  const named = indices.reduce((n: number, index) => n + taken(index), 0);
  if (named > input._dims.length) {
    throw new RangeError(`${name}: too many indices for a tensor of dimension ${input._dims.length}: ${named}`);
  }
  if (indices.filter((index) => index === '...').length > 1)
    throw new RangeError(`${name}: expected at most one '...'`);
  let view = input;
  let dim = 0;
  const tensors: (Tensor | null)[] = [];
  for (const index of indices) {
    if (index === '...') dim += input._dims.length - named;
    else if (index === null) view = unsqueeze(view, dim++);
    else if (typeof index === 'number') view = select(view, dim, index);
    else if (index instanceof Slice) {
      // What is taken whole stays as it is.
      const { start, end, step } = index;
      const isWhole = (start ?? 0) === 0 && (end === null || end === view._dims[dim]) && step === 1;
      view = isWhole ? view : slice(view, dim, start, end, step);
      dim++;
    } else if (!(index instanceof Tensor)) {
      throw new TypeError(
        `${name}: expected numbers, torch.slice(…), null, '...', tensors or lists as indices, got ${describe(index)}`,
      );
    } else if (index._dtype === bool) {
      const isSingle = index._dims.length === 0;
      if (isSingle) view = unsqueeze(view, dim);
      const mask = isSingle ? reshape(index, [1]) : index;
      mask._dims.forEach((size, i) => {
        if (size === view._dims[dim + i]) return;
        throw new RangeError(
          `${name}: the shape of the mask [${mask._dims.join(', ')}] at dimension ${i} does not match the shape of the ` +
            `indexed tensor [${view._dims.join(', ')}] at dimension ${dim + i}`,
        );
      });
      for (const places of nonzero(mask, { as_tuple: true })) tensors[dim++] = places;
    } else if (index._dims.length === 0) view = select(view, dim, checkIndex(name, index).item() as number);
    else tensors[dim++] = checkIndex(name, index);
  }
  return { view, tensors: Array.from(tensors, (t) => t ?? null) };
}

/** How tensors of indices go through a tensor. */
interface Plan {
  /** The dimensions, the indexed ones first unless they lie side by side. */
  order: number[];
  /** How many elements lie before, within and behind the indexed dimensions, in that order. */
  before: number;
  within: number;
  /** Positions within the indexed dimensions, seen as one. */
  places: Tensor;
  /** The shape of the result. */
  dims: Dims;
}

function plan(name: string, t: Tensor, indices: readonly (Tensor | null)[]): Plan {
  const indexed = t._dims.map((_, d) => d).filter((d) => indices[d] != null);
  const rest = t._dims.map((_, d) => d).filter((d) => indices[d] == null);
  const adjacent = indexed[indexed.length - 1] - indexed[0] === indexed.length - 1;
  const at = adjacent ? indexed[0] : 0;
  const shape = indexed.map((d) => indices[d]!._dims).reduce((a, b) => broadcastDims(name, a, b));
  let places: Tensor | null = null;
  for (const d of indexed) {
    const wrapped = wrapIndices(name, indices[d]!, t._dims[d]);
    if (places === null) {
      places = wrapped;
      continue;
    }
    const next = allocate(broadcastDims(name, places._dims, wrapped._dims), int64);
    pointwise2(K.add, next, wrapped, places, [t._dims[d]]); // wrapped + size places
    places = next;
  }
  return {
    order: [...rest.slice(0, at), ...indexed, ...rest.slice(at)],
    before: numelOf(rest.slice(0, at).map((d) => t._dims[d])),
    within: numelOf(indexed.map((d) => t._dims[d])),
    places: reshape(places!, [-1]),
    dims: [...rest.slice(0, at).map((d) => t._dims[d]), ...shape, ...rest.slice(at).map((d) => t._dims[d])],
  };
}

/** The tensor as [before, within, behind]. */
function asGroups(t: Tensor, { order, before, within }: Plan): Tensor {
  const behind = before * within === 0 ? numelOf(order.map((d) => t._dims[d])) : t._numel / (before * within);
  return reshape(permute(t, order), [before, within, behind]);
}

const Alias: Op = { name: 'AliasBackward0', backward: (g) => viewOf(g, g._dims, g._strides, g._offset, Alias) };

const IndexOp: Op = {
  name: 'IndexBackward0',
  backward(g, node) {
    const indices = Array.from({ length: node.savedCount }, (_, i) => node.unpackOptional(i));
    return putAtInPlace(zeros(node.inDims[0], { dtype: g._dtype }), indices, g, true);
  },
};

const MaskedIndex = selectOp('IndexBackward0');
const MaskedPut = fillOp('IndexPutBackward0');

/** The mask, if the only index is one of the input's shape. */
function wholeMask(input: Tensor, indices: readonly Index[]): Tensor | null {
  const [mask] = indices;
  if (indices.length !== 1 || !(mask instanceof Tensor) || mask._dtype !== bool || mask._dims.length === 0) return null;
  return sameDims(mask._dims, input._dims) ? mask : null;
}

function getAt(t: Tensor, indices: readonly (Tensor | null)[]): Tensor {
  const indexed = indices.filter((index) => index !== null);
  const out = indexed.length === 1 ? getAlong(t, indices.indexOf(indexed[0]), indexed[0]) : getGrouped(t, indices);
  return recording(t) ? record(IndexOp, out, [t], indices) : out;
}

function getAlong(t: Tensor, dim: number, index: Tensor): Tensor {
  const places = wrapIndices('index', index, t._dims[dim]);
  if (places._dims.length === 1) return index_select(t.detach(), dim, places);
  const dims = [...t._dims.slice(0, dim), ...places._dims, ...t._dims.slice(dim + 1)];
  return reshape(index_select(t.detach(), dim, reshape(places, [-1])), dims).detach();
}

function getGrouped(t: Tensor, indices: readonly (Tensor | null)[]): Tensor {
  const steps = plan('index', t, indices);
  return reshape(index_select(asGroups(t.detach(), steps), 1, steps.places), steps.dims).detach();
}

/** The gradient of an assigned value, which may have had ones in front. */
function assigned(grad: Tensor, dims: Dims): Tensor {
  const extra = Math.max(0, dims.length - grad._dims.length);
  const total = sum_to_size(grad, dims.slice(extra));
  return extra === 0 ? total : reshape(total, dims);
}

const IndexPut: Op = {
  name: 'IndexPutBackward0',
  backward(g, node) {
    const indices = Array.from({ length: node.savedCount }, (_, i) => node.unpackOptional(i));
    const accumulate = node.attrs as boolean;
    const rest = !node.needs(0) ? null : accumulate ? g : putAt(g, indices, zeros([], { dtype: g._dtype }), false);
    return [rest, node.needs(1) ? assigned(getAt(g, indices), node.inDims[1]) : null];
  },
};

/** An assigned value may have more dimensions than it is assigned to, of size 1 and in front. */
function withoutLeadingOnes(t: Tensor, ndim: number): Tensor {
  let extra = 0;
  while (t._dims.length - extra > ndim && t._dims[extra] === 1) extra++;
  return extra === 0 ? t : reshape(t, t._dims.slice(extra));
}

/** Writes `values` into `out` itself. */
function writeAt(out: Tensor, indices: readonly (Tensor | null)[], values: Tensor, accumulate: boolean): void {
  const target = out.detach();
  const steps = plan('index_put', target, indices);
  const spread = expand(withoutLeadingOnes(values.detach(), steps.dims.length), steps.dims);
  const whole = asGroups(target, steps);
  const source = reshape(unshared(target, spread), [whole._dims[0], steps.places._numel, whole._dims[2]]);
  (accumulate ? index_add : index_copy).inPlace(whole, 1, steps.places, source);
  // Where the dimensions could not be grouped without a copy, the copy was written.
  if (whole._storage !== target._storage) {
    const ordered = permute(target, steps.order);
    pointwise1(K.copy, ordered, reshape(whole, ordered._dims));
  }
}

function putAt(t: Tensor, indices: readonly (Tensor | null)[], values: Tensor, accumulate: boolean): Tensor {
  const out = clone(t.detach());
  writeAt(out, indices, values, accumulate);
  return recording(t, values) ? record(IndexPut, out, [t, values], indices, accumulate) : out;
}

function putAtInPlace(t: Tensor, indices: readonly (Tensor | null)[], values: Tensor, accumulate: boolean): Tensor {
  return writeInPlace(
    'index_put_',
    t,
    [values],
    (out) => writeAt(out, indices, values, accumulate),
    (before) => putAt(before, indices, values, accumulate),
  );
}

/**
 * Python's `input[…]`: numbers and slices give views, tensors of indices or masks a copy. PyTorch: indexing, in C++
 * `Tensor::index`.
 * @throws RangeError for an index out of range, TypeError for what is no index.
 */
export function index(input: Tensor, ...indices: Index[]): Tensor {
  checkTensor('index', 'input', input);
  const mask = wholeMask(input, indices);
  if (mask !== null) return selectWhere(MaskedIndex, input, mask, input._dims);
  const { view, tensors } = apply('index', input, indices);
  if (tensors.some((t) => t !== null)) return getAt(view, tensors);
  return view === input ? viewOf(input, input._dims, input._strides, input._offset, Alias) : view;
}

const putOptions = defineOptions('index_put', { accumulate: false });

/**
 * Python's `input[…] = value`; with `accumulate` its `input[…] += value`, where an element may receive several. PyTorch:
 * `Tensor.index_put_`.
 * @param value A number, or a tensor that broadcasts to the shape of `input[…]`.
 */
export function index_put_(
  input: Tensor,
  indices: readonly Index[],
  value: Tensor | Scalar,
  options?: { accumulate?: boolean },
): Tensor {
  checkTensor('index_put_', 'input', input);
  const { accumulate } = putOptions(options);
  if (!Array.isArray(indices))
    throw new TypeError(`index_put_: indices: expected a list of indices, got ${describe(indices)}`);
  const mask = wholeMask(input, indices as readonly Index[]);
  if (mask !== null && !accumulate && !(value instanceof Tensor && value._dims.length > 0))
    return fillWhereInPlace(MaskedPut, 'index_put_', input, mask, value);
  const { view, tensors } = apply('index_put_', input, indices as readonly Index[]);
  const isPlain = !tensors.some((t) => t !== null);
  if (!isPlain && value instanceof Tensor && value._dims.length > 0 && value._dtype !== input._dtype) {
    throw new TypeError(
      `index_put_: value: expected dtype ${input._dtype.name} as input has, got ${value._dtype.name}`,
    );
  }
  const given = value instanceof Tensor ? to(value, input._dtype) : full([], value, { dtype: input._dtype });
  const values = isPlain ? withoutLeadingOnes(given, view._dims.length) : given;
  if (isPlain) {
    if (accumulate) view.add_(values);
    else view.copy_(values);
    return input;
  }
  putAtInPlace(view, tensors, values, accumulate);
  return input;
}

/** {@link index_put_} on a copy. PyTorch: `Tensor.index_put`. */
export function index_put(
  input: Tensor,
  indices: readonly Index[],
  value: Tensor | Scalar,
  options?: { accumulate?: boolean },
): Tensor {
  checkTensor('index_put', 'input', input);
  return index_put_(clone(input), indices, value, options);
}
