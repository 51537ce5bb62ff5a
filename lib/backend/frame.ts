import { backend } from './index.js';
import { K, type KernelId } from './kernels.js';
import { profiling } from './recorder.js';
import { Status } from './status.js';
import type { Dims, Tensor } from '../tensor/tensor.js';

const { frame, run, lend } = backend;
const kernelNames = Object.keys(K);

/** What a kernel reads: a tensor, a number in its place, or nothing where the contract allows. */
export type Operand = Tensor | number | null;

const IMMEDIATE = -1;
const ABSENT = 0;

/** Writes block, byte offset and dtype of a tensor at `p`; the strides follow. */
function putTensor(p: number, t: Tensor): number {
  const block = t._storage.block;
  frame[p] = lend === null ? block.id : lend(block);
  frame[p + 1] = t._offset * t._dtype.itemsize;
  frame[p + 2] = t._dtype.code;
  return p + 3;
}

/** Runs the call in the frame. */
function launch(kernel: number): void {
  const { recorder } = profiling;
  const failed = recorder === null ? run() : recorder.time(kernelNames[kernel], run);
  if (failed === true) throw kernelError(kernel);
}

/** A kernel's refusal of an index. */
export class IndexError extends RangeError {
  constructor(
    kernel: string,
    readonly index: number,
    readonly size: number,
  ) {
    super(`${kernel}: index ${index} is out of bounds for dimension with size ${size}`);
  }
}

function kernelError(kernel: number): Error {
  const name = kernelNames[kernel];
  const [status, a, b] = frame;
  switch (status) {
    case Status.index_out_of_range:
      return new IndexError(name, a, b);
    case Status.division_by_zero:
      return new RangeError(`${name}: integer division by zero`);
    case Status.unsupported_dtype:
      return new TypeError(`${name}: not implemented for dtype ${dtypeName(b)}`);
    case Status.out_of_memory:
      return new RangeError(`${name}: out of memory`);
    case Status.dead_block:
      return new Error(`${name}: the memory of operand ${a} is gone: its ArrayBuffer was detached or resized`);
    case Status.overlap:
      return new Error(`${name}: the index shares memory with what is written; clone() it first`);
    default:
      return new Error(`${name}: internal error: the backend refused the call with status ${status} (${a}, ${b})`);
  }
}

function dtypeName(code: number): string {
  return ['float32', 'float64', 'int64', 'int32', 'uint8', 'bool'][code] ?? String(code);
}

/**
 * Calls a STRIDED kernel.
 * @param strides One list per operand, a step for each dimension of `dims`; ignored for numbers and absent operands.
 * @param dtype What a number operand is converted to.
 */
export function callStrided(
  kernel: KernelId,
  dims: Dims,
  operands: readonly Operand[],
  strides: readonly Dims[],
  scalars: readonly number[],
  dtype: number,
): void {
  const ndim = dims.length;
  frame[0] = kernel;
  frame[1] = ndim;
  let p = 2;
  for (let i = 0; i < scalars.length; i++) frame[p++] = scalars[i];
  for (let i = 0; i < ndim; i++) frame[p++] = dims[i];
  for (let o = 0; o < operands.length; o++) {
    const operand = operands[o];
    if (operand === null || typeof operand === 'number') {
      frame[p] = operand === null ? ABSENT : IMMEDIATE;
      frame[p + 1] = operand ?? 0;
      frame[p + 2] = dtype;
      p += 3;
      for (let i = 0; i < ndim; i++) frame[p++] = 0;
    } else {
      p = putTensor(p, operand);
      const steps = strides[o];
      for (let i = 0; i < ndim; i++) frame[p++] = steps[i];
    }
  }
  launch(kernel);
}

/** A matrix operand: its steps from row to row and from column to column. */
function putMatrix(p: number, t: Tensor, row: number, column: number, inner: number): number {
  p = putTensor(p, t);
  frame[p] = row;
  frame[p + 1] = column;
  frame[p + 2] = inner;
  return p + 3;
}

/**
 * out = alpha a b + beta c, of matrices: {@link callStrided} without its lists.
 * @param aRow The step of `a` from row to row of the result, and `aInner` along the sum; likewise for the others.
 */
export function callMatmul(
  out: Tensor,
  inner: number,
  a: Tensor,
  aRow: number,
  aInner: number,
  b: Tensor,
  bInner: number,
  bColumn: number,
  c: Tensor | null,
  cRow: number,
  cColumn: number,
  alpha: number,
  beta: number,
): void {
  const columns = out._dims[1];
  frame[0] = K.matmul;
  frame[1] = 3;
  frame[2] = alpha;
  frame[3] = beta;
  frame[4] = out._dims[0];
  frame[5] = columns;
  frame[6] = inner;
  let p = putMatrix(7, a, aRow, 0, aInner);
  p = putMatrix(p, b, 0, bColumn, bInner);
  if (c === null) {
    for (const end = p + 6; p < end; p++) frame[p] = 0;
  } else {
    p = putMatrix(p, c, cRow, cColumn, 0);
  }
  putMatrix(p, out, columns, 1, 0);
  launch(K.matmul);
}

