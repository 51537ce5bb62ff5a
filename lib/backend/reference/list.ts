import { DType, KernelError, type ListCall, type ListKernel, type NumberArray } from './call.js';
import { squaresAround, sum } from './reduce.js';
import { Status } from '../status.js';

/** What a kernel does with a row: its arrays (undefined where absent), their offsets, and its scalars. */
type RowBody = (data: NumberArray[], at: number[], n: number, scalars: number[], round: (x: number) => number) => void;

/** A kernel from what it does with a row. */
export function rows(body: RowBody): ListKernel {
  return (call: ListCall) => {
    if (call.dtype > DType.float64) throw new KernelError(Status.unsupported_dtype, 0, call.dtype);
    const round = call.dtype === DType.float32 ? Math.fround : (x: number) => x;
    for (const { operands, n, scalars } of call.rows) {
      const data = operands.map((o) => o?.data as NumberArray);
      body(
        data,
        operands.map((o) => o?.offset ?? 0),
        n,
        scalars,
        round,
      );
    }
  };
}

/** As {@link rows}, for an optimizer's kernel: its gradients come multiplied by the scalar of number `factor`. */
export function steps(factor: number, body: RowBody): ListKernel {
  return rows((data, at, n, scalars, round) => {
    const scale = round(scalars[factor]);
    if (scale !== 1) {
      data[1] = data[1].slice(at[1], at[1] + n).map((x) => scale * x);
      at[1] = 0;
    }
    body(data, at, n, scalars, round);
  });
}

/** a + weight (b - a), from the nearer end. */
export function lerp(a: number, b: number, weight: number): number {
  return weight < 0.5 ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

function norm(a: NumberArray, i: number, n: number, p: number): number {
  if (p === 2) return Math.sqrt(squaresAround(0, a, i, 1, n));
  const terms = new Float64Array(n);
  for (let k = 0; k < n; k++) terms[k] = Math.abs(a[i + k]);
  if (p === Infinity) return terms.reduce((x, y) => Math.max(x, y), 0);
  if (p === -Infinity) return terms.reduce((x, y) => Math.min(x, y), Infinity);
  if (p === 0) return terms.filter((x) => x !== 0).length;
  if (p === 1) return sum(terms, 0, 1, n);
  return (
    sum(
      terms.map((x) => x ** p),
      0,
      1,
      n,
    ) **
    (1 / p)
  );
}

const listNorm = rows(([a, out], [i, o], n, [p]) => {
  out[o] = norm(a, i, n, p);
});

const listMul = rows(([a, factor], [i, f], n) => {
  for (let k = 0; k < n; k++) a[i + k] *= factor[f];
});

/** Of any dtype. */
function listCopy({ rows }: ListCall): void {
  for (const { operands, n } of rows) {
    const [a, copy] = operands;
    (copy!.data as NumberArray).set((a!.data as NumberArray).subarray(a!.offset, a!.offset + n), copy!.offset);
  }
}

/** Lists of tensors: norms, scaling and copies. */
export const listKernels = { list_norm: listNorm, list_mul: listMul, list_copy: listCopy };
