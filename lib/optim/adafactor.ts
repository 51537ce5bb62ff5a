import { zeros } from '../ops/creation.js';
import { defineOptions } from '../options.js';
import { float32 } from '../tensor/dtype.js';
import type { Dims, Tensor } from '../tensor/tensor.js';
import { advance, Optimizer, type ByOps, type ParamGroupInput, type Params, type ParamState } from './optimizer.js';
import { flag, nonNegative, numberOf, numeric, optionalFlag, type Given, type Hyper, type Rule } from './rules.js';

/** Options of {@link Adafactor}. */
export interface AdafactorOptions {
  /** The greatest relative size of a step, and with `weight_decay` how fast weights decay. Default 1e-2. */
  lr: number;
  /** The power of the step's number that the newest squares weigh. Default -0.8. */
  beta2_decay: number;
  /** The least of the denominator (null: the dtype's epsilon), and the least scale of a parameter. Default [null, 1e-3]. */
  eps: readonly [number | null, number];
  /** The greatest root mean square of an update; greater ones are scaled down to it. Default 1. */
  d: number;
  /** How much weights decay, apart from the gradient. Default 0. */
  weight_decay: number;
  /** Makes no difference; for PyTorch's sake. */
  foreach: boolean | null;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
}

const options = defineOptions<AdafactorOptions>(
  'optim.Adafactor',
  {
    lr: 1e-2,
    beta2_decay: -0.8,
    eps: Object.freeze([null, 1e-3] as const),
    d: 1,
    weight_decay: 0,
    foreach: null,
    maximize: false,
  },
  true,
);

const epsRule: Rule = {
  expected: 'null or a number >= 0, and a number >= 0',
  holds: (value) =>
    Array.isArray(value) &&
    value.length === 2 &&
    (value[0] === null || nonNegative.holds(value[0])) &&
    nonNegative.holds(value[1]),
};

/** The shapes of the state: one of the last two dimensions is averaged over. */
function dimsOf(slot: string, { _dims: dims }: Tensor): Dims {
  if (slot === 'variance') return dims;
  const averaged = dims.length - (slot === 'row_var' ? 1 : 2);
  return dims.map((size, i) => (i === averaged ? 1 : size));
}

/** A state tensor; zeros at first. */
function average(state: ParamState, name: string, grad: Tensor): Tensor {
  return (state[name] ??= zeros(dimsOf(name, grad), { dtype: grad._dtype })) as Tensor;
}

const adafactor: ByOps<AdafactorOptions> = {
  rules: {
    lr: nonNegative,
    beta2_decay: numeric('a number <= 0', (x) => x <= 0),
    eps: epsRule,
    d: numeric('a number >= 1', (x) => x >= 1),
    weight_decay: nonNegative,
    foreach: optionalFlag,
    maximize: flag,
  },
  slots: ['row_var', 'col_var', 'variance'],
  counters: ['step'],
  dimsOf,
  update(group) {
    const lr = numberOf('lr', group.lr);
    const beta2_decay = numberOf('beta2_decay', group.beta2_decay);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const d = numberOf('d', group.d);
    const [first, second] = group.eps as readonly (Hyper | null)[];
    const eps2 = numberOf('eps', second);
    let eps1 = first === null ? null : numberOf('eps', first);
    return (param, grad, state) => {
      eps1 ??= param._dtype === float32 ? 2 ** -23 : 2 ** -52; // of the group's first parameter, as in PyTorch
      const step = advance(state);
      const fresh = step ** beta2_decay;
      const rate = Math.min(lr, 1 / Math.sqrt(step)) * greater(eps2, rms(param));
      if (weight_decay !== 0) param.mul_(1 - lr * weight_decay);
      const update = grad._dims.length > 1 ? factored(grad, state, fresh, eps1) : whole(grad, state, fresh);
      update
        .clamp_(eps1 * eps1)
        .rsqrt_()
        .mul_(grad);
      const size = rate / greater(1, rms(update) / d);
      param.add_(update, { alpha: group.maximize ? size : -size });
    };
  },
};

/** The mean squares, as an average over the steps. */
function whole(grad: Tensor, state: ParamState, fresh: number): Tensor {
  return average(state, 'variance', grad).lerp_(grad.mul(grad), fresh).clone();
}

/** Their estimate from the averages of the rows and of the columns. */
function factored(grad: Tensor, state: ParamState, fresh: number, eps1: number): Tensor {
  const row_var = average(state, 'row_var', grad).lerp_(meanSquares(grad, -1), fresh);
  const col_var = average(state, 'col_var', grad).lerp_(meanSquares(grad, -2), fresh);
  return row_var.matmul(col_var).div_(row_var.mean(-2, { keepdim: true }).clamp_(eps1));
}

function meanSquares(grad: Tensor, dim: number): Tensor {
  const norm = grad.norm(2, dim, { keepdim: true });
  return norm.mul_(norm).div_(grad.size(dim));
}

/** The root of the mean square of all elements. */
function rms(t: Tensor): number {
  return t.norm().item<number>() / Math.sqrt(t._numel);
}

/** `b` where it is greater, so that NaN gives `a`, as in PyTorch. */
function greater(a: number, b: number): number {
  return b > a ? b : a;
}

/**
 * Adafactor: Adam without momentum, whose averages of squares are kept by row and by column only (N. Shazeer, M. Stern,
 * 2018; with PyTorch's use of `lr` and `eps`). State: `step`; `row_var` and `col_var` of a parameter of two or more
 * dimensions, `variance` of others. PyTorch: `torch.optim.Adafactor`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdafactorOptions>>, given?: Given<AdafactorOptions>) {
    super(params, { ...options(given as Partial<AdafactorOptions>) }, adafactor);
  }
}
