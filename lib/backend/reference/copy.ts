import { DType, isNumeric, operand, type StridedCall, type StridedKernel } from './call.js';
import { fromBigInt, fromNumber } from './convert.js';
import { fma64 } from '../../fma.js';
import { collapse, eachRow } from './loops.js';
import { createMap } from './pointwise.js';

const same = <T>(x: T) => x;
const map = createMap();

/** Casts as C does; runs of one dtype are moved whole. */
export function copy(call: StridedCall): void {
  const flat = collapse(call);
  const [a, out] = flat.operands;
  const last = flat.ndim - 1;
  if (a!.dtype === out!.dtype && a!.strides[last] === 1 && out!.strides[last] === 1) {
    const n = flat.shape[last];
    const [from, to] = [a!.data, out!.data as Float32Array]; // of one type, whichever it is
    eachRow(flat, 1, ([i, o]) => to.set(from.subarray(i, i + n) as Float32Array, o));
  } else if (a!.dtype === out!.dtype) {
    map(flat, same);
  } else {
    map(flat, a!.dtype === DType.int64 ? fromBigInt(out!.dtype) : fromNumber(out!.dtype));
  }
}

function fill(call: StridedCall): void {
  const flat = collapse(call);
  const { data, dtype, strides } = operand(flat, 0);
  const value = fromNumber(dtype)(flat.scalars[0]);
  const [n, stride] = [flat.shape[flat.ndim - 1], strides[flat.ndim - 1]];
  eachRow(flat, 1, ([o]) => {
    if (stride === 1) (data as Float32Array).fill(value as number, o, o + n);
    else for (let i = 0; i < n; i++, o += stride) data[o] = value;
  });
}

function arange(call: StridedCall): void {
  const { data, dtype, offset, strides } = operand(call, 0, isNumeric);
  const [start, step] = call.scalars;
  const cast = fromNumber(dtype);
  for (let i = 0; i < call.shape[0]; i++) data[offset + i * strides[0]] = cast(start + i * step);
}

/** As PyTorch: from both ends to the middle, in the dtype's own precision, products and sums rounded once. */
function linspace(call: StridedCall): void {
  const { data, dtype, offset, strides } = operand(call, 0, isNumeric);
  const cast = fromNumber(dtype);
  const double = dtype === DType.float64;
  const round = double ? (x: number) => x : Math.fround;
  const mulAdd = double ? fma64 : (a: number, b: number, c: number) => Math.fround(a * b + c);
  const [n] = call.shape;
  const [first, last] = call.scalars.map(round);
  const step = round(round(last - first) / (n - 1));
  for (let i = 0; i < n; i++) {
    const x = n === 1 ? first : i < Math.floor(n / 2) ? mulAdd(step, i, first) : mulAdd(-step, n - 1 - i, last);
    data[offset + i * strides[0]] = cast(x);
  }
}

/** Keeps row r from column `first(r)` to before column `end(r)`, and makes the others zero. */
function triangle(first: (r: number) => number, end: (r: number) => number): StridedKernel {
  return (call) => {
    const [a, out] = [operand(call, 0), operand(call, 1)];
    const [diagonal] = call.scalars;
    const [rows, columns] = call.shape.slice(-2);
    const [ar, ac] = a.strides.slice(-2);
    const [or, oc] = out.strides.slice(-2);
    const zero = out.dtype === DType.int64 ? 0n : 0;
    eachRow(call, 2, ([i, o]) => {
      for (let r = 0; r < rows; r++) {
        const [low, high] = [first(r + diagonal), end(r + diagonal)];
        for (let c = 0; c < columns; c++)
          out.data[o + r * or + c * oc] = c >= low && c < high ? a.data[i + r * ar + c * ac] : zero;
      }
    });
  };
}

/** Copies and fills. */
export const copyKernels = {
  copy,
  fill,
  arange,
  linspace,
  tril: triangle(
    () => 0,
    (d) => d + 1,
  ),
  triu: triangle(
    (d) => d,
    () => Infinity,
  ),
};
