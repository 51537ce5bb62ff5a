import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import { power } from './double.js';
import { defaultBetas, momentScalars, perStep, updatedMoments, type MomentOptions } from './moments.js';
import {
  advance,
  count,
  counter,
  Optimizer,
  slot,
  stateOf,
  type Algorithm,
  type ParamGroupInput,
  type Params,
  type ParamState,
} from './optimizer.js';
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

/** Options of {@link NAdam}: its learning rate is 2e-3 by default. */
export interface NAdamOptions extends MomentOptions, SharedOptions {
  /** How fast the momentum comes up to its full size. Default 4e-3. */
  momentum_decay: number;
}

const options = defineOptions<NAdamOptions>(
  'optim.NAdam',
  {
    lr: 2e-3,
    betas: defaultBetas,
    eps: 1e-8,
    weight_decay: 0,
    momentum_decay: 4e-3,
    decoupled_weight_decay: false,
    ...shared,
  },
  true,
);

/**
 * Moves `step` and `mu_product` on; returns what the gradient and its average count for, and what `correct` makes of the
 * step's number.
 */
function schedule(
  state: ParamState,
  beta1: number,
  momentum_decay: number,
  correct: (step: number) => number,
): { fresh: number; kept: number; correction: number } {
  const step = advance(state);
  const mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay));
  const next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay));
  // In float32 throughout, whatever the parameter's dtype, as PyTorch multiplies it.
  const product = count(state, 'mu_product', counter(state, 'mu_product', 1) * Math.fround(mu));
  return { fresh: (1 - mu) / (1 - product), kept: next / (1 - product * next), correction: correct(step) };
}

/** The bias of the average of squares, by the step's number. */
const correctionBy = (beta2: number) => (step: number) => 1 - power(beta2, step);

const nadam: Algorithm<NAdamOptions> = {
  rules: {
    lr: nonNegative,
    betas,
    eps: nonNegative,
    weight_decay: nonNegative,
    momentum_decay: nonNegative,
    decoupled_weight_decay: flag,
    ...sharedRules,
  },
  slots: ['exp_avg', 'exp_avg_sq'],
  counters: ['step', 'mu_product'],
  check: checkForeach,
  kernel: K.nadam,
  rows(group, factor) {
    const scalars = momentScalars(group, factor);
    const [lr, beta1, beta2] = scalars;
    const momentum_decay = numberOf('momentum_decay', group.momentum_decay);
    const correct = perStep(correctionBy(beta2));
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const { fresh, kept, correction } = schedule(state, beta1, momentum_decay, correct);
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_avg_sq = slot(state, 'exp_avg_sq', param);
      return {
        scalars: [...scalars, lr * fresh, lr * kept, correction],
        operands: [param, grad, exp_avg, exp_avg_sq],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const [beta1, beta2] = group.betas.map((beta) => numberOf('betas', beta));
    const momentum_decay = numberOf('momentum_decay', group.momentum_decay);
    const { fresh, kept, correction } = schedule(state, beta1, momentum_decay, correctionBy(beta2));
    const { value, d, exp_avg, exp_avg_sq } = updatedMoments(param, grad, group, state);
    const denominator = exp_avg_sq.div(correction).sqrt().add(group.eps);
    const part = (of: Tensor, weight: number) => of.mul(weight).mul(group.lr).div(denominator);
    return value.sub(part(d, fresh)).sub(part(exp_avg, kept));
  },
};

/**
 * Adam with Nesterov's momentum. State: `step`, `mu_product`, `exp_avg`, `exp_avg_sq`. PyTorch: `torch.optim.NAdam`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<NAdamOptions>>, given?: Given<NAdamOptions>) {
    super(params, { ...options(given as Partial<NAdamOptions>) }, nadam);
  }
}
