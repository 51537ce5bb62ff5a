import { DType } from './call.js';

const MIN_INT64 = -(2 ** 63);
const MIN_INT32 = -(2 ** 31);

/** A number as int64, as x86 casts it: towards zero, and the least int64 for what has no place in it. */
export function toInt64(x: number): bigint {
  return x >= MIN_INT64 && x < -MIN_INT64 ? BigInt(Math.trunc(x)) : BigInt(MIN_INT64);
}

/** A number as int32, likewise. */
export function toInt32(x: number): number {
  return x > MIN_INT32 - 1 && x < -MIN_INT32 ? Math.trunc(x) : MIN_INT32;
}

/** The cast from a JavaScript number to an element of `dtype`; storing it does the rest. */
export function fromNumber(dtype: number): (x: number) => number | bigint {
  if (dtype === DType.int64) return toInt64;
  if (dtype === DType.int32) return toInt32;
  if (dtype === DType.bool) return (x) => (x !== 0 ? 1 : 0);
  return (x) => x;
}

/** The cast from an int64 to an element of `dtype`. */
export function fromBigInt(dtype: number): (x: bigint) => number | bigint {
  if (dtype === DType.int64) return (x) => x;
  if (dtype === DType.int32) return (x) => Number(BigInt.asIntN(32, x));
  if (dtype === DType.uint8) return (x) => Number(BigInt.asUintN(8, x));
  if (dtype === DType.bool) return (x) => (x !== 0n ? 1 : 0);
  return Number;
}
