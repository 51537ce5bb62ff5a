import { pointwise1, pointwise2, pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { bool, int32, int64 } from '../tensor/dtype.js';
import {
  allocate,
  checkTensor,
  describe,
  memoryOf,
  stridesOf,
  Tensor,
  type Dims,
  type Scalar,
} from '../tensor/tensor.js';
import { clone, contiguous, to } from './convert.js';
import { fillScalar } from './creation.js';
import { readDims, reduceInto, sumOver } from './reduction.js';

// What everything that goes by indices or a mask shares.

/** An index tensor as the kernels want it. @throws TypeError if it does not hold int64 or int32. */
export function checkIndex(name: string, index: unknown, argument = 'index'): Tensor {
  checkTensor(name, argument, index);
  if (index._dtype !== int64 && index._dtype !== int32)
    throw new TypeError(`${name}: ${argument}: expected a tensor of dtype int64, got ${describe(index)}`);
  return to(index, int64);
}

/** Refuses a mask that does not hold booleans. */
export function checkMask(name: string, mask: unknown): asserts mask is Tensor {
  checkTensor(name, 'mask', mask);
  if (mask._dtype !== bool)
    throw new TypeError(`${name}: mask: expected a tensor of dtype bool, got ${describe(mask)}`);
}

/** A tensor that can be read while elements of `out` are written in any order: a copy where they share a storage. */
export function unshared(out: Tensor, t: Tensor): Tensor {
  const [a, b] = [out._storage, t._storage];
  return a.block === b.block && a.byteOffset === b.byteOffset ? clone(t.detach()) : t;
}

/** The sum of all elements. */
export function sumAll(t: Tensor): Tensor {
  return sumOver(t, readDims('sum', null, t._dims.length), false);
}

/** How many elements of a mask are true. */
export function countTrue(mask: Tensor): number {
  return sumAll(to(mask, int64)).item() as number;
}

/**
 * Indices, of which negative ones count from the end, counted from the front.
 * @throws RangeError for one out of range.
 */
export function wrapIndices(name: string, index: Tensor, size: number): Tensor {
  if (index._numel === 0) return index;
  const [least, greatest] = [K.amin, K.amax].map((kernel) => {
    const t = allocate([], int64);
    reduceInto(kernel, index, readDims(name, null, index._dims.length), [t]);
    return (memoryOf(t) as BigInt64Array)[t._offset];
  });
  if (least >= -size && greatest < size) {
    const wrapped = allocate(index._dims, int64);
    if (least >= 0) {
      pointwise1(K.copy, wrapped, index);
    } else {
      const negative = allocate(index._dims, bool);
      pointwise2(K.lt, negative, index, 0);
      pointwise2(K.add, wrapped, index, size, [1]);
      pointwiseStrided(K.where, wrapped, [negative, wrapped, index], []);
    }
    return wrapped;
  }
  const flat = contiguous(index);
  const bad = memoryOf(flat)
    .subarray(flat._offset, flat._offset + flat._numel)
    .find((i) => i < -size || i >= size);
  throw new RangeError(`${name}: index ${bad} is out of bounds for dimension with size ${size}`);
}

/** Dimensions and strides of a tensor that has at least one. */
export function shapeOf(t: Tensor): { dims: Dims; strides: Dims } {
  return t._dims.length === 0 ? { dims: [1], strides: [1] } : { dims: t._dims, strides: stridesOf(t) };
}

/** What a kernel reads. */
export type Operand = Tensor | number;

/** A JS value as an operand of a kernel, in the dtype of `input`. */
export function contentOf(name: string, input: Tensor, value: Scalar): Operand {
  const one = allocate([], input._dtype);
  fillScalar(name, one, value);
  return typeof value === 'bigint' ? one : Number(value);
}

/** A value given as a number or as a tensor without dimensions: that tensor, and what a kernel reads. */
export function readValue(name: string, input: Tensor, value: Tensor | Scalar): [Tensor | null, Operand] {
  if (!(value instanceof Tensor)) return [null, contentOf(name, input, value)];
  if (value._dims.length > 0)
    throw new RangeError(`${name}: value: expected a number or a tensor without dimensions, got ${describe(value)}`);
  const converted = to(value, input._dtype);
  return [converted, clone(converted.detach())];
}
