import { pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { pool } from '../backend/index.js';
import { mode } from '../autograd/mode.js';
import { record, recording, requiresGrad, type Op } from '../autograd/node.js';
import { checkInPlace, inPlaceRecorded } from '../autograd/view.js';
import { checkOptions } from '../options.js';
import { bool, DType, float32, float64, int32, int64, uint8, type TypedArray } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, memoryOf, Tensor } from '../tensor/tensor.js';
import { zeros_like } from './creation.js';
import { allocateLike, apart } from './elementwise.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, sameDims } from './shape.js';

// Copies between tensors, dtypes, and JS values.

const ToCopy: Op = {
  name: 'ToCopyBackward0',
  backward: (grad, node) => to(grad, node.attrs as DType),
};

/** A copy of another dtype. @internal */
function convert(input: Tensor, dtype: DType): Tensor {
  const out = allocateLike(input._dims, dtype, input);
  pointwise1(K.copy, out, input);
  if (dtype.is_floating_point && recording(input)) record(ToCopy, out, [input], [], input._dtype);
  return out;
}

const NO_OPTIONS = {};
const TO_OPTIONS = { dtype: null, device: null, copy: false };

/** Options of {@link to}. */
export interface ToOptions {
  dtype?: DType | null;
  device?: 'cpu' | null;
  /** Copy even where nothing changes. Default false. */
  copy?: boolean;
}

/**
 * The tensor in another dtype, or itself if it has it. PyTorch: `Tensor.to`.
 * @param target A dtype, a tensor whose dtype to take, `'cpu'`, or options.
 */
export function to(input: Tensor, target: DType | Tensor | 'cpu' | ToOptions, options: ToOptions = NO_OPTIONS): Tensor {
  checkTensor('to', 'input', input);
  let dtype: DType | null | undefined;
  let given = options;
  if (target instanceof DType) dtype = target;
  else if (target instanceof Tensor) dtype = target._dtype;
  else if (target === 'cpu') dtype = options.dtype;
  else if (typeof target === 'object' && target !== null) {
    given = target;
    dtype = target.dtype;
  } else throw new TypeError(`to: expected a dtype, a Tensor, 'cpu' or options, got ${describe(target)}`);
  if (given !== NO_OPTIONS) checkOptions('to', given, TO_OPTIONS);
  if (dtype != null && !(dtype instanceof DType))
    throw new TypeError(`to: dtype: expected a dtype, got ${describe(dtype)}`);
  if (given.device != null && given.device !== 'cpu') {
    throw new TypeError(`to: device: expected 'cpu', got ${describe(given.device)}`);
  }
  if (dtype == null || dtype === input._dtype) return given.copy ? clone(input) : input;
  return convert(input, dtype);
}

/** The tensor as float32. PyTorch: `Tensor.float`. */
export const float = (input: Tensor): Tensor => to(input, float32);
/** The tensor as float64. PyTorch: `Tensor.double`. */
export const double = (input: Tensor): Tensor => to(input, float64);
/** The tensor as int64. PyTorch: `Tensor.long`. */
export const long = (input: Tensor): Tensor => to(input, int64);
/** The tensor as int32. PyTorch: `Tensor.int`. */
export const int = (input: Tensor): Tensor => to(input, int32);
/** The tensor as uint8. PyTorch: `Tensor.byte`. */
export const byte = (input: Tensor): Tensor => to(input, uint8);
/** The tensor as bool. PyTorch: `Tensor.bool`. */
export { toBool as bool };
const toBool = (input: Tensor): Tensor => to(input, bool);
/** The tensor in the dtype of `other`. PyTorch: `Tensor.type_as`. */
export const type_as = (input: Tensor, other: Tensor): Tensor => to(input, other);

const Clone: Op = {
  name: 'CloneBackward0',
  backward: (grad) => clone(grad),
};

/**
 * A copy. PyTorch: `torch.clone`.
 * @param options.memory_format `preserve` (default) keeps dense strides, `contiguous` gives row-major order.
 */
export function clone(input: Tensor, options?: { memory_format?: 'preserve' | 'contiguous' }): Tensor {
  checkTensor('clone', 'input', input);
  if (options !== undefined) checkOptions('clone', options, { memory_format: 'preserve' });
  const out =
    options?.memory_format === 'contiguous'
      ? allocate(input._dims, input._dtype)
      : allocateLike(input._dims, input._dtype, input);
  pointwise1(K.copy, out, input);
  if (recording(input)) record(Clone, out, [input]);
  return out;
}

/** The tensor itself if it is contiguous, else a contiguous copy. PyTorch: `Tensor.contiguous`. */
export function contiguous(input: Tensor): Tensor {
  return input._strides === null ? input : clone(input, { memory_format: 'contiguous' });
}

const Copy: Op = {
  name: 'CopyBackwards',
  backward: (grad, node) => [
    node.needs(0) ? zeros_like(grad) : null,
    node.needs(1) ? sum_to_size(to(grad, node.attrs as DType), node.inDims[1]) : null,
  ],
};

