import { no_grad } from '../autograd/mode.js';
import { int64 } from '../tensor/dtype.js';
import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { ne } from './comparison.js';
import { to } from './convert.js';
import { zeros } from './creation.js';
import { index_add, index_copy, index_select } from './indexing.js';
import { cat } from './join.js';
import { cumsum } from './scan.js';
import { narrow } from './slices.js';
import { sort } from './sorting.js';
import { SparseTensor } from './sparse_tensor.js';
import { unsqueeze } from './view.js';

// What sparse gradients have beside what the graph and the optimizers do with them.

/** Refuses what is not sparse. */
function sparse(name: string, input: Tensor): SparseTensor {
  if (input instanceof SparseTensor) return input;
  checkTensor(name, 'input', input);
  throw new TypeError(`${name}: input: expected a sparse tensor, got ${describe(input)}`);
}

/** A tensor with all its elements stored: the input itself, unless it is sparse. PyTorch: `Tensor.to_dense`. */
export function to_dense(input: Tensor): Tensor {
  if (!(input instanceof SparseTensor)) return input;
  return index_add.inPlace(zeros(input._dims, { dtype: input._dtype }), 0, input.places, input.rows);
}

/**
 * A sparse tensor whose indices are in order and each there once, the values of equal ones added. PyTorch: `Tensor.coalesce`.
 * @throws TypeError for a dense tensor.
 */
export function coalesce(input: Tensor): Tensor {
  const given = sparse('coalesce', input);
  if (given.coalesced) return given;
  return no_grad(() => {
    const { values, indices } = sort(given.places);
    const n = values._numel;
    const starts = cat([
      zeros([1], { dtype: int64 }),
      to(ne(narrow(values, 0, 1, n - 1), narrow(values, 0, 0, n - 1)), int64),
    ]);
    const group = cumsum(starts, 0);
    const count = Number(narrow(group, 0, n - 1, 1).item()) + 1;
    const places = index_copy.inPlace(zeros([count], { dtype: int64 }), 0, group, values);
    const sums = zeros([count, given._dims[1]], { dtype: given._dtype });
    const rows = index_add.inPlace(sums, 0, group, index_select(given.rows, 0, indices));
    return new SparseTensor(places, rows, given._dims[0], true);
  });
}

/** Whether a sparse tensor's indices are in order and each there once. PyTorch: `Tensor.is_coalesced`. */
export function is_coalesced(input: Tensor): boolean {
  return sparse('is_coalesced', input).coalesced;
}

/** The indices of the stored values: [1, nnz]. PyTorch: `Tensor._indices`. */
export function _indices(input: Tensor): Tensor {
  return unsqueeze(sparse('_indices', input).places, 0);
}

/** The stored values: [nnz, …]. PyTorch: `Tensor._values`. */
export function _values(input: Tensor): Tensor {
  return sparse('_values', input).rows;
}

/** How many values are stored. PyTorch: `Tensor._nnz`. */
export function _nnz(input: Tensor): number {
  return sparse('_nnz', input).places._numel;
}

/** The indices of a coalesced tensor's stored values. PyTorch: `Tensor.indices`. @throws Error if it is not coalesced. */
export function indices(input: Tensor): Tensor {
  return _indices(inOrder('indices', input));
}

/** A coalesced tensor's stored values. PyTorch: `Tensor.values`. @throws Error if it is not coalesced. */
export function values(input: Tensor): Tensor {
  return inOrder('values', input).rows;
}

function inOrder(name: string, input: Tensor): SparseTensor {
  const given = sparse(name, input);
  if (given.coalesced) return given;
  throw new Error(`${name}: cannot get ${name} of an uncoalesced tensor, call coalesce() first`);
}

/** How many dimensions the indices are for. PyTorch: `Tensor.sparse_dim`. */
export function sparse_dim(input: Tensor): number {
  return sparse('sparse_dim', input) && 1;
}

/** How many dimensions a stored value has. PyTorch: `Tensor.dense_dim`. */
export function dense_dim(input: Tensor): number {
  return sparse('dense_dim', input) && 1;
}
