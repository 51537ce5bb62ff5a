import { callFill, callStrided, pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import {
  bool,
  DType,
  float32,
  float64,
  get_default_dtype,
  int32,
  int64,
  promote_types,
  uint8,
  type TypedArray,
} from '../tensor/dtype.js';
import { allocate, checkTensor, describe, memoryOf, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { readSizes } from './shape.js';

/** Options of the creation functions. */
export interface TensorOptions {
  /** Default: the default dtype, or that of the tensor or values given. */
  dtype?: DType | null;
  /** Only `'cpu'`. */
  device?: 'cpu' | null;
  /** Whether `backward` computes a gradient for it. Default false. */
  requires_grad?: boolean;
}

/** Sizes, one by one or as one array, and then options. */
export type SizesAndOptions<O = TensorOptions> =
  [...sizes: number[]] | [...sizes: number[], options: O] | [sizes: Dims, options?: O];

/** Values in nested arrays, a typed array, or a single value. */
export type NestedArray = Scalar | TypedArray | readonly NestedArray[];

const tensorDefaults: { dtype: DType | null; device: 'cpu' | null; requires_grad: boolean } = {
  dtype: null,
  device: null,
  requires_grad: false,
};
const optionsOf = {
  tensor: defineOptions('tensor', tensorDefaults),
  empty: defineOptions('empty', tensorDefaults),
  zeros: defineOptions('zeros', tensorDefaults),
  ones: defineOptions('ones', tensorDefaults),
  full: defineOptions('full', tensorDefaults),
  arange: defineOptions('arange', tensorDefaults),
  linspace: defineOptions('linspace', tensorDefaults),
  eye: defineOptions('eye', tensorDefaults),
  empty_like: defineOptions('empty_like', tensorDefaults),
  zeros_like: defineOptions('zeros_like', tensorDefaults),
  ones_like: defineOptions('ones_like', tensorDefaults),
  full_like: defineOptions('full_like', tensorDefaults),
};
type Maker = keyof typeof optionsOf;

/**
 * Checks what every creation function takes.
 * @throws TypeError for a dtype that is none, another device, or a gradient for integers.
 */
export function checkTensorOptions(name: string, options: TensorOptions, dtype: DType): void {
  if (options.dtype != null && !(options.dtype instanceof DType)) {
    throw new TypeError(`${name}: dtype: expected a dtype such as torch.float32, got ${describe(options.dtype)}`);
  }
  if (options.device != null && options.device !== 'cpu') {
    throw new TypeError(`${name}: device: expected 'cpu', got ${describe(options.device)}`);
  }
  if (options.requires_grad && !dtype.is_floating_point) {
    throw new TypeError(
      `${name}: requires_grad: only tensors of floating-point dtype can require gradients, got ${dtype.name}`,
    );
  }
}

/** Splits arguments into sizes and options. @internal */
export function splitSizes<O>(name: string, given: readonly unknown[]): { sizes: number[]; options: O | undefined } {
  const last = given[given.length - 1];
  const hasOptions = given.length > 0 && typeof last === 'object' && last !== null && !Array.isArray(last);
  const sizes = readSizes(name, (hasOptions ? given.slice(0, -1) : given) as number[]);
  return { sizes, options: hasOptions ? (last as O) : undefined };
}

function make(name: Maker, dims: Dims, given: TensorOptions | undefined, dtype: DType, value: number | null): Tensor {
  const options = optionsOf[name](given);
  const type = options.dtype ?? dtype;
  checkTensorOptions(name, options, type);
  const out = allocate(dims, type);
  if (value !== null) fillNumber(out, value);
  out._leafGrad = options.requires_grad;
  return out;
}

/** Sets every element; not recorded. @internal */
export function fillNumber(out: Tensor, value: number): void {
  callFill(out, value);
}

function makeSized(name: Maker, given: readonly unknown[], value: number | null): Tensor {
  const { sizes, options } = splitSizes<TensorOptions>(name, given);
  return make(name, sizes, options, get_default_dtype(), value);
}

function makeLike(name: Maker, input: Tensor, options: TensorOptions | undefined, value: number | null): Tensor {
  checkTensor(name, 'input', input);
  return make(name, input._dims, options, input._dtype, value);
}

/** A tensor of the given sizes with uninitialised elements. PyTorch: `torch.empty`. */
export function empty(...sizes: SizesAndOptions): Tensor {
  return makeSized('empty', sizes, null);
}

/** A tensor of the given sizes filled with 0. PyTorch: `torch.zeros`. */
export function zeros(...sizes: SizesAndOptions): Tensor {
  return makeSized('zeros', sizes, 0);
}

/** A tensor of the given sizes filled with 1. PyTorch: `torch.ones`. */
export function ones(...sizes: SizesAndOptions): Tensor {
  return makeSized('ones', sizes, 1);
}

/**
 * A tensor of the given sizes filled with `fill_value`, of its dtype: numbers give the default dtype. PyTorch: `torch.full`.
 */
export function full(size: Dims, fill_value: Scalar, options?: TensorOptions): Tensor {
  const dims = readSizes('full', [size]);
  const out = make('full', dims, options, dtypeOfScalar(fill_value), null);
  fillScalar('full', out, fill_value);
  return out;
}

/** Sets every element to a JS value; not recorded. @internal */
export function fillScalar(name: string, out: Tensor, value: Scalar): void {
  if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
    if (out._dtype !== int64)
      throw new RangeError(`${name}: value: ${value}n cannot be represented by ${out._dtype.name}`);
    // Beyond what the frame's numbers hold: through a tensor of one element.
    pointwiseStrided(K.copy, out, [tensor(value)], []);
    return;
  }
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') {
    throw new TypeError(`${name}: value: expected a number, a boolean or a bigint, got ${describe(value)}`);
  }
  checkRange(name, value, out._dtype, true);
  fillNumber(out, Number(value));
}

