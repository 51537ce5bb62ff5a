import { DType, KernelError, type NumberArray, type StridedCall, type StridedKernel } from './call.js';
import { collapse, eachRow } from './loops.js';
import { Status } from '../status.js';

type NumberFunction = (a: number, b: number, c: number) => number;
// The elements of an int64 operand are BigInts, those of a bool beside it numbers.
type AnyFunction = (a: any, b: any, c: any) => bigint | number;

/** A pointwise kernel as functions of one element, by class of dtype; storing the result rounds or wraps it. */
export interface Functions {
  float?: NumberFunction;
  int64?: AnyFunction;
  /** int32 and uint8. */
  int?: NumberFunction;
  bool?: NumberFunction;
}

/** F: float32 and float64, computed in double. */
export const floating = (float: NumberFunction): Functions => ({ float });
/** N: the numbers. */
export const numeric = (float: NumberFunction, int64: AnyFunction, int = float): Functions => ({ float, int64, int });
/** I: the integers and bool. */
export const integral = (int: NumberFunction, int64: AnyFunction, bool = int): Functions => ({ int, int64, bool });
/** A: all. */
export const every = (float: NumberFunction, int64: AnyFunction): Functions => ({ float, int64, int: float, bool: float });

/** The function of a call's dtype, which is that of its last input. */
export function choose(functions: Functions, inputs: number, dtype: number): AnyFunction {
  const { float, int64, int, bool } = functions;
  const f = dtype <= DType.float64 ? float : dtype === DType.int64 ? int64 : dtype === DType.bool ? bool : int;
  if (!f) throw new KernelError(Status.unsupported_dtype, inputs - 1, dtype);
  return f;
}

/** out = f(inputs…), element by element. Loops over int64 stand apart to keep those over numbers fast. */
export function map(call: StridedCall, inputs: number, f: AnyFunction): void {
  const flat = collapse(call);
  const last = flat.ndim - 1;
  const n = flat.shape[last];
  const at = (i: number) => flat.operands[i]!;
  // A missing input is read from the first.
  const [a, b, c] = [0, 1, 2].map((i) => (i < inputs ? i : 0));
  const [sa, sb, sc, so] = [a, b, c, inputs].map((i) => at(i).strides[last]);
  if (flat.operands.some((o) => o!.dtype === DType.int64)) {
    const [x, y, z] = [a, b, c].map((i) => at(i).data);
    const out = at(inputs).data as { [i: number]: number | bigint };
    eachRow(flat, 1, (offsets) => {
      let [i, j, k, o] = [offsets[a], offsets[b], offsets[c], offsets[inputs]];
      for (let m = 0; m < n; m++, i += sa, j += sb, k += sc, o += so) out[o] = f(x[i], y[j], z[k]);
    });
    return;
  }
  const g = f as NumberFunction;
  const [x, y, z, out] = [a, b, c, inputs].map((i) => at(i).data as NumberArray);
  eachRow(flat, 1, (offsets) => {
    let i = offsets[a];
    let j = offsets[b];
    let k = offsets[c];
    let o = offsets[inputs];
    if (inputs === 1) for (let m = 0; m < n; m++, i += sa, o += so) out[o] = g(x[i], 0, 0);
    else if (inputs === 2) for (let m = 0; m < n; m++, i += sa, j += sb, o += so) out[o] = g(x[i], y[j], 0);
    else for (let m = 0; m < n; m++, i += sa, j += sb, k += sc, o += so) out[o] = g(x[i], y[j], z[k]);
  });
}

/** A pointwise kernel; `make` brings its functions, given the scalars (rounded to float32 where the tensors are). */
export function pointwise(inputs: number, make: Functions | ((...scalars: number[]) => Functions)): StridedKernel {
  return (call) => {
    const { dtype } = call.operands[inputs - 1]!;
    const scalars = dtype === DType.float32 ? call.scalars.map(Math.fround) : call.scalars;
    map(call, inputs, choose(typeof make === 'function' ? make(...scalars) : make, inputs, dtype));
  };
}
