import { K } from '../backend/kernels.js';
import { to } from '../ops/convert.js';
import { defineOptions } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import { Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import { finite, flag, nonNegative, numberOf, optionalFlag, type Given } from './rules.js';

/** Options of {@link SGD}. */
export interface SGDOptions {
  /** The learning rate. Default 1e-3. */
  lr: number;
  /** How much of the last update is kept. Default 0. */
  momentum: number;
  /** How much less than the whole gradient joins the momentum. Default 0. */
  dampening: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
  /** Nesterov's momentum: needs a momentum and no dampening. Default false. */
  nesterov: boolean;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Makes no difference; for PyTorch's sake. */
  foreach: boolean | null;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
  /** Makes no difference; for PyTorch's sake. */
  fused: boolean | null;
}

const options = defineOptions<SGDOptions>(
  'optim.SGD',
  {
    lr: 1e-3,
    momentum: 0,
    dampening: 0,
    weight_decay: 0,
    nesterov: false,
    maximize: false,
    foreach: null,
    differentiable: false,
    fused: null,
  },
  true,
);

const sgd: Algorithm<SGDOptions> = {
  rules: {
    lr: nonNegative,
    momentum: nonNegative,
    dampening: finite,
    weight_decay: nonNegative,
    nesterov: flag,
    maximize: flag,
    foreach: optionalFlag,
    differentiable: flag,
    fused: optionalFlag,
  },
  slots: ['momentum_buffer'],
  counters: [],
  check({ nesterov, momentum, dampening }) {
    if (nesterov && (numberOf('momentum', momentum) <= 0 || numberOf('dampening', dampening) !== 0)) {
      throw new RangeError('SGD: nesterov: Nesterov momentum requires a momentum and zero dampening');
    }
  },
  kernel: K.sgd,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const momentum = numberOf('momentum', group.momentum);
    const dampening = numberOf('dampening', group.dampening);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const nesterov = Number(group.nesterov);
    return (param, grad, states) => {
      let buffer: Tensor | null = null;
      let first = 0;
      if (momentum !== 0) {
        const state = stateOf(states, param);
        first = state.momentum_buffer == null ? 1 : 0;
        buffer = slot(state, 'momentum_buffer', param);
      }
      return {
        scalars: [lr, momentum, dampening, weight_decay, nesterov, factor, first],
        operands: [param, grad, buffer],
      };
    };
  },
  sparse(group) {
    if (group.fused) throw new TypeError('step: fused: not supported with sparse gradients');
    const lr = numberOf('lr', group.lr);
    const momentum = numberOf('momentum', group.momentum);
    const dampening = numberOf('dampening', group.dampening);
    if (numberOf('weight_decay', group.weight_decay) !== 0) {
      throw new TypeError('step: weight_decay: not supported with sparse gradients');
    }
    return (param, { places, rows }, state) => {
      const d = to(group.maximize ? rows.neg() : rows, param._dtype);
      if (momentum === 0 || group.nesterov) param.index_add_(0, places, d, { alpha: -lr });
      if (momentum === 0) return;
      const fresh = state.momentum_buffer == null ? 1 : 1 - dampening;
      const buffer = slot(state, 'momentum_buffer', param).mul_(momentum).index_add_(0, places, d, { alpha: fresh });
      param.add_(buffer, { alpha: group.nesterov ? -lr * momentum : -lr });
    };
  },
  updated(param, grad, group, stateOf) {
    const momentum = numberOf('momentum', group.momentum);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    if (momentum !== 0) {
      const state = stateOf();
      const before = state.momentum_buffer as Tensor | null | undefined;
      const fresh = 1 - numberOf('dampening', group.dampening);
      const buffer = before == null ? d.detach().clone() : before.mul(momentum).add(d, { alpha: fresh });
      state.momentum_buffer = buffer;
      d = group.nesterov ? d.add(buffer, { alpha: momentum }) : buffer;
    }
    return param.sub(d.mul(group.lr));
  },
};

/**
 * Stochastic gradient descent, with momentum if wanted. State: `momentum_buffer`. PyTorch: `torch.optim.SGD`.
 * @throws TypeError or RangeError as {@link Optimizer}, and for `nesterov` without momentum or with dampening.
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<SGDOptions>>, given?: Given<SGDOptions>) {
    super(params, { ...options(given as Partial<SGDOptions>) }, sgd);
  }
}
