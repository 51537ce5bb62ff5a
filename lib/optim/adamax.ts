import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { power } from './double.js';
import { defaultBetas, perStep } from './moments.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  betas,
  checkForeach,
  nonNegative,
  numberOf,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link Adamax}. */
export interface AdamaxOptions extends SharedOptions {
  /** The learning rate. Default 2e-3. */
  lr: number;
  /** The decay rates of the average gradient and of its largest size. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the gradient's size. Default 1e-8. */
  eps: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
}

const options = defineOptions<AdamaxOptions>(
  'optim.Adamax',
  { lr: 2e-3, betas: defaultBetas, eps: 1e-8, weight_decay: 0, ...shared },
  true,
);

const adamax: Algorithm<AdamaxOptions> = {
  rules: { lr: nonNegative, betas, eps: nonNegative, weight_decay: nonNegative, ...sharedRules },
  slots: ['exp_avg', 'exp_inf'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.adamax,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const beta1 = numberOf('betas', group.betas[0]);
    const beta2 = numberOf('betas', group.betas[1]);
    const eps = numberOf('eps', group.eps);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const scalarsAt = perStep((step) => [beta1, beta2, eps, weight_decay, factor, lr / (1 - power(beta1, step))]);
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const scalars = scalarsAt(advance(state));
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_inf = slot(state, 'exp_inf', param);
      return { scalars, operands: [param, grad, exp_avg, exp_inf] };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const step = advance(state);
    const beta1 = numberOf('betas', group.betas[0]);
    const beta2 = numberOf('betas', group.betas[1]);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    const average = slot(state, 'exp_avg', param);
    const exp_avg = average.add(d.sub(average), { alpha: 1 - beta1 });
    const exp_inf = slot(state, 'exp_inf', param).mul(beta2).maximum(d.abs().add(group.eps));
    state.exp_avg = exp_avg;
    state.exp_inf = exp_inf;
    return param.sub(
      exp_avg
        .div(exp_inf)
        .mul(group.lr)
        .div(1 - power(beta1, step)),
    );
  },
};

/**
 * Adam with the largest size of the gradient for its average square. State: `step`, `exp_avg`, `exp_inf`. PyTorch:
 * `torch.optim.Adamax`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdamaxOptions>>, given?: Given<AdamaxOptions>) {
    super(params, { ...options(given as Partial<AdamaxOptions>) }, adamax);
  }
}
