import {
  DType,
  isFloating,
  isNumeric,
  operand,
  type NumberArray,
  type StridedCall,
  type StridedKernel,
  type TypedArray,
} from './call.js';
import { copy } from './copy.js';
import { collapse, eachRow } from './loops.js';

/** What reduces `n` elements of `a`, from `i` on and `stride` apart. */
type Reducer<A, R> = (a: A, i: number, stride: number, n: number) => R;

/**
 * Calls `body` for each kept position with the reduced elements as one run, gathered first where their dimensions
 * do not make one, and with the offsets of the operands.
 */
function eachRun(
  call: StridedCall,
  body: (a: TypedArray, i: number, stride: number, n: number, offsets: readonly number[]) => void,
): void {
  const inner = call.scalars[0];
  const kept = call.ndim - inner;
  const a = operand(call, 0);
  const shape = call.shape.slice(kept);
  const n = shape.reduce((x, y) => x * y, 1);
  const source = { ...a, strides: a.strides.slice(kept) };
  const flat = collapse({ ndim: inner, shape, scalars: [], operands: [source] });
  if (flat.ndim === 1) {
    const stride = flat.operands[0]!.strides[0];
    eachRow(call, inner, (offsets) => body(a.data, offsets[0], stride, n, offsets));
    return;
  }
  const data = a.data.slice(0, 0).constructor as new (n: number) => TypedArray;
  const run = { ...flat.operands[0]!, data: new data(n), offset: 0, strides: rowMajor(flat.shape) };
  eachRow(call, inner, (offsets) => {
    copy({ ...flat, operands: [{ ...flat.operands[0]!, offset: offsets[0] }, run] });
    body(run.data, 0, 1, n, offsets);
  });
}

function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, step = 1; d >= 0; step *= shape[d--]) strides[d] = step;
  return strides;
}

interface Reducers<R = number> {
  float: Reducer<NumberArray, R>;
  int64?: Reducer<BigInt64Array, bigint>;
  /** int32, uint8 and bool. */
  int?: Reducer<NumberArray, R>;
}

function reduction({ float, int64, int }: Reducers, allowed?: (dtype: number) => boolean): StridedKernel {
  return (call) => {
    const { dtype } = operand(call, 0, allowed);
    const out = operand(call, 1).data;
    const f = dtype <= DType.float64 ? float : dtype === DType.int64 ? int64 : (int ?? float);
    eachRun(call, (a, i, stride, n, offsets) => {
      out[offsets[1]] = (f as Reducer<TypedArray, number | bigint>)(a, i, stride, n);
    });
  };
}

/** In blocks of 256, joined in pairs: the error grows with log n. */
export function sum(a: NumberArray, i: number, stride: number, n: number): number {
  if (n > 256) {
    const half = Math.ceil(n / 512) * 256;
    return sum(a, i, stride, half) + sum(a, i + half * stride, stride, n - half);
  }
  let s = 0;
  for (let k = 0; k < n; k++, i += stride) s += a[i];
  return s;
}

/** Σ (a - mean)², in pairs likewise. */
export function squaresAround(mean: number, a: NumberArray, i: number, stride: number, n: number): number {
  if (n > 256) {
    const half = Math.ceil(n / 512) * 256;
    return squaresAround(mean, a, i, stride, half) + squaresAround(mean, a, i + half * stride, stride, n - half);
  }
  let s = 0;
  for (let k = 0; k < n; k++, i += stride) s += (a[i] - mean) ** 2;
  return s;
}

function sumInt(a: NumberArray, i: number, stride: number, n: number): number {
  let s = 0;
  for (let k = 0; k < n; k++, i += stride) s = (s + a[i]) | 0;
  return s;
}

function sumInt64(a: BigInt64Array, i: number, stride: number, n: number): bigint {
  let s = 0n;
  for (let k = 0; k < n; k++, i += stride) s += a[i];
  return s;
}

function prod(a: NumberArray, i: number, stride: number, n: number): number {
  let p = 1;
  for (let k = 0; k < n; k++, i += stride) p *= a[i];
  return p;
}

function prodInt(a: NumberArray, i: number, stride: number, n: number): number {
  let p = 1;
  for (let k = 0; k < n; k++, i += stride) p = Math.imul(p, a[i]);
  return p;
}

function prodInt64(a: BigInt64Array, i: number, stride: number, n: number): bigint {
  let p = 1n;
  for (let k = 0; k < n; k++, i += stride) p = BigInt.asIntN(64, p * a[i]);
  return p;
}

/** The position of the extreme element: the first of equals, and the first NaN before all others. */
function extremeAt(a: TypedArray, i: number, stride: number, n: number, greatest: boolean): number {
  let best = 0;
  let top = a[i];
  for (let k = 0; k < n; k++, i += stride) {
    const x = a[i];
    if (x !== x) return k;
    if (greatest ? x > top : x < top) {
      top = x;
      best = k;
    }
  }
  return best;
}

function extreme(greatest: boolean): StridedKernel {
  return (call) => {
    const out = operand(call, 1).data;
    eachRun(call, (a, i, stride, n, offsets) => {
      if (n > 0) out[offsets[1]] = a[i + extremeAt(a, i, stride, n, greatest) * stride];
    });
  };
}

function extremePosition(greatest: boolean): StridedKernel {
  return (call) => {
    const out = operand(call, 1).data;
    eachRun(call, (a, i, stride, n, offsets) => {
      if (n > 0) out[offsets[1]] = BigInt(extremeAt(a, i, stride, n, greatest));
    });
  };
}

function varMean(call: StridedCall): void {
  operand(call, 0, isFloating);
  const [, variances, means] = call.operands;
  const correction = call.scalars[1];
  eachRun(call, (a, i, stride, n, offsets) => {
    const mean = sum(a as NumberArray, i, stride, n) / n;
    variances!.data[offsets[1]] = squaresAround(mean, a as NumberArray, i, stride, n) / Math.max(0, n - correction);
    means!.data[offsets[2]] = mean;
  });
}

/** Reductions over the last dimensions. */
export const reduceKernels = {
  sum: reduction({ float: sum, int: sumInt, int64: sumInt64 }, isNumeric),
  prod: reduction({ float: prod, int: prodInt, int64: prodInt64 }, isNumeric),
  amax: extreme(true),
  amin: extreme(false),
  argmax: extremePosition(true),
  argmin: extremePosition(false),
  var_mean: varMean,
  sum_squares: reduction({ float: (a, i, stride, n) => squaresAround(0, a, i, stride, n) }, isFloating),
};
