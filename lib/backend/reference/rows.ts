import {
  DType,
  isFloating,
  isNumeric,
  KernelError,
  operand,
  type NumberArray,
  type StridedCall,
  type StridedKernel,
} from './call.js';
import { Status } from '../status.js';
import { eachRow } from './loops.js';

function scan(
  float: (x: number, y: number) => number,
  int: (x: number, y: number) => number,
  int64: (x: bigint, y: bigint) => bigint,
  start: number,
): StridedKernel {
  return (call) => {
    const { data, dtype, strides } = operand(call, 0, isNumeric);
    const out = operand(call, 1);
    const n = call.shape[call.ndim - 1];
    const [sa, so] = [strides[call.ndim - 1], out.strides[call.ndim - 1]];
    eachRow(call, 1, ([i, o]) => {
      if (dtype === DType.int64) {
        let x = BigInt(start);
        for (let k = 0; k < n; k++, i += sa, o += so) out.data[o] = x = BigInt.asIntN(64, int64(x, data[i] as bigint));
      } else {
        const f = dtype <= DType.float64 ? float : int;
        let x = start;
        for (let k = 0; k < n; k++, i += sa, o += so) out.data[o] = x = f(x, data[i] as number);
      }
    });
  };
}

/** softmax, or its logarithm, of each row: the greatest element is taken off first, so that no exp overflows. */
function softmax(logarithm: boolean): StridedKernel {
  return (call) => {
    const last = call.ndim - 1;
    const n = call.shape[last];
    const [source, target] = [operand(call, 0, isFloating), operand(call, 1)];
    const [a, out] = [source.data as NumberArray, target.data as NumberArray];
    const [sa, so] = [source.strides[last], target.strides[last]];
    eachRow(call, 1, ([i, o]) => {
      let max = -Infinity;
      for (let k = 0; k < n; k++) max = Math.max(max, a[i + k * sa]);
      let sum = 0;
      for (let k = 0; k < n; k++) sum += Math.exp(a[i + k * sa] - max);
      const log = Math.log(sum);
      for (let k = 0; k < n; k++) {
        const x = a[i + k * sa] - max;
        out[o + k * so] = logarithm ? x - log : Math.exp(x) / sum;
      }
    });
  };
}

function softmaxBackward(logarithm: boolean): StridedKernel {
  return (call) => {
    const last = call.ndim - 1;
    const n = call.shape[last];
    const operands = [0, 1, 2].map((position) => operand(call, position, isFloating));
    const [grad, y, out] = operands.map(({ data }) => data as NumberArray);
    const [sg, sy, so] = operands.map(({ strides }) => strides[last]);
    eachRow(call, 1, ([g, i, o]) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += grad[g + k * sg] * (logarithm ? 1 : y[i + k * sy]);
      for (let k = 0; k < n; k++) {
        const [dy, value] = [grad[g + k * sg], y[i + k * sy]];
        out[o + k * so] = logarithm ? dy - Math.exp(value) * sum : value * (dy - sum);
      }
    });
  };
}

/** Calls `body` for each position of a loss of classes with the class, or null where it does not count; checks all first. */
function eachClass(call: StridedCall, body: (k: number | null, offsets: readonly number[]) => void): void {
  const index = operand(call, 1).data;
  const size = call.shape[call.ndim - 1];
  const ignored = call.scalars[0];
  eachRow(call, 1, (offsets) => {
    const k = Number(index[offsets[1]]);
    if (!(k >= 0 && k < size) && k !== ignored) throw new KernelError(Status.index_out_of_range, k, size);
  });
  eachRow(call, 1, (offsets) => {
    const k = Number(index[offsets[1]]);
    body(k === ignored ? null : k, offsets);
  });
}

/** The weight of a class at a position of a loss of classes. */
function weightOf(call: StridedCall, k: number, offsets: readonly number[]): number {
  const weight = call.operands[2];
  return weight === null ? 1 : (weight.data[offsets[2] + k * weight.strides[call.ndim - 1]] as number);
}

function nllLoss(call: StridedCall): void {
  const [a, out, total] = [operand(call, 0, isFloating), operand(call, 3), operand(call, 4)];
  const reduction = call.scalars[1];
  const step = a.strides[call.ndim - 1];
  let [sum, weights] = [0, 0];
  eachClass(call, (k, offsets) => {
    const w = k === null ? 0 : weightOf(call, k, offsets);
    const loss = k === null ? 0 : -w * (a.data[offsets[0] + k * step] as number);
    if (reduction === 0) out.data[offsets[3]] = loss;
    sum += loss;
    weights += w;
  });
  if (reduction !== 0) out.data[out.offset] = reduction === 2 ? sum / weights : sum;
  total.data[total.offset] = weights;
}

function nllLossBackward(call: StridedCall): void {
  const [grad, divisor, out] = [operand(call, 0, isFloating), operand(call, 3), operand(call, 4)];
  const last = call.ndim - 1;
  const step = out.strides[last];
  eachClass(call, (k, offsets) => {
    for (let i = 0; i < call.shape[last]; i++) out.data[offsets[4] + i * step] = 0;
    if (k === null) return;
    const scale = (grad.data[offsets[0]] as number) / (divisor.data[offsets[3]] as number);
    out.data[offsets[4] + k * step] = -scale * weightOf(call, k, offsets);
  });
}

/** Negative, zero or positive as `x` stands before, beside or after `y`, where NaN is the greatest. */
function compare(x: number | bigint, y: number | bigint): number {
  if (x < y) return -1;
  if (x > y) return 1;
  return x === y ? 0 : Number(x !== x) - Number(y !== y);
}

function sort(call: StridedCall): void {
  const last = call.ndim - 1;
  const n = call.shape[last];
  const operands = [0, 1, 2].map((position) => operand(call, position));
  const [a, out, indices] = operands.map(({ data }) => data);
  const [sa, so, si] = operands.map(({ strides }) => strides[last]);
  const sign = call.scalars[0] ? -1 : 1;
  const count = call.scalars[1] >= 0 ? Math.min(n, Math.floor(call.scalars[1])) : n;
  const order = new Uint32Array(n);
  eachRow(call, 1, ([i, o, p]) => {
    for (let k = 0; k < n; k++) order[k] = k;
    order.sort((x, y) => sign * compare(a[i + x * sa], a[i + y * sa]));
    for (let k = 0; k < count; k++) {
      out[o + k * so] = a[i + order[k] * sa];
      indices[p + k * si] = BigInt(order[k]);
    }
  });
}

/** What runs along the last dimension. */
export const rowKernels = {
  cumsum: scan(
    (x, y) => x + y,
    (x, y) => (x + y) | 0,
    (x, y) => x + y,
    0,
  ),
  cumprod: scan(
    (x, y) => x * y,
    Math.imul,
    (x, y) => x * y,
    1,
  ),
  softmax: softmax(false),
  log_softmax: softmax(true),
  softmax_backward: softmaxBackward(false),
  log_softmax_backward: softmaxBackward(true),
  nll_loss: nllLoss,
  nll_loss_backward: nllLossBackward,
  sort,
};
