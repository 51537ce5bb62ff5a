import { callStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { recordAll, recording, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, stridesOf, wrapDim, type Dims, type Tensor } from '../tensor/tensor.js';
import { zeros } from './creation.js';
import { ValuesIndices } from './extrema.js';
import { scatter } from './indexing.js';
import { narrow, select } from './slices.js';
import { unsqueeze } from './view.js';

// Elements in order along a dimension. Sorting is stable; NaN is the greatest.

const sortOptions = defineOptions('sort', { dim: -1, descending: false, stable: false });
const argsortOptions = defineOptions('argsort', { dim: -1, descending: false, stable: false });
const topkOptions = defineOptions('topk', { dim: -1, largest: true, sorted: true });
const kthvalueOptions = defineOptions('kthvalue', { dim: -1, keepdim: false });

/** Options of {@link sort} and {@link argsort}. */
export interface SortOptions {
  /** Default: the last. */
  dim?: number;
  /** Default false. */
  descending?: boolean;
  /** Sorting is always stable. */
  stable?: boolean;
}

/** Options of {@link topk}. */
export interface TopkOptions {
  /** Default: the last. */
  dim?: number;
  /** The greatest (default), or the least. */
  largest?: boolean;
  /** The result is always sorted. */
  sorted?: boolean;
}

/** Options of which `dim` may also stand before them. */
function dimAndOptions<T extends { dim?: number }>(dim?: number | T, options?: Omit<T, 'dim'>): T {
  if (typeof dim === 'object') return dim;
  // What is no object goes on as it is, to be refused.
  return (options === undefined || typeof options === 'object' ? { ...options, dim } : options) as T;
}

function sortArguments(dim?: number | SortOptions, options?: boolean | Omit<SortOptions, 'dim'>): SortOptions {
  return dimAndOptions<SortOptions>(dim, typeof options === 'object' ? options : { descending: options });
}

/** What the node of a selection along a dimension keeps. */
interface Selection {
  dim: number;
  /** Whether `dim` is gone from the results. */
  removed?: boolean;
}

/** The gradient of elements picked along a dimension goes to where they stood. */
function picking(name: string): Op {
  return {
    name,
    backward(g, node) {
      const { dim, removed } = node.attrs as Selection;
      const indices = node.unpack(0);
      const base = zeros(node.inDims[0], { dtype: g._dtype });
      return removed
        ? scatter.inPlace(base, dim, unsqueeze(indices, dim), unsqueeze(g, dim))
        : scatter.inPlace(base, dim, indices, g);
    },
  };
}

const Sort = picking('SortBackward0');
const Topk = picking('TopkBackward0');
const Kthvalue = picking('KthvalueBackward0');

function moved(values: Dims, dim: number): number[] {
  const rest = values.slice();
  rest.push(...rest.splice(dim, 1));
  return rest;
}

/** Sorted values and where they stood, of which only the first `count` along `dim` are set; not recorded. */
function order(input: Tensor, dim: number, descending: boolean, count = Infinity): ValuesIndices {
  const values = allocate(input._dims, input._dtype);
  const indices = allocate(input._dims, int64);
  if (input._numel > 0) {
    const operands = [input, values, indices];
    const [dims, strides] =
      input._dims.length === 0
        ? [[1], operands.map(() => [1])]
        : [moved(input._dims, dim), operands.map((t) => moved(stridesOf(t), dim))];
    callStrided(K.sort, dims, operands, strides, [descending ? 1 : 0, count], 0);
  }
  return new ValuesIndices(values, indices);
}

function recordPicked(op: Op, input: Tensor, picked: ValuesIndices, selection: Selection): ValuesIndices {
  if (recording(input)) recordAll(op, [picked.values, picked.indices], [input], [picked.indices], selection);
  return picked;
}

/** The elements in ascending order along `dim` (default: the last), and where they stood. PyTorch: `torch.sort`. */
export function sort(
  input: Tensor,
  dim?: number | SortOptions,
  options?: boolean | Omit<SortOptions, 'dim'>,
): ValuesIndices {
  checkTensor('sort', 'input', input);
  const given = sortOptions(sortArguments(dim, options));
  const at = wrapDim('sort', given.dim, input._dims.length);
  return recordPicked(Sort, input, order(input, at, given.descending), { dim: at });
}

/** Where the elements stand that sorting would put in order. PyTorch: `torch.argsort`. */
export function argsort(
  input: Tensor,
  dim?: number | SortOptions,
  options?: boolean | Omit<SortOptions, 'dim'>,
): Tensor {
  checkTensor('argsort', 'input', input);
  const given = argsortOptions(sortArguments(dim, options));
  return order(input, wrapDim('argsort', given.dim, input._dims.length), given.descending).indices;
}

/** The `k` greatest elements along `dim` (default: the last), the greatest first, and where they stood. PyTorch: `torch.topk`. */
export function topk(
  input: Tensor,
  k: number,
  dim?: number | TopkOptions,
  options?: Omit<TopkOptions, 'dim'>,
): ValuesIndices {
  checkTensor('topk', 'input', input);
  const given = topkOptions(dimAndOptions(dim, options));
  const at = wrapDim('topk', given.dim, input._dims.length);
  const size = input._dims.length === 0 ? 1 : input._dims[at];
  if (!Number.isInteger(k) || k < 0 || k > size)
    throw new RangeError(`topk: k: expected an integer in [0, ${size}], got ${describe(k)}`);
  const { values, indices } = order(input, at, given.largest, k);
  const first = (t: Tensor): Tensor =>
    input._dims.length === 0 ? t : narrow(t, at, 0, k).clone({ memory_format: 'contiguous' });
  return recordPicked(Topk, input, new ValuesIndices(first(values), first(indices)), { dim: at });
}

/** The `k`-th least element along `dim` (default: the last), and where it stands. PyTorch: `torch.kthvalue`. */
export function kthvalue(
  input: Tensor,
  k: number,
  dim?: number | { dim?: number; keepdim?: boolean },
  options?: { keepdim?: boolean },
): ValuesIndices {
  checkTensor('kthvalue', 'input', input);
  const given = kthvalueOptions(dimAndOptions(dim, options));
  const at = wrapDim('kthvalue', given.dim, input._dims.length);
  const size = input._dims.length === 0 ? 1 : input._dims[at];
  if (!Number.isInteger(k) || k < 1 || k > size)
    throw new RangeError(`kthvalue: k: expected an integer in [1, ${size}], got ${describe(k)}`);
  const { values, indices } = order(input, at, false, k);
  const removed = !given.keepdim && input._dims.length > 0;
  const pick = (t: Tensor): Tensor => {
    if (input._dims.length === 0) return t;
    return (given.keepdim ? narrow(t, at, k - 1, 1) : select(t, at, k - 1)).clone({ memory_format: 'contiguous' });
  };
  return recordPicked(Kthvalue, input, new ValuesIndices(pick(values), pick(indices)), { dim: at, removed });
}
