import { callStrided, pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { empty, zeros } from '../ops/creation.js';
import { defineOptions } from '../options.js';
import { float32 } from '../tensor/dtype.js';
import { describe, stridesOf, Tensor } from '../tensor/tensor.js';
import { Optimizer, type ByOps, type ParamGroupInput, type Params } from './optimizer.js';
import { finite, flag, integer, nonNegative, numberOf, type Given, type Rule } from './rules.js';

/** Options of {@link Muon}. */
export interface MuonOptions {
  /** The learning rate. Default 1e-3. */
  lr: number;
  /** How much weights decay, apart from the gradient. Default 0.1. */
  weight_decay: number;
  /** How much of the average of the gradients is kept. Default 0.95. */
  momentum: number;
  /** Whether the newest gradient weighs once more. Default true. */
  nesterov: boolean;
  /** The polynomial a x + b x³ + c x⁵ of the Newton-Schulz iteration. Default [3.4445, -4.775, 2.0315]. */
  ns_coefficients: readonly [number, number, number];
  /** The least norm that an update is divided by. Default 1e-7. */
  eps: number;
  /** How many iterations, fewer than 100. Default 5. */
  ns_steps: number;
  /**
   * What `lr` is multiplied by for an m × n parameter: √max(1, m / n) (`'original'`, and by default) or 0.2 √max(m, n)
   * (`'match_rms_adamw'`, so that learning rates of AdamW serve).
   */
  adjust_lr_fn: 'original' | 'match_rms_adamw' | null;
}

const options = defineOptions<MuonOptions>(
  'optim.Muon',
  {
    lr: 1e-3,
    weight_decay: 0.1,
    momentum: 0.95,
    nesterov: true,
    ns_coefficients: Object.freeze([3.4445, -4.775, 2.0315] as const),
    eps: 1e-7,
    ns_steps: 5,
    adjust_lr_fn: null,
  },
  true,
);

const coefficientsRule: Rule = {
  expected: 'three finite numbers',
  holds: (value) => Array.isArray(value) && value.length === 3 && value.every(Number.isFinite),
};
const stepsRule: Rule = {
  expected: 'an integer from 0 to 99',
  holds: (value) => integer(0).holds(value) && (value as number) < 100,
};
const adjustRule: Rule = {
  expected: "'original', 'match_rms_adamw' or null",
  holds: (value) => value === null || value === 'original' || value === 'match_rms_adamw',
};

const muon: ByOps<MuonOptions> = {
  rules: {
    lr: nonNegative,
    weight_decay: nonNegative,
    momentum: nonNegative,
    nesterov: flag,
    ns_coefficients: coefficientsRule,
    eps: finite,
    ns_steps: stepsRule,
    adjust_lr_fn: adjustRule,
  },
  slots: ['momentum_buffer'],
  counters: [],
  checkParam(param) {
    if (param._dims.length === 2) return;
    throw new RangeError(`Muon: params: Muon only supports 2D parameters, got ${describe(param)}`);
  },
  update(group) {
    const lr = numberOf('lr', group.lr);
    const weight_decay = numberOf('weight_decay', group.weight_decay);
    const momentum = numberOf('momentum', group.momentum);
    return (param, grad, state) => {
      const buffer = (state.momentum_buffer ??= zeros(param._dims, { dtype: param._dtype })) as Tensor;
      buffer.lerp_(grad, 1 - momentum);
      const update = orthogonalized(group.nesterov ? grad.lerp(buffer, momentum) : buffer, group);
      const [rows, columns] = param._dims;
      const rms = group.adjust_lr_fn === 'match_rms_adamw';
      const factor = rms ? 0.2 * Math.sqrt(Math.max(rows, columns)) : Math.sqrt(Math.max(1, rows / columns));
      param.mul_(1 - lr * weight_decay);
      param.add_(update, { alpha: -lr * factor });
    };
  },
};

/**
 * The matrix with its singular values brought near 1, by the Newton-Schulz iteration X ← a X + (b A + c A²) X, A = X Xᵀ.
 * Every result is rounded to bfloat16, which PyTorch computes in; its sums are of float32, as here.
 */
function orthogonalized(matrix: Tensor, { ns_coefficients: [a, b, c], ns_steps, eps }: MuonOptions): Tensor {
  const tall = matrix._dims[0] > matrix._dims[1];
  let x = bfloat16(matrix.to(float32, { copy: true }));
  if (tall) x = x.t();
  const norm = bfloat16(x.norm().clamp_(eps));
  x = bfloat16(x.div(norm));
  for (let i = 0; i < ns_steps; i++) {
    const gram = product(x, x.t(), null, 1, 0, true);
    const polynomial = product(gram, gram, gram, c, b, true);
    x = product(polynomial, x, x, 1, a, false);
  }
  return tall ? x.t() : x;
}

/** α a b + β c, rounded to bfloat16; of a symmetric result half is computed. */
function product(a: Tensor, b: Tensor, c: Tensor | null, alpha: number, beta: number, symmetric: boolean): Tensor {
  const [m, k] = a._dims;
  const n = b._dims[1];
  const out = empty([m, n], { dtype: a._dtype });
  const [[aRow, aInner], [bInner, bColumn], [cRow, cColumn]] = [a, b, c ?? out].map(stridesOf);
  const strides = [
    [aRow, 0, aInner],
    [0, bColumn, bInner],
    [cRow, cColumn, 0],
    [n, 1, 0],
  ];
  callStrided(K.matmul_bfloat16, [m, n, k], [a, b, c, out], strides, [alpha, beta, Number(symmetric)], 0);
  return out;
}

/** Rounds a tensor's elements to bfloat16, in place. */
function bfloat16(t: Tensor): Tensor {
  pointwise1(K.round_bfloat16, t, t);
  return t;
}

/**
 * Muon: momentum, whose matrix is made orthogonal before each step (K. Jordan, 2024). For the matrices of hidden layers:
 * all parameters must have two dimensions. State: `momentum_buffer`. PyTorch: `torch.optim.Muon`.
 * @throws TypeError or RangeError as {@link Optimizer}, and for parameters that are no matrices.
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<MuonOptions>>, given?: Given<MuonOptions>) {
    super(params, { ...options(given as Partial<MuonOptions>) }, muon);
  }
}