/** The least and the greatest value of an integer dtype that PyTorch accepts: a negative one may stand for its complement. */
const integerRanges = new Map<DType, readonly [min: bigint, max: bigint]>([
  [int64, [-(2n ** 63n), 2n ** 63n - 1n]],
  [int32, [-(2n ** 31n), 2n ** 31n - 1n]],
  [uint8, [-255n, 255n]],
]);
const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/**
 * Refuses a value that the dtype cannot hold.
 * @param strict Whether to refuse a number that would become infinite too.
 */
function checkRange(name: string, value: Scalar, dtype: DType, strict = false): void {
  const range = integerRanges.get(dtype);
  const fits =
    range === undefined
      ? !strict || dtype !== float32 || !Number.isFinite(Number(value)) || Math.abs(Number(value)) <= FLOAT32_MAX
      : (value as number) >= range[0] && (value as number) <= range[1];
  if (!fits)
    throw new RangeError(`${name}: value ${String(value)} cannot be converted to ${dtype.name} without overflow`);
}

/** Like `input` in shape and dtype, with uninitialised elements. PyTorch: `torch.empty_like`. */
export function empty_like(input: Tensor, options?: TensorOptions): Tensor {
  return makeLike('empty_like', input, options, null);
}

/** Like `input` in shape and dtype, filled with 0. PyTorch: `torch.zeros_like`. */
export function zeros_like(input: Tensor, options?: TensorOptions): Tensor {
  return makeLike('zeros_like', input, options, 0);
}

/** Like `input` in shape and dtype, filled with 1. PyTorch: `torch.ones_like`. */
export function ones_like(input: Tensor, options?: TensorOptions): Tensor {
  return makeLike('ones_like', input, options, 1);
}

/** Like `input` in shape and dtype, filled with `fill_value`. PyTorch: `torch.full_like`. */
export function full_like(input: Tensor, fill_value: Scalar, options?: TensorOptions): Tensor {
  const out = makeLike('full_like', input, options, null);
  fillScalar('full_like', out, fill_value);
  return out;
}

