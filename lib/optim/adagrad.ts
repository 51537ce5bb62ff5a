import { K } from '../backend/kernels.js';
import type { SparseTensor } from '../ops/sparse_tensor.js';
import { defineOptions } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import {
  advance,
  counter,
  Optimizer,
  slot,
  stateOf,
  type Algorithm,
  type ParamGroupInput,
  type Params,
  type ParamState,
} from './optimizer.js';
import { checkForeach, flag, nonNegative, numberOf, optionalFlag, type Given } from './rules.js';

/** Options of {@link Adagrad}. */
export interface AdagradOptions {
  /** The learning rate. Default 1e-2. */
  lr: number;
  /** How fast the learning rate falls: it is divided by 1 + (step - 1) lr_decay. Default 0. */
  lr_decay: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
  /** What the sum of squares starts from; a group's own makes no difference. Default 0. */
  initial_accumulator_value: number;
  /** Added to the denominator. Default 1e-10. */
  eps: number;
  /** Makes no difference; for PyTorch's sake. */
  foreach: boolean | null;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
  /** Makes no difference; for PyTorch's sake. */
  fused: boolean | null;
}

const options = defineOptions<AdagradOptions>(
  'optim.Adagrad',
  {
    lr: 1e-2,
    lr_decay: 0,
    weight_decay: 0,
    initial_accumulator_value: 0,
    eps: 1e-10,
    foreach: null,
    maximize: false,
    differentiable: false,
    fused: null,
  },
  true,
);

/** The sum of squares, which starts from the optimizer's own option. */
function sumOf(state: ParamState, param: Tensor, defaults: AdagradOptions): Tensor {
  return slot(state, 'sum', param, numberOf('initial_accumulator_value', defaults.initial_accumulator_value));
}

const adagrad = (defaults: AdagradOptions): Algorithm<AdagradOptions> => ({
  rules: {
    lr: nonNegative,
    lr_decay: nonNegative,
    weight_decay: nonNegative,
    initial_accumulator_value: nonNegative,
    eps: nonNegative,
    foreach: optionalFlag,
    maximize: flag,
    differentiable: flag,
    fused: optionalFlag,
  },
  slots: ['sum'],
  counters: ['step'],
  check: checkForeach,
  kernel: K.adagrad,
  rows(group, factor) {
    const lr = numberOf('lr', group.lr);
    const lr_decay = numberOf('lr_decay', group.lr_decay);
    const eps = numberOf('eps', group.eps);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    return (param, grad, states) => {
      const state = stateOf(states, param);
      const rate = lr / (1 + (advance(state) - 1) * lr_decay);
      return {
        scalars: [rate, eps, weight_decay, factor],
        operands: [param, grad, sumOf(state, param, defaults)],
      };
    };
  },
  sparse(group) {
    if (group.fused) throw new TypeError('step: fused: not supported with sparse gradients');
    const lr = numberOf('lr', group.lr);
    const lr_decay = numberOf('lr_decay', group.lr_decay);
    const eps = numberOf('eps', group.eps);
    if (numberOf('weight_decay', group.weight_decay) !== 0) {
      throw new TypeError('step: weight_decay: not supported with sparse gradients');
    }
    return (param, grad, state) => {
      const rate = lr / (1 + (advance(state) - 1) * lr_decay);
      const { places, rows } = grad.coalesce() as SparseTensor;
      const sum = sumOf(state, param, defaults).index_add_(0, places, rows.mul(rows));
      const change = rows.div(sum.index_select(0, places).sqrt_().add_(eps));
      param.index_add_(0, places, change, { alpha: group.maximize ? rate : -rate });
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const slowdown = 1 + (advance(state) - 1) * numberOf('lr_decay', group.lr_decay);
    let d = group.maximize ? grad.neg() : grad;
    if (numberOf('weight_decay', group.weight_decay) !== 0) d = d.add(param.mul(group.weight_decay));
    const sum = sumOf(state, param, defaults).add(d.mul(d));
    state.sum = sum;
    return param.sub(d.div(sum.sqrt().add(group.eps)).mul(group.lr).div(slowdown));
  },
});

/**
 * Adagrad. State, from the start: `step`, `sum`. PyTorch: `torch.optim.Adagrad`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdagradOptions>>, given?: Given<AdagradOptions>) {
    const defaults = { ...options(given as Partial<AdagradOptions>) };
    super(params, defaults, adagrad(defaults));
    for (const param of this.param_groups.flatMap((group) => group.params)) {
      const state = stateOf(this.state, param);
      counter(state, 'step', 0);
      sumOf(state, param, defaults);
    }
  }
}
