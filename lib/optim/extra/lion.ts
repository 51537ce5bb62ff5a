import { K } from '../../backend/kernels.js';
import { defineOptions } from '../../options.js';
import { asTensor, rest } from '../moments.js';
import { Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from '../optimizer.js';
import { betas, flag, nonNegative, numberOf, type Given } from '../rules.js';

/** Options of {@link Lion}. */
export interface LionOptions {
  /** The learning rate η: a third to a tenth of AdamW's. Default 1e-4. */
  lr: number;
  /** β₁ weighs the average against the gradient in the step, β₂ in the average itself. Default [0.9, 0.99]. */
  betas: readonly [number, number];
  /** The weight decay λ, apart from the gradient: three to ten times AdamW's. Default 0. */
  weight_decay: number;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
}

const options = defineOptions<LionOptions>(
  'optim.extra.Lion',
  { lr: 1e-4, betas: Object.freeze([0.9, 0.99] as const), weight_decay: 0, maximize: false, differentiable: false },
  true,
);

const lion: Algorithm<LionOptions> = {
  rules: { lr: nonNegative, betas, weight_decay: nonNegative, maximize: flag, differentiable: flag },
  slots: ['exp_avg'],
  counters: [],
  kernel: K.lion,
  rows(group, factor) {
    const scalars = [
      numberOf('lr', group.lr),
      numberOf('betas', group.betas[0]),
      numberOf('betas', group.betas[1]),
      numberOf('weight_decay', group.weight_decay),
      factor,
    ];
    return (param, grad, states) => ({
      scalars,
      operands: [param, grad, slot(stateOf(states, param), 'exp_avg', param)],
    });
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const [lr, beta1, beta2] = [group.lr, ...group.betas].map(asTensor);
    const d = group.maximize ? grad.neg() : grad;
    const average = slot(state, 'exp_avg', param);
    const direction = average
      .mul(beta1)
      .add(d.mul(rest(beta1)))
      .sign();
    state.exp_avg = average.mul(beta2).add(d.mul(rest(beta2)));
    return param.sub(direction.add(param.mul(group.weight_decay)).mul(lr));
  },
};

/**
 * Lion: steps of one size, along the sign of an average gradient. State: `exp_avg`, half of Adam's. Chen et al. 2023,
 * "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, algorithm 2:
 *
 *     cₜ = β₁ mₜ₋₁ + (1 - β₁) gₜ
 *     θₜ = θₜ₋₁ - η (sign(cₜ) + λ θₜ₋₁)
 *     mₜ = β₂ mₜ₋₁ + (1 - β₂) gₜ
 *
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<LionOptions>>, given?: Given<LionOptions>) {
    super(params, { ...options(given as Partial<LionOptions>) }, lion);
  }
}