/**
 * Copies the elements of `source`, broadcast and converted, into `input`. PyTorch: `Tensor.copy_`.
 * @throws RangeError if the shapes do not broadcast to `input`'s.
 */
export function copy_(input: Tensor, source: Tensor): Tensor {
  checkTensor('copy_', 'input', input);
  checkTensor('copy_', 'source', source);
  if (!sameDims(broadcastDims('copy_', input._dims, source._dims), input._dims)) {
    throw new RangeError(
      `copy_: source: expected a shape that broadcasts to [${input._dims.join(', ')}], got [${source._dims.join(', ')}]`,
    );
  }
  checkInPlace('copy_', input);
  if (mode.enabled && (requiresGrad(input) || requiresGrad(source))) {
    return inPlaceRecorded('copy_', input, (before) => {
      const out = allocateLike(before._dims, before._dtype, before);
      pointwise1(K.copy, out, source);
      return out._dtype.is_floating_point ? record(Copy, out, [before, source], [], source._dtype) : out;
    });
  }
  pointwise1(K.copy, input, apart(input, source));
  input._storage.version++;
  return input;
}

/** A tensor over the same memory that is not part of the graph. PyTorch: `Tensor.detach`. */
export function detach(input: Tensor): Tensor {
  checkTensor('detach', 'input', input);
  return new Tensor(input._storage, input._offset, input._dims, input._strides, input._numel, input._dtype);
}

/** Takes the tensor out of the graph. PyTorch: `Tensor.detach_`. @throws Error for a view. */
export function detach_(input: Tensor): Tensor {
  if (input._base !== null) throw new Error("detach_: can't detach views in-place. Use detach() instead");
  input._node = null;
  input._outputNr = 0;
  input._leafGrad = false;
  return input;
}

/** One element as a JS value. */
function jsValue(value: number | bigint, dtype: DType, name: string): number | boolean {
  if (dtype === bool) return value !== 0;
  if (typeof value === 'bigint') {
    const n = Number(value);
    if (!Number.isSafeInteger(n)) {
      throw new RangeError(`${name}: ${value} is beyond the integers a JS number holds exactly; use toTypedArray()`);
    }
    return n;
  }
  return value;
}

/**
 * The only element as a JS number, or boolean for a bool tensor. PyTorch: `Tensor.item`.
 * @throws RangeError if there is not exactly one element, or an int64 beyond 2^53.
 */
export function item(input: Tensor): number | boolean {
  if (input._numel !== 1) throw new RangeError(`item: expected a tensor with one element, got ${describe(input)}`);
  return jsValue(memoryOf(input)[input._offset], input._dtype, 'item');
}

/** A list that nests as deep as the tensor has dimensions. */
export type NestedList = number | boolean | NestedList[];

/** The elements as nested arrays of JS numbers, or booleans. PyTorch: `Tensor.tolist`. @throws RangeError for an int64 beyond 2^53. */
export function tolist(input: Tensor): NestedList {
  const flat = contiguous(detach(input));
  const memory = memoryOf(flat);
  const { _dims: dims, _dtype: dtype } = flat;
  if (dims.length === 0) return jsValue(memory[flat._offset], dtype, 'tolist');
  let at = flat._offset;
  const build = (depth: number): NestedList => {
    const n = dims[depth];
    const list: NestedList = [];
    if (depth < dims.length - 1) {
      for (let i = 0; i < n; i++) list.push(build(depth + 1));
    } else if (memory instanceof BigInt64Array) {
      const halves = new Int32Array(memory.buffer, memory.byteOffset + 8 * at, 2 * n); // a BigInt for each would take four times as long
      for (let i = 0; i < n; i++, at++) {
        const value = halves[2 * i + 1] * 2 ** 32 + (halves[2 * i] >>> 0);
        list.push(Number.isSafeInteger(value) ? value : jsValue(memory[at], dtype, 'tolist'));
      }
    } else if (dtype === bool) {
      for (let i = 0; i < n; i++) list.push(memory[at++] !== 0);
    } else {
      for (let i = 0; i < n; i++) list.push(memory[at++]);
    }
    return list;
  };
  return build(0);
}

/**
 * The elements in row-major order as a typed array of the dtype (bool: Uint8Array).
 * @param options.copy False for a live view of a contiguous tensor's memory instead of a copy. Its buffer may hold other
 *   tensors too, and Node.js may refuse to transfer it: to another thread goes a copy.
 * @throws Error for a live view of a tensor that is not contiguous.
 */
export function toTypedArray(input: Tensor, options?: { copy?: boolean }): TypedArray {
  if (options !== undefined) checkOptions('toTypedArray', options, { copy: true });
  const live = options?.copy === false;
  if (live && input._strides !== null)
    throw new Error('toTypedArray: copy: false needs a contiguous tensor; call contiguous() first');
  const flat = live ? input : contiguous(detach(input));
  if (live) pool.expose(flat._storage);
  const memory = memoryOf(flat);
  const view = memory.subarray(flat._offset, flat._offset + flat._numel) as TypedArray;
  return live ? view : (view.slice() as TypedArray);
}