/**
 * The numbers from `start` (default 0) up to but not including `end`, in steps of `step` (default 1). int64 if all are
 * whole numbers, else the default dtype. PyTorch: `torch.arange`.
 * @throws RangeError if the bounds are not finite, or the step is 0 or leads away from `end`.
 */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...given: (number | TensorOptions | undefined)[]): Tensor {
  const numbers = given.filter((g) => typeof g === 'number');
  const options = given.find((g) => typeof g === 'object');
  if (numbers.length < 1 || numbers.length > 3 || given.length > numbers.length + 1)
    throw new TypeError(
      `arange: expected (end), (start, end) or (start, end, step), then options, got ${describe(given)}`,
    );
  const [start, end, step = 1] = numbers.length === 1 ? [0, numbers[0]] : numbers;
  for (const n of [start, end, step]) {
    if (!Number.isFinite(n))
      throw new RangeError(`arange: expected finite start, end and step, got ${describe(given)}`);
  }
  if (step === 0) throw new RangeError('arange: step: expected a nonzero number, got 0');
  if ((end - start) * step < 0) {
    throw new RangeError(
      `arange: upper bound and lower bound inconsistent with step sign: start ${start}, end ${end}, step ${step}`,
    );
  }
  const whole = [start, end, step].every(Number.isInteger);
  const n = Math.ceil((end - start) / step);
  const out = make('arange', [n], options, whole ? int64 : get_default_dtype(), null);
  callStrided(K.arange, [n], [out], [[1]], [start, step], 0);
  return out;
}

/** `steps` numbers from `start` to `end`, both included, at equal distances. PyTorch: `torch.linspace`. */
export function linspace(start: number, end: number, steps: number, options?: TensorOptions): Tensor {
  const [n] = readSizes('linspace', [steps]);
  for (const [argument, value] of Object.entries({ start, end })) {
    if (typeof value !== 'number')
      throw new TypeError(`linspace: ${argument}: expected a number, got ${describe(value)}`);
  }
  const out = make('linspace', [n], options, get_default_dtype(), null);
  callStrided(K.linspace, [n], [out], [[1]], [start, end], 0);
  return out;
}

/** A matrix of `n` rows and `m` (default `n`) columns with ones on the diagonal. PyTorch: `torch.eye`. */
export function eye(n: number, m?: number | TensorOptions, options?: TensorOptions): Tensor {
  const columns = typeof m === 'number' ? m : n;
  const dims = readSizes('eye', [n, columns]);
  const out = make('eye', dims, typeof m === 'number' ? options : m, get_default_dtype(), 0);
  const length = Math.min(n, columns);
  if (length > 0) fillNumber(new Tensor(out._storage, out._offset, [length], [columns + 1], length, out._dtype), 1);
  return out;
}

function dtypeOfScalar(value: Scalar): DType {
  if (typeof value === 'boolean') return bool;
  return typeof value === 'bigint' ? int64 : get_default_dtype();
}

function dtypeOfArray(array: TypedArray): DType | undefined {
  if (array instanceof Float32Array) return float32;
  if (array instanceof Float64Array) return float64;
  if (array instanceof BigInt64Array) return int64;
  if (array instanceof Int32Array) return int32;
  return array instanceof Uint8Array ? uint8 : undefined;
}

