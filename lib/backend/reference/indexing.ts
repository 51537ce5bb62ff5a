import { isNumeric, KernelError, operand, type StridedCall } from './call.js';
import { eachRow } from './loops.js';
import { Status } from '../status.js';

/** Calls `body` for each index with the offsets of the operands, once every index has proved to be in bounds. */
function eachIndex(call: StridedCall, body: (index: number, offsets: readonly number[]) => void): void {
  const index = operand(call, 1).data;
  const size = call.shape[call.ndim - 1];
  eachRow(call, 1, (offsets) => {
    const i = Number(index[offsets[1]]);
    if (!(i >= 0 && i < size)) throw new KernelError(Status.index_out_of_range, i, size);
  });
  eachRow(call, 1, (offsets) => body(Number(index[offsets[1]]), offsets));
}

function gather(call: StridedCall): void {
  const [a, out] = [operand(call, 0), operand(call, 2)];
  const stride = a.strides[call.ndim - 1];
  eachIndex(call, (index, offsets) => {
    out.data[offsets[2]] = a.data[offsets[0] + index * stride];
  });
}

function scatter(call: StridedCall): void {
  const [a, out] = [operand(call, 0), operand(call, 2)];
  const stride = out.strides[call.ndim - 1];
  eachIndex(call, (index, offsets) => {
    out.data[offsets[2] + index * stride] = a.data[offsets[0]];
  });
}

function scatterAdd(call: StridedCall): void {
  const [a, out] = [operand(call, 0, isNumeric), operand(call, 2)];
  const stride = out.strides[call.ndim - 1];
  eachIndex(call, (index, offsets) => {
    // Both are numbers or both are BigInts.
    (out.data as Float64Array)[offsets[2] + index * stride] += (a.data as Float64Array)[offsets[0]];
  });
}

function nonzero(call: StridedCall): void {
  const [a, out] = [operand(call, 0), operand(call, 1)];
  const [n, count] = call.shape;
  let found = 0;
  for (let i = 0; i < n && found < count; i++) {
    if (Number(a.data[a.offset + i * a.strides[0]]) !== 0) out.data[out.offset + found++ * out.strides[1]] = BigInt(i);
  }
}

/** What goes by indices. */
export const indexingKernels = { gather, scatter, scatter_add: scatterAdd, nonzero };
