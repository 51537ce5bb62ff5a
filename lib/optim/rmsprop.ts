import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  checkForeach,
  flag,
  nonNegative,
  numberOf,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link RMSprop}. */
export interface RMSpropOptions extends SharedOptions {
  /** The learning rate. Default 1e-2. */
  lr: number;
  /** The decay rate of the average of squares. Default 0.99. */
  alpha: number;
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
  /** How much of the last update is kept. Default 0. */
  momentum: number;
  /** Whether to divide by the deviation from the average gradient. Default false. */
  centered: boolean;
}

const options = defineOptions<RMSpropOptions>(
  'optim.RMSprop',
  {
    lr: 1e-2,
    alpha: 0.99,
    eps: 1e-8,
    weight_decay: 0,
    momentum: 0,
    centered: false,
    ...shared,
  },
  true,
);

const rmsprop: Algorithm<RMSpropOptions> = {
  rules: {
    lr: nonNegative,
    alpha: nonNegative,
    eps: nonNegative,
    weight_decay: nonNegative,
    momentum: nonNegative,
    centered: flag,
    ...sharedRules,
  },
  slots: ['square_avg', 'momentum_buffer', 'grad_avg'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.rmsprop,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const alpha = numberOf('alpha', group.alpha);
    const eps = numberOf('eps', group.eps);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const momentum = numberOf('momentum', group.momentum);
    const { centered } = group;
    return (param, grad, states) => {
      const state = stateOf(states, param);
      advance(state);
      const square_avg = slot(state, 'square_avg', param);
      const buffer = momentum > 0 ? slot(state, 'momentum_buffer', param) : null;
      const grad_avg = centered ? slot(state, 'grad_avg', param) : null;
      return {
        scalars: [lr, alpha, eps, weight_decay, momentum, factor],
        operands: [param, grad, square_avg, buffer, grad_avg],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    advance(state);
    const alpha = numberOf('alpha', group.alpha);
    const momentum = numberOf('momentum', group.momentum);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    const square_avg = slot(state, 'square_avg', param)
      .mul(alpha)
      .add(d.mul(d), { alpha: 1 - alpha });
    state.square_avg = square_avg;
    let square = square_avg;
    if (group.centered) {
      const average = slot(state, 'grad_avg', param);
      const grad_avg = average.add(d.sub(average), { alpha: 1 - alpha });
      state.grad_avg = grad_avg;
      square = square_avg.sub(grad_avg.mul(grad_avg));
    }
    let change = d.div(square.sqrt().add(group.eps));
    if (momentum > 0) {
      change = slot(state, 'momentum_buffer', param).mul(momentum).add(change);
      state.momentum_buffer = change;
    }
    return param.sub(change.mul(group.lr));
  },
};

/**
 * RMSprop. State: `step`, `square_avg`, and `momentum_buffer` with momentum, `grad_avg` with `centered`. PyTorch:
 * `torch.optim.RMSprop`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<RMSpropOptions>>, given?: Given<RMSpropOptions>) {
    super(params, { ...options(given as Partial<RMSpropOptions>) }, rmsprop);
  }
}
