import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  checkForeach,
  nonNegative,
  numberOf,
  share,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link Adadelta}. */
export interface AdadeltaOptions extends SharedOptions {
  /** The learning rate: what the step is scaled by. Default 1. */
  lr: number;
  /** The decay rate of both averages. Default 0.9. */
  rho: number;
  /** Added under both roots. Default 1e-6. */
  eps: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
}

const options = defineOptions<AdadeltaOptions>(
  'optim.Adadelta',
  { lr: 1, rho: 0.9, eps: 1e-6, weight_decay: 0, ...shared },
  true,
);

const adadelta: Algorithm<AdadeltaOptions> = {
  rules: { lr: nonNegative, rho: share, eps: nonNegative, weight_decay: nonNegative, ...sharedRules },
  slots: ['square_avg', 'acc_delta'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.adadelta,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const rho = numberOf('rho', group.rho);
    const eps = numberOf('eps', group.eps);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    return (param, grad, states) => {
      const state = stateOf(states, param);
      advance(state);
      const square_avg = slot(state, 'square_avg', param);
      const acc_delta = slot(state, 'acc_delta', param);
      return {
        scalars: [lr, rho, eps, weight_decay, factor],
        operands: [param, grad, square_avg, acc_delta],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    advance(state);
    const rho = numberOf('rho', group.rho);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    const square_avg = slot(state, 'square_avg', param)
      .mul(rho)
      .add(d.mul(d), { alpha: 1 - rho });
    const acc_delta = slot(state, 'acc_delta', param);
    const delta = acc_delta.add(group.eps).sqrt().div(square_avg.add(group.eps).sqrt()).mul(d);
    state.square_avg = square_avg;
    state.acc_delta = acc_delta.mul(rho).add(delta.mul(delta), { alpha: 1 - rho });
    return param.sub(delta.mul(group.lr));
  },
};

/**
 * Adadelta. State: `step`, `square_avg`, `acc_delta`. PyTorch: `torch.optim.Adadelta`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdadeltaOptions>>, given?: Given<AdadeltaOptions>) {
    super(params, { ...options(given as Partial<AdadeltaOptions>) }, adadelta);
  }
}