/** The shape, the values in order and the dtype of nested arrays. */
function flatten(data: NestedArray): { dims: number[]; values: Scalar[]; dtype: DType } {
  const dims: number[] = [];
  for (
    let level: NestedArray = data;
    Array.isArray(level) || ArrayBuffer.isView(level);
    level = level[0] as NestedArray
  ) {
    dims.push((level as NestedArray[]).length);
    if (dims.length > 64) throw new RangeError('tensor: data: nested deeper than 64 dimensions');
  }
  const values: Scalar[] = [];
  let dtype: DType | null = null;
  let lastType = ''; // of the element before: most are of one type
  const walk = (item: NestedArray, depth: number): void => {
    if (ArrayBuffer.isView(item) || Array.isArray(item)) {
      const list = item as readonly NestedArray[];
      if (
        depth === dims.length ||
        list.length !== dims[depth] ||
        (ArrayBuffer.isView(item) && depth + 1 !== dims.length)
      ) {
        throw new RangeError(
          `tensor: data: expected a sequence of length ${dims[depth] ?? 'none'} at dimension ${depth}, got one of length ${list.length}`,
        );
      }
      if (ArrayBuffer.isView(item)) {
        const own = readTypedArray(item);
        dtype = dtype === null ? own : promote_types(dtype, own);
        for (const value of list) values.push(value as Scalar);
      } else {
        for (const part of list) walk(part, depth + 1);
      }
      return;
    }
    if (depth !== dims.length) {
      throw new RangeError(
        `tensor: data: expected a sequence of length ${dims[depth]} at dimension ${depth}, got ${describe(item)}`,
      );
    }
    if (typeof item !== 'number' && typeof item !== 'boolean' && typeof item !== 'bigint') {
      throw new TypeError(`tensor: data: expected numbers, booleans or bigints, got ${describe(item)}`);
    }
    if (typeof item !== lastType) {
      const own = dtypeOfScalar(item);
      dtype = dtype === null ? own : promote_types(dtype, own);
      lastType = typeof item;
    }
    values.push(item);
  };
  walk(data, 0);
  return { dims, values, dtype: dtype ?? get_default_dtype() };
}

/** Writes values, in order, into a contiguous tensor. */
function setAll(out: Tensor, values: ArrayLike<Scalar>): void {
  const { _dtype: dtype, _offset: at } = out;
  const memory = memoryOf(out);
  const integers = integerRanges.has(dtype);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (integers) checkRange('tensor', value, dtype);
    if (memory instanceof BigInt64Array)
      memory[at + i] = typeof value === 'number' ? BigInt(Math.trunc(value)) : BigInt(value);
    else memory[at + i] = dtype === bool ? Number(Boolean(value)) : Number(value);
  }
}

/** The dtype of a typed array. @throws TypeError if there is none, or its buffer is detached. */
function readTypedArray(array: ArrayBufferView): DType {
  const dtype = dtypeOfArray(array as TypedArray);
  if (dtype === undefined) {
    throw new TypeError(
      `tensor: data: expected a Float32Array, Float64Array, BigInt64Array, Int32Array or Uint8Array, got ${describe(array)}`,
    );
  }
  try {
    new Uint8Array(array.buffer);
  } catch {
    throw new TypeError('tensor: data: expected a typed array with memory, got one whose ArrayBuffer is detached');
  }
  return dtype;
}

/**
 * A tensor with the given values, copied. JS numbers become the default dtype, booleans `bool`, bigints `int64`, a typed
 * array its own dtype. PyTorch: `torch.tensor`.
 * @throws RangeError if nested arrays are ragged; TypeError for a value that is no number.
 */
export function tensor(data: NestedArray | Tensor, options?: TensorOptions): Tensor {
  const given = optionsOf.tensor(options);
  if (data instanceof Tensor) {
    const out = make('tensor', data._dims, options, data._dtype, null);
    pointwiseStrided(K.copy, out, [data.detach()], []);
    return out;
  }
  if (!ArrayBuffer.isView(data)) {
    const { dims, values, dtype } = flatten(data);
    const out = make('tensor', dims, options, dtype, null);
    setAll(out, values);
    return out;
  }
  const own = readTypedArray(data);
  const array = data as TypedArray;
  const out = make('tensor', [array.length], options, own, null);
  const dtype = given.dtype ?? own;
  if (dtype === own) memoryOf(out).set(array as never, out._offset);
  else setAll(out, array as ArrayLike<Scalar>);
  return out;
}

/** {@link tensor}, or `data` itself if it is a tensor of that dtype. PyTorch: `torch.as_tensor`. */
export function as_tensor(data: NestedArray | Tensor, options?: Omit<TensorOptions, 'requires_grad'>): Tensor {
  return data instanceof Tensor ? data.to(options ?? {}) : tensor(data, options);
}

/** Whether a value is a tensor. PyTorch: `torch.is_tensor`. */
export function is_tensor(obj: unknown): obj is Tensor {
  return obj instanceof Tensor;
}

/** The number of elements. PyTorch: `torch.numel`. */
export function numel(input: Tensor): number {
  checkTensor('numel', 'input', input);
  return input._numel;
}
