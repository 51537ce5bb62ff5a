import { rows } from './list.js';

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

/** Optimizer steps: a row for each parameter. */
export const optimizerKernels = { sgd, adam, rmsprop };
