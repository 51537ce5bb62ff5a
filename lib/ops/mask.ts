import { callStrided, pointwise2, pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { bool, int64 } from '../tensor/dtype.js';
import { allocate, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { contiguous } from './convert.js';
import { zeros } from './creation.js';
import { allocateLike, writeInPlace } from './elementwise.js';
import { index_add, index_select } from './indexing.js';
import { countTrue, readValue, sumAll, unshared } from './indices.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, numelOf } from './shape.js';
import { expand, reshape } from './view.js';

// What a mask does to a tensor, for the functions of masking.ts and for masks as indices. Those are other nodes in PyTorch's
// graph, so the names are the caller's.

/** The positions of the nonzero elements in row-major order, of a tensor seen as one run. */
export function positions(input: Tensor): Tensor {
  const flat = contiguous(input.detach());
  const n = flat._numel;
  let mask = flat;
  if (flat._dtype !== bool) {
    mask = allocate(flat._dims, bool);
    pointwise2(K.ne, mask, flat, 0);
  }
  const count = countTrue(mask);
  const out = allocate([count], int64);
  if (count > 0)
    callStrided(
      K.nonzero,
      [n, count],
      [mask, out],
      [
        [1, 0],
        [0, 1],
      ],
      [],
      0,
    );
  return out;
}

/** The op of {@link selectWhere}, whose node keeps the positions, by PyTorch's name of the node. */
export function selectOp(name: string): Op {
  return {
    name,
    backward(g, node) {
      const dims = node.attrs as Dims;
      const flat = zeros([numelOf(dims)], { dtype: g._dtype });
      return sum_to_size(reshape(index_add.inPlace(flat, 0, node.unpack(0), g), dims), node.inDims[0]);
    },
  };
}

/** A vector of the elements where `mask` is true; both are expanded to `dims`. */
export function selectWhere(op: Op, input: Tensor, mask: Tensor, dims: Dims): Tensor {
  const places = positions(expand(mask, dims));
  const out = index_select(reshape(expand(input.detach(), dims), [-1]), 0, places);
  if (recording(input)) record(op, out, [input], [places], dims);
  return out;
}

export const MaskedSelect = selectOp('MaskedSelectBackward0');

/** The op of {@link fillWhere}, by PyTorch's name of the node. */
export function fillOp(name: string): Op {
  const op: Op = {
    name,
    backward(g, node) {
      const mask = node.unpack(0);
      return [
        node.needs(0) ? sum_to_size(fillWhere(op, 'masked_fill', g, mask, 0), node.inDims[0]) : null,
        node.needs(1)
          ? sumAll(selectWhere(MaskedSelect, g, mask, broadcastDims('masked_fill', g._dims, mask._dims)))
          : null,
      ];
    },
  };
  return op;
}

function fill(name: string, out: Tensor, input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor | null {
  const [source, content] = readValue(name, out, value);
  pointwiseStrided(K.where, out, [mask, content, input], [], out._dtype.code);
  return source;
}

/** The input with `value` (a number, or a tensor without dimensions) where `mask` is true. They broadcast. */
export function fillWhere(op: Op, name: string, input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor {
  const out = allocateLike(broadcastDims(name, input._dims, mask._dims), input._dtype, input);
  const source = fill(name, out, input, mask, value);
  if (recording(input, source)) record(op, out, [input, source], [mask]);
  return out;
}

/** {@link fillWhere} in place; `mask` broadcasts to the input's shape. */
export function fillWhereInPlace(op: Op, name: string, input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor {
  return writeInPlace(
    name,
    input,
    value instanceof Tensor ? [value] : [],
    (out) => fill(name, out, out, unshared(out, mask), value),
    (before) => fillWhere(op, name, before, mask, value),
  );
}