/** A contiguous operand, or nothing, with its steps in [M, N, K]. */
function putInSpace(p: number, t: Tensor | null, m: number, n: number, k: number): number {
  if (t === null) {
    frame[p] = ABSENT;
    frame[p + 1] = 0;
    frame[p + 2] = 0;
    p += 3;
  } else {
    p = putTensor(p, t);
  }
  frame[p] = m;
  frame[p + 1] = n;
  frame[p + 2] = k;
  return p + 3;
}

/**
 * The gradients of `input @ weight.T + bias` that are wanted, all contiguous: {@link callStrided} without its lists.
 * @param rows How many rows `grad` and `input` have; neither they nor `weight` may be empty.
 */
export function callLinearBackward(
  rows: number,
  grad: Tensor,
  input: Tensor,
  weight: Tensor,
  gradInput: Tensor | null,
  gradWeight: Tensor | null,
  gradBias: Tensor | null,
): void {
  const [n, k] = weight._dims;
  frame[0] = K.linear_backward;
  frame[1] = 3;
  frame[2] = rows;
  frame[3] = n;
  frame[4] = k;
  let p = putInSpace(5, grad, n, 1, 0);
  p = putInSpace(p, input, k, 0, 1);
  p = putInSpace(p, weight, 0, k, 1);
  p = putInSpace(p, gradInput, k, 0, 1);
  p = putInSpace(p, gradWeight, 0, k, 1);
  putInSpace(p, gradBias, 0, 1, 0);
  launch(K.linear_backward);
}

/**
 * A reduction of `size` elements to each of `kept`: {@link callStrided} without its lists.
 * @param step The input's step along the reduced dimension, and `keptStep` along the kept one.
 */
export function callReduction(
  kernel: KernelId,
  input: Tensor,
  kept: number,
  keptStep: number,
  size: number,
  step: number,
  outs: readonly Tensor[],
  scalars: readonly number[],
): void {
  frame[0] = kernel;
  frame[1] = 2;
  frame[2] = 1;
  let p = 3;
  for (let i = 0; i < scalars.length; i++) frame[p++] = scalars[i];
  frame[p] = kept;
  frame[p + 1] = size;
  p = putTensor(p + 2, input);
  frame[p] = keptStep;
  frame[p + 1] = step;
  p += 2;
  for (let i = 0; i < outs.length; i++) {
    p = putTensor(p, outs[i]);
    frame[p] = 1;
    frame[p + 1] = 0;
    p += 2;
  }
  launch(kernel);
}

/** Whether a pointwise operand can be read as one run of `numel` elements, or is a number. */
function isFlat(operand: Tensor | number, numel: number): boolean {
  return typeof operand === 'number' || (operand._strides === null && operand._numel === numel);
}

function putFlat(p: number, operand: Tensor | number, dtype: number): number {
  if (typeof operand === 'number') {
    frame[p] = IMMEDIATE;
    frame[p + 1] = operand;
    frame[p + 2] = dtype;
    frame[p + 3] = 0;
    return p + 4;
  }
  p = putTensor(p, operand);
  frame[p] = 1;
  return p + 1;
}

/** Sets every element of `out`. */
export function callFill(out: Tensor, value: number): void {
  if (out._strides !== null) return pointwiseStrided(K.fill, out, [], [value]);
  frame[0] = K.fill;
  frame[1] = 1;
  frame[2] = value;
  frame[3] = out._numel;
  putFlat(4, out, 0);
  launch(K.fill);
}

/** Calls a pointwise kernel of one input; the shapes are equal or broadcast to `out`'s. */
export function pointwise1(kernel: KernelId, out: Tensor, a: Tensor | number, scalars: readonly number[] = []): void {
  const numel = out._numel;
  if (out._strides !== null || !isFlat(a, numel)) return pointwiseStrided(kernel, out, [a], scalars);
  frame[0] = kernel;
  frame[1] = 1;
  let p = 2;
  for (let i = 0; i < scalars.length; i++) frame[p++] = scalars[i];
  frame[p++] = numel;
  p = putFlat(p, a, out._dtype.code);
  putFlat(p, out, 0);
  launch(kernel);
}

