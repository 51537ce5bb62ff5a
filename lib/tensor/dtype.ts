/** The array types a tensor's memory can be seen as. */
export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): TypedArray;
}

/** The kinds that type promotion distinguishes, lowest first. */
export const enum Category {
  bool,
  integer,
  float,
}

/** An element type. PyTorch: `torch.dtype`. */
export class DType {
  /** @internal */
  constructor(
    /** The name without its prefix, e.g. `float32`. */
    readonly name: string,
    /** The dtype's number in the calling frame. @internal */
    readonly code: number,
    /** Bytes per element. */
    readonly itemsize: number,
    /** @internal */
    readonly category: Category,
    /** @internal */
    readonly array: TypedArrayConstructor,
    /** The name in PyTorch's error messages, e.g. `Float`. @internal */
    readonly label: string,
  ) {}

  /** Whether the elements are floating-point numbers. */
  get is_floating_point(): boolean {
    return this.category === Category.float;
  }

  toString(): string {
    return `torch.${this.name}`;
  }

  /** What `console.log` prints. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** 32-bit floating point, the default. */
export const float32 = new DType('float32', 0, 4, Category.float, Float32Array as TypedArrayConstructor, 'Float');
/** 64-bit floating point. */
export const float64 = new DType('float64', 1, 8, Category.float, Float64Array as TypedArrayConstructor, 'Double');
/** 64-bit integers. */
export const int64 = new DType('int64', 2, 8, Category.integer, BigInt64Array as TypedArrayConstructor, 'Long');
/** 32-bit integers. */
export const int32 = new DType('int32', 3, 4, Category.integer, Int32Array as TypedArrayConstructor, 'Int');
/** 8-bit unsigned integers. */
export const uint8 = new DType('uint8', 4, 1, Category.integer, Uint8Array as TypedArrayConstructor, 'Byte');
/** Booleans, one byte each. */
export const bool = new DType('bool', 5, 1, Category.bool, Uint8Array as TypedArrayConstructor, 'Bool');

/** Another name of {@link float32}. */
export const float = float32;
/** Another name of {@link float64}. */
export const double = float64;
/** Another name of {@link int64}. */
export const long = int64;
/** Another name of {@link int32}. */
export const int = int32;

/** Every dtype, by its code. @internal */
export const dtypes: readonly DType[] = [float32, float64, int64, int32, uint8, bool];

let defaultDtype = float32;

/** The floating-point dtype that JS numbers become. PyTorch: `torch.get_default_dtype`. */
export function get_default_dtype(): DType {
  return defaultDtype;
}

/**
 * Sets the floating-point dtype that JS numbers become. PyTorch: `torch.set_default_dtype`.
 * @throws TypeError if `d` is not a floating-point dtype.
 */
export function set_default_dtype(d: DType): void {
  if (!(d instanceof DType) || !d.is_floating_point) {
    throw new TypeError(`set_default_dtype: expected a floating-point dtype, got ${String(d)}`);
  }
  defaultDtype = d;
}

function checkDType(name: string, argument: string, value: unknown): void {
  if (!(value instanceof DType))
    throw new TypeError(`${name}: ${argument}: expected a dtype such as torch.float32, got ${typeof value}`);
}

/** The dtype both can be converted to without changing kind: PyTorch's `torch.promote_types`. */
export function promote_types(a: DType, b: DType): DType {
  checkDType('promote_types', 'type1', a);
  checkDType('promote_types', 'type2', b);
  if (a === b) return a;
  if (a.category !== b.category) return a.category > b.category ? a : b;
  // Of two floats, or two integers, the wider; there is one unsigned type and every signed one is wider.
  return a.itemsize > b.itemsize ? a : b;
}

/** Whether PyTorch lets a result of dtype `from` be written into `to`. PyTorch: `torch.can_cast`. */
export function can_cast(from: DType, to: DType): boolean {
  checkDType('can_cast', 'from', from);
  checkDType('can_cast', 'to', to);
  return from.category <= to.category;
}
