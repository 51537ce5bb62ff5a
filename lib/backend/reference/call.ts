import { Status, type StatusCode } from '../status.js';

/** The array types a block can be seen as. */
export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** Those whose elements are JavaScript numbers. */
export type NumberArray = Exclude<TypedArray, BigInt64Array>;

/** The dtype codes of the frame. */
export const DType = { float32: 0, float64: 1, int64: 2, int32: 3, uint8: 4, bool: 5 } as const;

/** A checked operand of a STRIDED kernel; offset and strides count elements. */
export interface Operand {
  data: TypedArray;
  offset: number;
  strides: readonly number[];
  dtype: number;
}

/** A STRIDED kernel's call; an absent operand is null. */
export interface StridedCall {
  ndim: number;
  shape: number[];
  scalars: number[];
  operands: (Operand | null)[];
}

/** One row of a LIST kernel's call: `n` contiguous elements of every operand. */
export interface ListRow {
  n: number;
  scalars: number[];
  operands: ({ data: TypedArray; offset: number } | null)[];
}

/** A LIST kernel's call. */
export interface ListCall {
  rows: ListRow[];
  dtype: number;
}

/** Runs one STRIDED kernel; throws {@link KernelError}. */
export type StridedKernel = (call: StridedCall) => void;

/** Runs one LIST kernel; throws {@link KernelError}. */
export type ListKernel = (call: ListCall) => void;

/** A kernel's refusal: a status and the two numbers it may bring. */
export class KernelError extends Error {
  constructor(
    readonly status: StatusCode,
    readonly detail0 = 0,
    readonly detail1 = 0,
  ) {
    super(`kernel status ${status} (${detail0}, ${detail1})`);
  }
}

/** Classes of dtype, by the letters of the kernel contract: a call of another is refused. */
export const isFloating = (dtype: number): boolean => dtype <= DType.float64;
export const isNumeric = (dtype: number): boolean => dtype !== DType.bool;

/** The operand at `position`; refuses a dtype that `allowed` does not. */
export function operand(call: StridedCall, position: number, allowed?: (dtype: number) => boolean): Operand {
  const found = call.operands[position]!;
  if (allowed && !allowed(found.dtype)) throw new KernelError(Status.unsupported_dtype, position, found.dtype);
  return found;
}