/** Calls a pointwise kernel of two inputs; the shapes are equal or broadcast to `out`'s. */
export function pointwise2(
  kernel: KernelId,
  out: Tensor,
  a: Tensor | number,
  b: Tensor | number,
  scalars: readonly number[] = [],
): void {
  const numel = out._numel;
  if (out._strides !== null || !isFlat(a, numel) || !isFlat(b, numel))
    return pointwiseStrided(kernel, out, [a, b], scalars);
  frame[0] = kernel;
  frame[1] = 1;
  let p = 2;
  for (let i = 0; i < scalars.length; i++) frame[p++] = scalars[i];
  frame[p++] = numel;
  // A number takes the dtype of the tensor beside it: comparisons have another dtype in `out`.
  const dtype = typeof a === 'number' ? (typeof b === 'number' ? out._dtype.code : b._dtype.code) : a._dtype.code;
  p = putFlat(p, a, dtype);
  p = putFlat(p, b, dtype);
  putFlat(p, out, 0);
  launch(kernel);
}

/**
 * Calls a pointwise kernel of any number of inputs; the shapes are equal or broadcast to `out`'s.
 * @param dtype What numbers among the inputs are converted to; by default the dtype of the tensors beside them.
 */
export function pointwiseStrided(
  kernel: KernelId,
  out: Tensor,
  inputs: readonly (Tensor | number)[],
  scalars: readonly number[],
  dtype = (inputs.find((t) => typeof t !== 'number') ?? out)._dtype.code,
): void {
  const operands = [...inputs, out];
  const { dims, strides } = coalesce(
    out._dims,
    operands.map((t) => (typeof t === 'number' ? null : broadcastStrides(t, out._dims))),
  );
  callStrided(kernel, dims, operands, strides, scalars, dtype);
}

/** The steps of `t` through a space of `dims` it broadcasts to. */
export function broadcastStrides(t: Tensor, dims: Dims): number[] {
  const own = t._dims;
  const strides = new Array<number>(dims.length);
  for (let i = 0; i < dims.length; i++) strides[i] = 0;
  const shift = dims.length - own.length;
  let step = 1;
  for (let i = own.length - 1; i >= 0; i--) {
    if (own[i] !== 1) strides[i + shift] = t._strides === null ? step : t._strides[i];
    step *= own[i];
  }
  return strides;
}

/**
 * The same iteration with as few dimensions as possible, the last operand's longest strides first.
 * @param fixed The order of the dimensions must stay.
 */
export function coalesce(
  dims: Dims,
  strides: readonly (Dims | null)[],
  fixed = false,
): { dims: number[]; strides: number[][] } {
  const count = strides.length;
  const leading = fixed ? null : strides[count - 1];
  const order: number[] = [];
  let sorted = true;
  for (let i = 0; i < dims.length; i++) {
    if (dims[i] === 1) continue;
    if (leading !== null && order.length > 0 && leading[order[order.length - 1]] < leading[i]) sorted = false;
    order.push(i);
  }
  if (!sorted) order.sort((i, j) => leading![j] - leading![i]);
  // Lists of their full length, and loops: growing lists and their functions are a good part of a small call.
  const outDims = new Array<number>(order.length);
  const outStrides = strides.map(() => new Array<number>(order.length));
  let n = 0;
  for (const i of order) {
    let joins = n > 0;
    for (let o = 0; joins && o < count; o++) joins = (strides[o]?.[i] ?? 0) * dims[i] === outStrides[o][n - 1];
    if (joins) n--;
    outDims[n] = joins ? outDims[n] * dims[i] : dims[i];
    for (let o = 0; o < count; o++) outStrides[o][n] = strides[o]?.[i] ?? 0;
    n++;
  }
  if (n === order.length) return { dims: outDims, strides: outStrides };
  return { dims: outDims.slice(0, n), strides: outStrides.map((s) => s.slice(0, n)) };
}

/** A row of a LIST call: its scalars, and its operands, all of one dtype and contiguous. */
export interface ListRow {
  scalars: readonly number[];
  operands: readonly (Tensor | null)[];
}

/** Calls a LIST kernel, in as many calls as the frame's length asks for. Rows must have one dtype, and the first operand's size. */
export function callList(kernel: KernelId, rows: readonly ListRow[]): void {
  let row = 0;
  while (row < rows.length) {
    frame[0] = kernel;
    frame[2] = rows[row].operands[0]!._dtype.code;
    let p = 3;
    const first = row;
    for (; row < rows.length; row++) {
      const { scalars, operands } = rows[row];
      if (p + 1 + scalars.length + 2 * operands.length > frame.length) break;
      frame[p++] = operands[0]!._numel;
      for (let i = 0; i < scalars.length; i++) frame[p++] = scalars[i];
      for (let o = 0; o < operands.length; o++) {
        const t = operands[o];
        if (t === null) {
          frame[p] = ABSENT;
          frame[p + 1] = 0;
        } else {
          const block = t._storage.block;
          frame[p] = lend === null ? block.id : lend(block);
          frame[p + 1] = t._offset * t._dtype.itemsize;
        }
        p += 2;
      }
    }
    frame[1] = row - first;
    launch(kernel);
  }
}
