import {
  DType,
  isFloating,
  isNumeric,
  operand,
  type NumberArray,
  type StridedCall,
  type StridedKernel,
} from './call.js';
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
  const order = new Uint32Array(n);
  eachRow(call, 1, ([i, o, p]) => {
    for (let k = 0; k < n; k++) order[k] = k;
    order.sort((x, y) => sign * compare(a[i + x * sa], a[i + y * sa]));
    for (let k = 0; k < n; k++) {
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
  sort,
};
