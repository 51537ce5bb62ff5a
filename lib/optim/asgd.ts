import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
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
  anyNumber,
  checkForeach,
  nonNegative,
  numberOf,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link ASGD}. */
export interface ASGDOptions extends SharedOptions {
  /** The learning rate. A change takes effect a step later. Default 1e-2. */
  lr: number;
  /** How fast the parameters and the learning rate decay. Default 1e-4. */
  lambd: number;
  /** The power by which the learning rate decays. Default 0.75. */
  alpha: number;
  /** The step from which on the parameters are averaged. Default 1e6. */
  t0: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
}

const options = defineOptions<ASGDOptions>(
  'optim.ASGD',
  { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weight_decay: 0, ...shared },
  true,
);

/** Reads a group's options, and returns what gives a step's `eta` and `mu` and leaves the next step's in the state. */
function schedule(group: ASGDOptions): (state: ParamState) => { eta: number; mu: number } {
  const lr = numberOf('lr', group.lr);
  const lambd = numberOf('lambd', group.lambd);
  const alpha = numberOf('alpha', group.alpha);
  const t0 = numberOf('t0', group.t0);
  return (state) => {
    const step = advance(state);
    const eta = counter(state, 'eta', lr);
    const mu = counter(state, 'mu', 1);
    count(state, 'eta', lr / (1 + lambd * lr * step) ** alpha);
    count(state, 'mu', 1 / Math.max(1, step - t0));
    return { eta, mu };
  };
}

const asgd: Algorithm<ASGDOptions> = {
  rules: {
    lr: nonNegative,
    lambd: anyNumber,
    alpha: anyNumber,
    t0: anyNumber,
    weight_decay: nonNegative,
    ...sharedRules,
  },
  slots: ['ax'],
  counters: ['step', 'eta', 'mu'],
  check: checkForeach,
  kernel: K.asgd,
  rows(group, factor) {
    const scheduled = schedule(group);
    const lambd = numberOf('lambd', group.lambd);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const { eta, mu } = scheduled(state);
      return {
        scalars: [lambd, eta, mu, weight_decay, factor],
        operands: [param, grad, slot(state, 'ax', param)],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const { eta, mu } = schedule(group)(state);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    const value = param.mul(1 - numberOf('lambd', group.lambd) * eta).sub(d, { alpha: eta });
    const ax = slot(state, 'ax', param);
    state.ax = mu === 1 ? value : ax.add(value.sub(ax), { alpha: mu });
    return value;
  },
};

/**
 * Averaged stochastic gradient descent. State: `step`, `eta`, `mu`, and `ax`, the average of the parameter. PyTorch:
 * `torch.optim.ASGD`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class ASGD extends Optimizer<ASGDOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<ASGDOptions>>, given?: Given<ASGDOptions>) {
    super(params, { ...options(given as Partial<ASGDOptions>) }, asgd);
  }
}
