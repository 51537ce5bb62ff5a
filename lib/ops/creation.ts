import { callStrided, pointwiseStrided } from '../backend/frame.js';
import { defineOptions } from '../options.js';
import {
  bool,
  DType,
  float32,
  float64,
  get_default_dtype,
  int32,
  int64,
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
  pointwiseStrided('fill', out, [], [value]);
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
    pointwiseStrided('copy', out, [tensor(value)], []);
    return;
  }
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') {
    throw new TypeError(`${name}: value: expected a number, a boolean or a bigint, got ${describe(value)}`);
  }
  fillNumber(out, Number(value));
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
  callStrided('arange', [n], [out], [[1]], [start, step], 0);
  return out;
}

/** `steps` numbers from `start` to `end`, both included, at equal distances. PyTorch: `torch.linspace`. */
export function linspace(start: number, end: number, steps: number, options?: TensorOptions): Tensor {
  const [n] = readSizes('linspace', [steps]);
  const out = make('linspace', [n], options, get_default_dtype(), null);
  const memory = memoryOf(out);
  const double = out._dtype !== float32;
  // As PyTorch: from both ends to the middle, in the dtype's own precision.
  const round = double ? (x: number) => x : Math.fround;
  const step = round(round(end - start) / (n - 1));
  const values = Array.from({ length: n }, (_, i) => {
    if (n === 1) return start;
    return i < n / 2 ? round(start + round(step * i)) : round(end - round(step * (n - 1 - i)));
  });
  setAll(memory, out._offset, values);
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
  const walk = (item: NestedArray, depth: number): void => {
    if (ArrayBuffer.isView(item) || Array.isArray(item)) {
      const list = item as readonly NestedArray[];
      if (depth === dims.length || list.length !== dims[depth]) {
        throw new RangeError(
          `tensor: data: expected a sequence of length ${dims[depth] ?? 'none'} at dimension ${depth}, got one of length ${list.length}`,
        );
      }
      for (const part of list) walk(part, depth + 1);
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
    const own = dtypeOfScalar(item);
    if (dtype === null || own.category > dtype.category) dtype = own;
    values.push(item);
  };
  walk(data, 0);
  return { dims, values, dtype: dtype ?? get_default_dtype() };
}

function setAll(memory: TypedArray, at: number, values: readonly Scalar[]): void {
  if (memory instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) memory[at + i] = toBigInt(values[i]);
  } else {
    for (let i = 0; i < values.length; i++) memory[at + i] = Number(values[i]);
  }
}

function toBigInt(value: Scalar): bigint {
  if (typeof value !== 'number') return BigInt(value);
  if (!Number.isFinite(value)) throw new RangeError(`tensor: data: cannot convert ${value} to int64`);
  return BigInt(Math.trunc(value));
}

/**
 * A tensor with the given values, copied. JS numbers become the default dtype, booleans `bool`, bigints `int64`, a typed
 * array its own dtype. PyTorch: `torch.tensor`.
 * @throws RangeError if nested arrays are ragged; TypeError for a value that is no number.
 */
export function tensor(data: NestedArray | Tensor, options?: TensorOptions): Tensor {
  const given = optionsOf.tensor(options);
  let dims: Dims;
  let dtype: DType;
  let write: (memory: TypedArray, at: number) => void;
  if (data instanceof Tensor) {
    const out = make('tensor', data._dims, options, data._dtype, null);
    pointwiseStrided('copy', out, [data], []);
    return out;
  }
  const own = ArrayBuffer.isView(data) ? dtypeOfArray(data as TypedArray) : undefined;
  if (ArrayBuffer.isView(data)) {
    if (own === undefined) {
      throw new TypeError(
        `tensor: data: expected a Float32Array, Float64Array, BigInt64Array, Int32Array or Uint8Array, got ${describe(data)}`,
      );
    }
    const array = data as TypedArray;
    dims = [array.length];
    dtype = given.dtype ?? own;
    write =
      dtype.array === own.array && dtype !== bool
        ? (memory, at) => memory.set(array as never, at)
        : (memory, at) =>
            setAll(
              memory,
              at,
              Array.from(array as ArrayLike<Scalar>, (x) => (dtype === bool ? x != 0 : x)),
            );
  } else {
    const flat = flatten(data);
    dims = flat.dims;
    dtype = given.dtype ?? flat.dtype;
    const values = dtype === bool ? flat.values.map(Boolean) : flat.values;
    write = (memory, at) => setAll(memory, at, values);
  }
  const out = make('tensor', dims, options, dtype, null);
  write(memoryOf(out), out._offset);
  return out;
}
