import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { power } from './double.js';
import { defaultBetas, momentScalars, perStep, updatedMoments, type MomentOptions } from './moments.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  betas,
  checkForeach,
  flag,
  nonNegative,
  numberOf,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link RAdam}: its learning rate is 1e-3 by default. */
export type RAdamOptions = MomentOptions & SharedOptions;

const options = defineOptions<RAdamOptions>(
  'optim.RAdam',
  {
    lr: 1e-3,
    betas: defaultBetas,
    eps: 1e-8,
    weight_decay: 0,
    decoupled_weight_decay: false,
    ...shared,
  },
  true,
);

/** What the learning rate is multiplied by in this step, and whether the step is divided by the gradient's size. */
function rectified(step: number, beta1: number, beta2: number): { scale: number; adaptive: boolean } {
  const correction1 = 1 - power(beta1, step);
  const decayed = power(beta2, step);
  const correction2 = 1 - decayed;
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * step * decayed) / correction2;
  if (length <= 5) return { scale: 1 / correction1, adaptive: false };
  const rectification = ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length);
  return { scale: Math.sqrt(rectification * correction2) / correction1, adaptive: true };
}

const radam: Algorithm<RAdamOptions> = {
  rules: {
    lr: nonNegative,
    betas,
    eps: nonNegative,
    weight_decay: nonNegative,
    decoupled_weight_decay: flag,
    ...sharedRules,
  },
  slots: ['exp_avg', 'exp_avg_sq'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.radam,
  rows(group, factor) {
    const moments = momentScalars(group, factor);
    const [lr, beta1, beta2] = moments;
    const scalarsAt = perStep((step) => {
      const { scale, adaptive } = rectified(step, beta1, beta2);
      return [...moments, lr * scale, Number(adaptive)];
    });
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const scalars = scalarsAt(advance(state));
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_avg_sq = slot(state, 'exp_avg_sq', param);
      return { scalars, operands: [param, grad, exp_avg, exp_avg_sq] };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const [beta1, beta2] = group.betas.map((beta) => numberOf('betas', beta));
    const { scale, adaptive } = rectified(advance(state), beta1, beta2);
    const { value, exp_avg, exp_avg_sq } = updatedMoments(param, grad, group, state);
    const step = adaptive ? exp_avg.div(exp_avg_sq.sqrt().add(group.eps)) : exp_avg;
    return value.sub(step.mul(group.lr).mul(scale));
  },
};

/**
 * Adam that steps like SGD until its averages are long enough. State: `step`, `exp_avg`, `exp_avg_sq`. PyTorch:
 * `torch.optim.RAdam`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class RAdam extends Optimizer<RAdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<RAdamOptions>>, given?: Given<RAdamOptions>) {
    super(params, { ...options(given as Partial<RAdamOptions>) }, radam);
  }
}
