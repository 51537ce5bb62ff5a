import { K } from '../backend/kernels.js';
import { tensor } from '../ops/creation.js';
import { defineOptions } from '../options.js';
import { float64 } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { advance, Optimizer, slot, stateOf, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import { betas, flag, nonNegative, numberOf, optionalFlag, type Given, type Hyper } from './rules.js';

/** Options of {@link Adam}. */
export interface AdamOptions {
  /** The learning rate. Default 1e-3. */
  lr: number;
  /** The decay rates of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
  /** Whether to divide by the largest average of squares so far. Default false. */
  amsgrad: boolean;
  /** Makes no difference; for PyTorch's sake. */
  foreach: boolean | null;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Makes no difference; for PyTorch's sake. */
  capturable: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
  /** Makes no difference; for PyTorch's sake. */
  fused: boolean | null;
  /** Whether weights decay apart from the gradient, as AdamW's do. Default false. */
  decoupled_weight_decay: boolean;
}

/** The defaults that Adam and AdamW share. @internal */
export const sharedDefaults: Omit<AdamOptions, 'decoupled_weight_decay'> = {
  lr: 1e-3,
  betas: Object.freeze([0.9, 0.999] as const),
  eps: 1e-8,
  weight_decay: 0,
  amsgrad: false,
  foreach: null,
  maximize: false,
  capturable: false,
  differentiable: false,
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
    foreach: optionalFlag,
    maximize: flag,
    capturable: flag,
    differentiable: flag,
    fused: optionalFlag,
    decoupled_weight_decay: flag,
  },
  slots: ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'],
  counters: ['step'],
  kernel: K.adam,
  rows(group) {
    const lr = numberOf('lr', group.lr);
    const beta1 = numberOf('betas', group.betas[0]);
    const beta2 = numberOf('betas', group.betas[1]);
    const eps = numberOf('eps', group.eps);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const decoupled = Number(group.decoupled_weight_decay);
    const maximize = Number(group.maximize);
    const { amsgrad } = group;
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const step = advance(state);
      const exp_avg = slot(state, 'exp_avg', param);
      const exp_avg_sq = slot(state, 'exp_avg_sq', param);
      const largest = amsgrad ? slot(state, 'max_exp_avg_sq', param) : null;
      return {
        scalars: [step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize],
        operands: [param, grad, exp_avg, exp_avg_sq, largest],
      };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const step = advance(state);
    const [lr, beta1, beta2] = [group.lr, ...group.betas].map(asTensor);
    const decays = numberOf('weight_decay', group.weight_decay) !== 0;
    let d = group.maximize ? grad.neg() : grad;
    let value = param;
    if (decays && group.decoupled_weight_decay) value = param.mul(rest(lr.mul(group.weight_decay)));
    else if (decays) d = d.add(param.mul(group.weight_decay));
    const average = slot(state, 'exp_avg', param);
    const exp_avg = average.add(d.sub(average).mul(rest(beta1)));
    const exp_avg_sq = slot(state, 'exp_avg_sq', param)
      .mul(beta2)
      .add(d.mul(d).mul(rest(beta2)));
    state.exp_avg = exp_avg;
    state.exp_avg_sq = exp_avg_sq;
    let square = exp_avg_sq;
    if (group.amsgrad) {
      square = slot(state, 'max_exp_avg_sq', param).maximum(exp_avg_sq);
      state.max_exp_avg_sq = square;
    }
    const stepSize = lr.div(rest(beta1.pow(step)));
    const correction = rest(beta2.pow(step)).sqrt();
    const denominator = square.sqrt().div(correction).add(group.eps);
    return value.sub(exp_avg.div(denominator).mul(stepSize));
  },
};

/** 1 - x. */
function rest(x: Tensor): Tensor {
  return x.neg().add(1);
}

/** An option with its gradient, or in float64 so that nothing is lost. */
function asTensor(value: Hyper): Tensor {
  return value instanceof Tensor ? value : tensor(value, { dtype: float64 });
}

/**
 * Adam. State: `step`, `exp_avg`, `exp_avg_sq`, and `max_exp_avg_sq` with `amsgrad`. PyTorch: `torch.optim.Adam`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdamOptions>>, given?: Given<AdamOptions>) {
    super(params, { ...options(given as Partial<AdamOptions>) }, adam);
  }
}
