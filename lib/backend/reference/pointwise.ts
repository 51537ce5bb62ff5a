import { DType, KernelError, type StridedCall, type StridedKernel, type TypedArray } from './call.js';
import { collapse, eachRow } from './loops.js';
import { Status } from '../status.js';

type NumberFunction = (a: number, b: number, c: number) => number;
// The elements of an int64 operand are BigInts, those of a bool beside it numbers.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
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
export const every = (float: NumberFunction, int64: AnyFunction): Functions => ({
  float,
  int64,
  int: float,
  bool: float,
});

/** The function of a call's dtype, which is that of its last input. */
export function choose(functions: Functions, inputs: number, dtype: number): AnyFunction {
  const { float, int64, int, bool } = functions;
  const f = dtype <= DType.float64 ? float : dtype === DType.int64 ? int64 : dtype === DType.bool ? bool : int;
  if (!f) throw new KernelError(Status.unsupported_dtype, inputs - 1, dtype);
  return f;
}

/** The arrays of a row's operands, where it starts in each, and its steps: the inputs, then `out`. */
interface Row<A> {
  data: A[];
  at: readonly number[];
  step: number[];
}

/** Any dtypes, up to three inputs; those missing are read from the first. */
function rowAny(n: number, f: AnyFunction, { data, at, step }: Row<TypedArray>): void {
  const last = data.length - 1;
  const [b, c] = [last > 1 ? 1 : 0, last > 2 ? 2 : 0];
  const [x, y, z] = [data[0], data[b], data[c]];
  const out = data[last] as { [i: number]: number | bigint };
  const [sx, sy, sz, so] = [step[0], step[b], step[c], step[last]];
  let [i, j, k, o] = [at[0], at[b], at[c], at[last]];
  for (let m = 0; m < n; m++, i += sx, j += sy, k += sz, o += so) out[o] = f(x[i], y[j], z[k]);
}

// The loops over float32 are functions of their own, so that their array accesses are compiled for that type alone.
function row1Float32(n: number, f: NumberFunction, { data, at, step }: Row<Float32Array>): void {
  const [a, out] = data;
  const [sa, so] = step;
  let [i, o] = at;
  for (let m = 0; m < n; m++, i += sa, o += so) out[o] = f(a[i], 0, 0);
}

function row2Float32(n: number, f: NumberFunction, { data, at, step }: Row<Float32Array>): void {
  const [a, b, out] = data;
  const [sa, sb, so] = step;
  let [i, j, o] = at;
  for (let m = 0; m < n; m++, i += sa, j += sb, o += so) out[o] = f(a[i], b[j], 0);
}

type RowLoop = typeof rowAny;

let copies = 0;

/**
 * A loop compiled anew, as it calls one function only: that the engine compiles into the loop. To one of many it hands
 * numbers in objects, which takes two to four times as long in all. A loop must name nothing outside it. Where a program may
 * make no code, the loop itself.
 */
function copyOf(loop: RowLoop): RowLoop {
  try {
    // From the text that another came from the engine would make the same function.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    return new Function(`return ${loop.toString()}; // ${copies++}`)() as RowLoop;
  } catch {
    return loop;
  }
}

/** For one kernel: out = f(inputs…), element by element. */
export function createMap(): (call: StridedCall, f: AnyFunction) => void {
  const own = new Map<RowLoop, RowLoop>();
  const ownOf = (loop: RowLoop) => {
    let copy = own.get(loop);
    if (copy === undefined) own.set(loop, (copy = copyOf(loop)));
    return copy;
  };
  return (call, f) => {
    const flat = collapse(call);
    const last = flat.ndim - 1;
    const n = flat.shape[last];
    const data = flat.operands.map((o) => o!.data);
    const step = flat.operands.map((o) => o!.strides[last]);
    const float32 = flat.operands.every((o) => o!.dtype === DType.float32);
    const row = ownOf(
      (data.length === 2 && float32 ? row1Float32 : data.length === 3 && float32 ? row2Float32 : rowAny) as RowLoop,
    );
    eachRow(flat, 1, (at) => row(n, f, { data, at, step }));
  };
}

/** A pointwise kernel; `make` brings its functions, given the scalars (rounded to float32 where the tensors are). */
export function pointwise(inputs: number, make: Functions | ((...scalars: number[]) => Functions)): StridedKernel {
  const map = createMap();
  return (call) => {
    const { dtype } = call.operands[inputs - 1]!;
    const scalars = dtype === DType.float32 ? call.scalars.map(Math.fround) : call.scalars;
    map(call, choose(typeof make === 'function' ? make(...scalars) : make, inputs, dtype));
  };
}
