import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { describe, Tensor } from '../tensor/tensor.js';
import { power } from './double.js';
import { asTensor, defaultBetas, momentScalars, perStep, rest, updatedMoments, type MomentOptions } from './moments.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import {
  betas,
  checkForeach,
  flag,
  nonNegative,
  optionalFlag,
  shared,
  sharedRules,
  type Given,
  type Hyper,
  type SharedOptions,
} from './rules.js';

/** Options of {@link Adam}: its learning rate is 1e-3 by default. */
export interface AdamOptions extends MomentOptions, SharedOptions {
  /** Whether to divide by the largest average of squares so far. Default false. */
  amsgrad: boolean;
  /** Makes no difference; for PyTorch's sake. */
  fused: boolean | null;
}

/** The defaults that Adam and AdamW share. @internal */
export const sharedDefaults: Omit<AdamOptions, 'decoupled_weight_decay'> = {
  lr: 1e-3,
  betas: defaultBetas,
  eps: 1e-8,
  weight_decay: 0,
  amsgrad: false,
  ...shared,
  fused: null,
};

const options = defineOptions<AdamOptions>('optim.Adam', { ...sharedDefaults, decoupled_weight_decay: false }, true);

/** The algorithm of Adam and AdamW. @internal */
export const adam: Algorithm<AdamOptions> = {
  rules: {
    lr: nonNegative,
    betas,
    eps: nonNegative,
    weight_decay: nonNegative,
    amsgrad: flag,
    ...sharedRules,
    fused: optionalFlag,
    decoupled_weight_decay: flag,
  },
  slots: ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'],
  counters: ['step'],
  check(options, name) {
    checkForeach(options, name);
    const { lr, betas, foreach, capturable } = options;
    const isTensor = (value: Hyper): boolean => value instanceof Tensor;
    if (isTensor(betas[0]) !== isTensor(betas[1])) {
      throw new TypeError(`${name}: betas: expected both to be numbers or both tensors, got ${describe(betas)}`);
    }
    if (foreach && !capturable && (isTensor(lr) || isTensor(betas[0]))) {
      throw new TypeError(`${name}: foreach: cannot be true with a tensor for lr or betas, unless capturable is`);
    }
  },
  kernel: K.adam,
  rows(group, factor) {
    const moments = momentScalars(group, factor);
    const [lr, beta1, beta2] = moments;
    const scalarsAt = perStep((step) => [...moments, lr / (1 - power(beta1, step)), Math.sqrt(1 - power(beta2, step))]);
    const { amsgrad } = group;
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const scalars = scalarsAt(advance(state));
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_avg_sq = slot(state, 'exp_avg_sq', param);
      const largest = amsgrad ? slot(state, 'max_exp_avg_sq', param) : null;
      return { scalars, operands: [param, grad, exp_avg, exp_avg_sq, largest] };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const step = advance(state);
    const { value, exp_avg, exp_avg_sq } = updatedMoments(param, grad, group, state);
    let square = exp_avg_sq;
    if (group.amsgrad) {
      square = slot(state, 'max_exp_avg_sq', param).maximum(exp_avg_sq);
      state.max_exp_avg_sq = square;
    }
    const [lr, beta1, beta2] = [group.lr, ...group.betas].map(asTensor);
    const stepSize = lr.div(rest(beta1.pow(step)));
    const correction = rest(beta2.pow(step)).sqrt();
    const denominator = square.sqrt().div(correction).add(group.eps);
    return value.sub(exp_avg.div(denominator).mul(stepSize));
  },
};

/**
 * Adam. State: `step`, `exp_avg`, `exp_avg_sq`, and `max_exp_avg_sq` with `amsgrad`. PyTorch: `torch.optim.Adam`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdamOptions>>, given?: Given<AdamOptions>) {
    super(params, { ...options(given as Partial<AdamOptions>) }, adam);
  }
}
