import { DType, KernelError, type ListCall, type ListKernel, type NumberArray } from './call.js';
import { squaresAround, sum } from './reduce.js';
import { Status } from '../status.js';

/** A kernel from what it does with a row: its arrays (undefined where absent), their offsets, and its scalars. */
function rows(
  body: (data: NumberArray[], at: number[], n: number, scalars: number[], round: (x: number) => number) => void,
): ListKernel {
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

/** a + weight (b - a), from the nearer end. */
const lerp = (a: number, b: number, weight: number) =>
  weight < 0.5 ? a + weight * (b - a) : b - (b - a) * (1 - weight);

const sgd = rows(([param, grad, buffer], [p, g, b], n, scalars, round) => {
  const [lr, momentum, dampening, weightDecay, nesterov, maximize, first] = scalars;
  for (let i = 0; i < n; i++) {
    let d = maximize ? -grad[g + i] : grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    if (buffer) {
      buffer[b + i] = first ? d : round(buffer[b + i] * momentum) + (1 - dampening) * d;
      d = nesterov ? round(d + momentum * buffer[b + i]) : buffer[b + i];
    }
    param[p + i] -= lr * d;
  }
});

const adam = rows(([param, grad, expAvg, expAvgSq, maxExpAvgSq], [p, g, m, v, x], n, scalars, round) => {
  const [step, lr, beta1, beta2, eps, weightDecay, decoupled, maximize] = scalars;
  const stepSize = lr / (1 - beta1 ** step);
  const correction = Math.sqrt(1 - beta2 ** step);
  const shrink = decoupled ? 1 - lr * weightDecay : 1;
  const decay = decoupled ? 0 : weightDecay;
  for (let i = 0; i < n; i++) {
    const value = round(param[p + i] * shrink);
    let d = maximize ? -grad[g + i] : grad[g + i];
    if (decay !== 0) d = round(d + decay * value);
    expAvg[m + i] = lerp(expAvg[m + i], d, 1 - beta1);
    expAvgSq[v + i] = round(expAvgSq[v + i] * beta2) + (1 - beta2) * d * d;
    let square = expAvgSq[v + i];
    if (maxExpAvgSq) square = maxExpAvgSq[x + i] = Math.max(maxExpAvgSq[x + i], square);
    param[p + i] = value - (stepSize * expAvg[m + i]) / (Math.sqrt(square) / correction + eps);
  }
});

const rmsprop = rows(([param, grad, squareAvg, buffer, gradAvg], [p, g, s, b, a], n, scalars, round) => {
  const [lr, alpha, eps, weightDecay, momentum, maximize] = scalars;
  for (let i = 0; i < n; i++) {
    let d = maximize ? -grad[g + i] : grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    squareAvg[s + i] = round(squareAvg[s + i] * alpha) + (1 - alpha) * d * d;
    let square = squareAvg[s + i];
    if (gradAvg) {
      gradAvg[a + i] = lerp(gradAvg[a + i], d, 1 - alpha);
      square = round(square - gradAvg[a + i] ** 2);
    }
    const denominator = round(Math.sqrt(square)) + eps;
    if (buffer) {
      buffer[b + i] = round(buffer[b + i] * momentum) + d / denominator;
      param[p + i] -= lr * buffer[b + i];
    } else {
      param[p + i] -= (lr * d) / denominator;
    }
  }
});

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

/** Optimizer steps and what goes with them: a row for each parameter. */
export const listKernels = { sgd, adam, rmsprop, list_norm: listNorm, list_mul: listMul };
