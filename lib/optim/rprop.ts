import { K } from '../backend/kernels.js';
import { ones_like } from '../ops/creation.js';
import { where } from '../ops/where.js';
import { defineOptions } from '../options.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  checkForeach,
  etas,
  nonNegative,
  numberOf,
  numbers,
  shared,
  sharedRules,
  type Given,
  type SharedOptions,
} from './rules.js';

/** Options of {@link Rprop}. */
export interface RpropOptions extends SharedOptions {
  /** The first step of each element; a later change makes no difference. Default 1e-2. */
  lr: number;
  /** What an element's step is multiplied by where the gradient's sign changed, and where it did not. Default [0.5, 1.2]. */
  etas: readonly [number, number];
  /** The smallest and the largest step. Default [1e-6, 50]. */
  step_sizes: readonly [number, number];
}

const options = defineOptions<RpropOptions>(
  'optim.Rprop',
  {
    lr: 1e-2,
    etas: Object.freeze([0.5, 1.2] as const),
    step_sizes: Object.freeze([1e-6, 50] as const),
    ...shared,
  },
  true,
);

const rprop: Algorithm<RpropOptions> = {
  rules: { lr: nonNegative, etas, step_sizes: numbers, ...sharedRules },
  slots: ['prev', 'step_size'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.rprop,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const [minus, plus] = group.etas.map((eta) => numberOf('etas', eta));
    const [least, most] = group.step_sizes.map((size) => numberOf('step_sizes', size));
    return (param, grad, states) => {
      const state = stateOf(states, param);
      advance(state);
      const prev = slot(state, 'prev', param);
      const step_size = slot(state, 'step_size', param, lr);
      return {
        scalars: [minus, plus, least, most, factor],
        operands: [param, grad, prev, step_size],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    advance(state);
    const [minus, plus] = group.etas.map((eta) => numberOf('etas', eta));
    const [min, max] = group.step_sizes.map((size) => numberOf('step_sizes', size));
    const d = group.maximize ? grad.neg() : grad;
    const agreement = d.mul(slot(state, 'prev', param));
    const factor = where(agreement.gt(0), plus, where(agreement.lt(0), minus, ones_like(param)));
    const prev = where(agreement.lt(0), 0, d);
    const step_size = slot(state, 'step_size', param, numberOf('lr', group.lr)).mul(factor).clamp({ min, max });
    state.prev = prev;
    state.step_size = step_size;
    return param.sub(prev.sign().mul(step_size));
  },
};

/**
 * Resilient backpropagation: steps by the gradient's sign alone. State: `step`, `prev`, `step_size`. PyTorch:
 * `torch.optim.Rprop`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<RpropOptions>>, given?: Given<RpropOptions>) {
    super(params, { ...options(given as Partial<RpropOptions>) }, rprop);
  }
}
