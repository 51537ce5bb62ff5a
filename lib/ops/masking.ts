import { callStrided, pointwise2, pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recording, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { bool, int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, contiguousStrides, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { contiguous } from './convert.js';
import { zeros } from './creation.js';
import { allocateLike, writeInPlace } from './elementwise.js';
import { index_add, index_select } from './indexing.js';
import { checkMask, countTrue, readValue, shapeOf, sumAll, unshared } from './indices.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, sameDims } from './shape.js';
import { expand, reshape } from './view.js';

// Reading and writing the elements that a mask names, and finding those that are not zero.

const MaskedFill: Op = {
  name: 'MaskedFillBackward0',
  backward(g, node) {
    const mask = node.unpack(0);
    return [
      node.needs(0) ? sum_to_size(masked_fill(g, mask, 0), node.inDims[0]) : null,
      node.needs(1) ? sumAll(masked_select(g, mask)) : null,
    ];
  },
};

function fillMasked(name: string, out: Tensor, input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor | null {
  const [source, content] = readValue(name, out, value);
  pointwiseStrided(K.where, out, [mask, content, input], [], out._dtype.code);
  return source;
}

/**
 * The input with `value` (a number, or a tensor without dimensions) where `mask` is true. They broadcast. PyTorch: `torch.masked_fill`.
 * @throws TypeError if `mask` does not hold booleans.
 */
export const masked_fill = Object.assign(
  (input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor => {
    checkTensor('masked_fill', 'input', input);
    checkMask('masked_fill', mask);
    const out = allocateLike(broadcastDims('masked_fill', input._dims, mask._dims), input._dtype, input);
    const source = fillMasked('masked_fill', out, input, mask, value);
    if (recording(input, source)) record(MaskedFill, out, [input, source], [mask]);
    return out;
  },
  {
    inPlace(input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor {
      checkTensor('masked_fill_', 'input', input);
      checkMask('masked_fill_', mask);
      if (!sameDims(broadcastDims('masked_fill_', input._dims, mask._dims), input._dims)) {
        throw new RangeError(
          `masked_fill_: mask: expected a shape that broadcasts to [${input._dims.join(', ')}], got [${mask._dims.join(', ')}]`,
        );
      }
      return writeInPlace(
        'masked_fill_',
        input,
        value instanceof Tensor ? [value] : [],
        (out) => fillMasked('masked_fill_', out, out, unshared(out, mask), value),
        (before) => masked_fill(before, mask, value),
      );
    },
  },
);

const MaskedSelect: Op = {
  name: 'MaskedSelectBackward0',
  backward(g, node) {
    const dims = node.attrs as Dims;
    const flat = zeros([dims.reduce((n, d) => n * d, 1)], { dtype: g._dtype });
    return sum_to_size(reshape(index_add.inPlace(flat, 0, node.unpack(0), g), dims), node.inDims[0]);
  },
};

/** A vector of the elements where `mask` is true. They broadcast. PyTorch: `torch.masked_select`. */
export function masked_select(input: Tensor, mask: Tensor): Tensor {
  checkTensor('masked_select', 'input', input);
  checkMask('masked_select', mask);
  const dims = broadcastDims('masked_select', input._dims, mask._dims);
  const places = reshape(nonzero(reshape(expand(mask, dims), [-1])), [-1]);
  const flat = reshape(expand(input.detach(), dims), [-1]);
  const out = index_select(flat, 0, places);
  if (recording(input)) record(MaskedSelect, out, [input], [places], dims);
  return out;
}

/** The positions of the nonzero elements in row-major order, of a tensor seen as one run. */
function positions(input: Tensor): Tensor {
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

/**
 * The indices of the nonzero elements, in row-major order: a row each. PyTorch: `torch.nonzero`.
 * @param options.as_tuple A vector for each dimension instead, ready to index with.
 */
export function nonzero(input: Tensor, options?: { as_tuple?: false }): Tensor;
export function nonzero(input: Tensor, options: { as_tuple: true }): Tensor[];
export function nonzero(input: Tensor, options?: { as_tuple?: boolean }): Tensor | Tensor[] {
  checkTensor('nonzero', 'input', input);
  const { as_tuple } = nonzeroOptions(options);
  const flat = positions(input);
  const dims = as_tuple ? shapeOf(input).dims : input._dims;
  const strides = contiguousStrides(dims);
  // Each dimension's index is the quotient by its stride; what is left of the position is that of the others.
  let rest = flat;
  const columns = dims.map((_, d) => {
    if (d === dims.length - 1) return rest;
    const column = allocate(flat._dims, int64);
    pointwise2(K.div_floor, column, rest, strides[d]);
    const left = allocate(flat._dims, int64);
    pointwise2(K.add, left, rest, column, [-strides[d]]);
    rest = left;
    return column;
  });
  if (as_tuple) return columns;
  const out = allocate([flat._numel, dims.length], int64);
  columns.forEach((column, d) => out.select(1, d).copy_(column));
  return out;
}

const nonzeroOptions = defineOptions('nonzero', { as_tuple: false as boolean });

/** {@link nonzero}: a row of indices for each nonzero element. PyTorch: `torch.argwhere`. */
export function argwhere(input: Tensor): Tensor {
  return nonzero(input);
}
