import { isFloating, operand, type NumberArray, type Operand, type StridedCall } from './call.js';
import { squaresAround, sum } from './reduce.js';

/** The mean of `n` elements, 0 if they are not to be centered, and what they are multiplied by. */
function statistics(a: NumberArray, i: number, step: number, n: number, [eps, centered]: readonly number[]) {
  const mean = centered ? sum(a, i, step, n) / n : 0;
  return { mean, scale: 1 / Math.sqrt(squaresAround(mean, a, i, step, n) / n + eps) };
}

/** Reads an optional operand of one value a column. */
function column(o: Operand | null, absent: number): (j: number) => number {
  return o === null ? () => absent : (j) => o.data[o.offset + j * o.strides[1]] as number;
}

function layerNorm(call: StridedCall): void {
  const [a, out] = [operand(call, 0, isFloating), operand(call, 3)];
  const data = a.data as NumberArray;
  const { shape, scalars } = call;
  const [rows, n] = shape;
  const weight = column(call.operands[1], 1);
  const bias = column(call.operands[2], 0);
  for (let r = 0; r < rows; r++) {
    const i = a.offset + r * a.strides[0];
    const { mean, scale } = statistics(data, i, a.strides[1], n, scalars);
    for (let j = 0, o = out.offset + r * out.strides[0]; j < n; j++, o += out.strides[1])
      out.data[o] = (data[i + j * a.strides[1]] - mean) * scale * weight(j) + bias(j);
  }
}

function layerNormBackward(call: StridedCall): void {
  const [grad, a] = [operand(call, 0, isFloating), operand(call, 1)];
  const [, , , gradInput, gradWeight, gradBias] = call.operands;
  const data = a.data as NumberArray;
  const { shape, scalars } = call;
  const [rows, n] = shape;
  const weight = column(call.operands[2], 1);
  const [dy, x] = [new Float64Array(n), new Float64Array(n)];
  const [weights, biases] = [new Float64Array(n), new Float64Array(n)];
  for (let r = 0; r < rows; r++) {
    const i = a.offset + r * a.strides[0];
    const { mean, scale } = statistics(data, i, a.strides[1], n, scalars);
    let [sum, along] = [0, 0];
    for (let j = 0, g = grad.offset + r * grad.strides[0]; j < n; j++, g += grad.strides[1]) {
      const gradient = grad.data[g] as number;
      x[j] = (data[i + j * a.strides[1]] - mean) * scale;
      dy[j] = gradient * weight(j);
      sum += dy[j];
      along += dy[j] * x[j];
      weights[j] += gradient * x[j];
      biases[j] += gradient;
    }
    if (gradInput === null) continue;
    const taken = scalars[1] ? sum / n : 0;
    for (let j = 0, o = gradInput.offset + r * gradInput.strides[0]; j < n; j++, o += gradInput.strides[1])
      gradInput.data[o] = (dy[j] - taken - x[j] * (along / n)) * scale;
  }
  for (const [out, sums] of [
    [gradWeight, weights],
    [gradBias, biases],
  ] as const) {
    if (out !== null) for (let j = 0; j < n; j++) out.data[out.offset + j * out.strides[1]] = sums[j];
  }
}

/** Normalisation of rows. */
export const layerNormKernels = { layer_norm: layerNorm, layer_norm_backward: layerNormBackward };
