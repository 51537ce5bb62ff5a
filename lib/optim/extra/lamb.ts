import { K } from '../../backend/kernels.js';
import { where } from '../../ops/where.js';
import { defineOptions } from '../../options.js';
import { asTensor, defaultBetas, rest } from '../moments.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from '../optimizer.js';
import { betas, flag, nonNegative, numberOf, type Given } from '../rules.js';

/** Options of {@link LAMB}. */
export interface LAMBOptions {
  /** The learning rate η. Default 1e-3. */
  lr: number;
  /** The decay rates of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-6. */
  eps: number;
  /** The weight decay λ, apart from the gradient. Default 0. */
  weight_decay: number;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
}

const options = defineOptions<LAMBOptions>(
  'optim.extra.LAMB',
  { lr: 1e-3, betas: defaultBetas, eps: 1e-6, weight_decay: 0, maximize: false, differentiable: false },
  true,
);

const lamb: Algorithm<LAMBOptions> = {
  rules: {
    lr: nonNegative,
    betas,
    eps: nonNegative,
    weight_decay: nonNegative,
    maximize: flag,
    differentiable: flag,
  },
  slots: ['exp_avg', 'exp_avg_sq'],
  counters: ['step'],
  kernel: K.lamb,
  rows(group, factor) {
    const beta1 = numberOf('betas', group.betas[0]);
    const beta2 = numberOf('betas', group.betas[1]);
    const options = [
      numberOf('lr', group.lr),
      beta1,
      beta2,
      numberOf('eps', group.eps),
      numberOf('weight_decay', group.weight_decay),
      factor,
    ];
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const step = advance(state);
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_avg_sq = slot(state, 'exp_avg_sq', param);
      const scalars = [...options, 1 / (1 - beta1 ** step), Math.sqrt(1 - beta2 ** step)];
      return { scalars, operands: [param, grad, exp_avg, exp_avg_sq] };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const step = advance(state);
    const [lr, beta1, beta2] = [group.lr, ...group.betas].map(asTensor);
    const d = group.maximize ? grad.neg() : grad;
    const exp_avg = slot(state, 'exp_avg', param)
      .mul(beta1)
      .add(d.mul(rest(beta1)));
    const exp_avg_sq = slot(state, 'exp_avg_sq', param)
      .mul(beta2)
      .add(d.mul(d).mul(rest(beta2)));
    state.exp_avg = exp_avg;
    state.exp_avg_sq = exp_avg_sq;
    const denominator = exp_avg_sq
      .div(rest(beta2.pow(step)))
      .sqrt()
      .add(group.eps);
    const adam = exp_avg.div(rest(beta1.pow(step))).div(denominator);
    const update = adam.add(param.mul(group.weight_decay));
    const [size, length] = [param.norm(), update.norm()];
    const ratio = where(size.gt(0).logical_and(length.gt(0)), size.div(length), 1);
    return param.sub(update.mul(lr.mul(ratio)));
  },
};

/**
 * LAMB, for large batches: Adam's update of each tensor, scaled to the tensor's own norm. State: `step`, `exp_avg`,
 * `exp_avg_sq`. You et al. 2019, "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
 * arXiv:1904.00962, algorithm 2, with φ(z) = z, x being one tensor:
 *
 *     mₜ = β₁ mₜ₋₁ + (1 - β₁) gₜ          vₜ = β₂ vₜ₋₁ + (1 - β₂) gₜ²
 *     rₜ = mₜ / (1 - β₁ᵗ) / (√(vₜ / (1 - β₂ᵗ)) + ε)
 *     xₜ₊₁ = xₜ - η ‖xₜ‖ / ‖rₜ + λ xₜ‖ (rₜ + λ xₜ)
 *
 * Where either norm is 0, their ratio counts as 1.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class LAMB extends Optimizer<LAMBOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<LAMBOptions>>, given?: Given<LAMBOptions>) {
    super(params, { ...options(given as Partial<LAMBOptions>) }, lamb);
  }
}
