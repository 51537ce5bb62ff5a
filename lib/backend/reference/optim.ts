import type { ListKernel } from './call.js';
import { lerp, steps } from './list.js';

const sgd = steps(5, ([param, grad, buffer], [p, g, b], n, scalars, round) => {
  const [lr, momentum, dampening, weightDecay, nesterov, , first] = scalars;
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    if (buffer) {
      buffer[b + i] = first ? d : round(buffer[b + i] * momentum) + (1 - dampening) * d;
      d = nesterov ? round(d + momentum * buffer[b + i]) : buffer[b + i];
    }
    param[p + i] -= lr * d;
  }
});

const asgd = steps(4, ([param, grad, ax], [p, g, a], n, scalars, round) => {
  const [lambd, eta, mu, weightDecay] = scalars;
  const shrink = round(1 - lambd * eta);
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    param[p + i] = round(param[p + i] * shrink) - eta * d;
    ax[a + i] = mu === 1 ? param[p + i] : ax[a + i] + round(param[p + i] - ax[a + i]) * mu;
  }
});

const rprop = steps(4, ([param, grad, prev, stepSize], [p, g, v, s], n, scalars, round) => {
  const [minus, plus, least, most] = scalars.map(round);
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    const agreement = round(d * prev[v + i]);
    const factor = agreement > 0 ? plus : agreement < 0 ? minus : 1;
    if (agreement < 0) d = 0;
    stepSize[s + i] = Math.min(Math.max(stepSize[s + i] * factor, least), most);
    prev[v + i] = d;
    param[p + i] -= d > 0 ? stepSize[s + i] : d < 0 ? -stepSize[s + i] : 0;
  }
});

const adagrad = steps(3, ([param, grad, sum], [p, g, s], n, scalars, round) => {
  const [lr, eps, weightDecay] = scalars;
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    sum[s + i] += d * d;
    param[p + i] -= (lr * d) / (round(Math.sqrt(sum[s + i])) + eps);
  }
});

const adadelta = steps(4, ([param, grad, squareAvg, accDelta], [p, g, s, a], n, scalars, round) => {
  const [lr, rho, eps, weightDecay] = scalars;
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    squareAvg[s + i] = round(squareAvg[s + i] * rho) + (1 - rho) * d * d;
    const delta = (Math.sqrt(accDelta[a + i] + eps) / Math.sqrt(squareAvg[s + i] + eps)) * d;
    accDelta[a + i] = round(accDelta[a + i] * rho) + (1 - rho) * delta * delta;
    param[p + i] -= lr * delta;
  }
});

const rmsprop = steps(5, ([param, grad, squareAvg, buffer, gradAvg], [p, g, s, b, a], n, scalars, round) => {
  const [lr, alpha, eps, weightDecay, momentum] = scalars;
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
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

/**
 * A kernel of Adam's family, which begins as its native counterpart `with_moments` does.
 * @param update From the scalars, the new parameter from its value after decoupled decay, the gradient and the moments.
 */
function withMoments(
  update: (scalars: number[]) => (value: number, d: number, m: number, v: number) => number,
): ListKernel {
  return steps(6, ([param, grad, expAvg, expAvgSq, maxExpAvgSq], [p, g, m, v, x], n, scalars, round) => {
    const [lr, beta1, beta2, , weightDecay, decoupled] = scalars;
    const updated = update(scalars);
    const shrink = decoupled ? round(1 - lr * weightDecay) : 1;
    const decay = decoupled ? 0 : weightDecay;
    for (let i = 0; i < n; i++) {
      const value = round(param[p + i] * shrink);
      let d = grad[g + i];
      if (decay !== 0) d = round(d + decay * value);
      expAvg[m + i] = lerp(expAvg[m + i], d, 1 - beta1);
      expAvgSq[v + i] = round(expAvgSq[v + i] * beta2) + (1 - beta2) * d * d;
      let square = expAvgSq[v + i];
      if (maxExpAvgSq) square = maxExpAvgSq[x + i] = Math.max(maxExpAvgSq[x + i], square);
      param[p + i] = updated(value, d, expAvg[m + i], square);
    }
  });
}

const adam = withMoments(([, , , eps, , , , stepSize, correction]) => {
  return (value, _, m, v) => value - (stepSize * m) / (Math.sqrt(v) / correction + eps);
});

const adamax = steps(4, ([param, grad, expAvg, expInf], [p, g, m, u], n, scalars, round) => {
  const [beta1, beta2, eps, weightDecay, , stepSize] = scalars;
  for (let i = 0; i < n; i++) {
    let d = grad[g + i];
    if (weightDecay !== 0) d = round(d + weightDecay * param[p + i]);
    expAvg[m + i] = lerp(expAvg[m + i], d, 1 - beta1);
    expInf[u + i] = Math.max(expInf[u + i] * beta2, Math.abs(d) + eps);
    param[p + i] -= (stepSize * expAvg[m + i]) / expInf[u + i];
  }
});

const nadam = withMoments(([, , , eps, , , , fresh, kept, correction]) => {
  return (value, d, m, v) => {
    const denominator = Math.sqrt(v / correction) + eps;
    return value - (fresh * d) / denominator - (kept * m) / denominator;
  };
});

const radam = withMoments(([, , , eps, , , , stepSize, adaptive]) => {
  return (value, _, m, v) => value - (stepSize * m) / (adaptive ? Math.sqrt(v) + eps : 1);
});

/** Optimizer steps: a row for each parameter. */
export const optimizerKernels = { sgd, asgd, rprop, adagrad, adadelta, rmsprop, adam, adamax, nadam, radam };
