import { lerp, steps } from './list.js';

const lion = steps(4, ([param, grad, expAvg], [p, g, m], n, scalars, round) => {
  const [lr, beta1, beta2, weightDecay] = scalars;
  for (let i = 0; i < n; i++) {
    const d = grad[g + i];
    const direction = Math.sign(round(round(beta1 * expAvg[m + i]) + (1 - beta1) * d));
    param[p + i] = round(param[p + i] * (1 - lr * weightDecay)) - lr * direction;
    expAvg[m + i] = round(beta2 * expAvg[m + i]) + (1 - beta2) * d;
  }
});

const lamb = steps(5, ([param, grad, expAvg, expAvgSq], [p, g, m, v], n, scalars, round) => {
  const [lr, beta1, beta2, eps, weightDecay, , scale, correction] = scalars;
  const updates = new Float64Array(n);
  let [paramSquares, updateSquares] = [0, 0];
  for (let i = 0; i < n; i++) {
    const d = grad[g + i];
    expAvg[m + i] = lerp(expAvg[m + i], d, 1 - beta1);
    expAvgSq[v + i] = round(expAvgSq[v + i] * beta2) + (1 - beta2) * d * d;
    const adam = (scale * expAvg[m + i]) / (Math.sqrt(expAvgSq[v + i]) / correction + eps);
    updates[i] = round(adam + weightDecay * param[p + i]);
    paramSquares += param[p + i] ** 2;
    updateSquares += updates[i] ** 2;
  }
  const ratio = paramSquares > 0 && updateSquares > 0 ? Math.sqrt(paramSquares / updateSquares) : 1;
  for (let i = 0; i < n; i++) param[p + i] -= lr * ratio * updates[i];
});

const scheduleFreeAdamW = steps(5, ([y, grad, z, expAvgSq], [p, g, at, v], n, scalars, round) => {
  const [lr, beta1, beta2, eps, weightDecay, , weight, correction] = scalars;
  const yStep = lr * (beta1 * (1 - weight) - 1);
  for (let i = 0; i < n; i++) {
    const d = grad[g + i];
    expAvgSq[v + i] = round(expAvgSq[v + i] * beta2) + (1 - beta2) * d * d;
    const direction = round(d / (Math.sqrt(expAvgSq[v + i]) / correction + eps) + weightDecay * y[p + i]);
    y[p + i] = round(lerp(y[p + i], z[at + i], weight)) + yStep * direction;
    z[at + i] -= lr * direction;
  }
});

/** Steps of the optimizers that PyTorch does not have: a row for each parameter. */
export const extraOptimizerKernels = { lion, lamb, schedule_free_adamw: scheduleFreeAdamW };
