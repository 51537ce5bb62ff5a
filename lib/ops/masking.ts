import { pointwise2 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, contiguousStrides, Tensor, type Scalar } from '../tensor/tensor.js';
import { checkMask, shapeOf } from './indices.js';
import { fillOp, fillWhere, fillWhereInPlace, MaskedSelect, positions, selectWhere } from './mask.js';
import { broadcastDims, sameDims } from './shape.js';

// Reading and writing the elements that a mask names, and finding those that are not zero.

const MaskedFill = fillOp('MaskedFillBackward0');

/**
 * The input with `value` (a number, or a tensor without dimensions) where `mask` is true. They broadcast. PyTorch: `torch.masked_fill`.
 * @throws TypeError if `mask` does not hold booleans.
 */
export const masked_fill = Object.assign(
  (input: Tensor, mask: Tensor, value: Tensor | Scalar): Tensor => {
    checkTensor('masked_fill', 'input', input);
    checkMask('masked_fill', mask);
    return fillWhere(MaskedFill, 'masked_fill', input, mask, value);
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
      return fillWhereInPlace(MaskedFill, 'masked_fill_', input, mask, value);
    },
  },
);

/** A vector of the elements where `mask` is true. They broadcast. PyTorch: `torch.masked_select`. */
export function masked_select(input: Tensor, mask: Tensor): Tensor {
  checkTensor('masked_select', 'input', input);
  checkMask('masked_select', mask);
  return selectWhere(MaskedSelect, input, mask, broadcastDims('masked_select', input._dims, mask._dims));
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
