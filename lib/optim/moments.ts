import { tensor } from '../ops/creation.js';
import { float64 } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { slot, type ParamState } from './optimizer.js';
import { numberOf, type Hyper } from './rules.js';

// What Adam, NAdam and RAdam share: the averages of the gradient and of its square.

/** The options that decide the averages. */
export interface MomentOptions {
  /** The learning rate. */
  lr: number;
  /** The decay rates of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** The L2 penalty. Default 0. */
  weight_decay: number;
  /** Whether weights decay apart from the gradient, as AdamW's do. Default false. */
  decoupled_weight_decay: boolean;
}

/** Default decay rates. */
export const defaultBetas: readonly [number, number] = Object.freeze([0.9, 0.999] as const);

type Group = MomentOptions & { maximize: boolean };

/** The scalars that the kernels of this family begin with. */
export function momentScalars(group: Group, factor: number): number[] {
  return [
    numberOf('lr', group.lr),
    numberOf('betas', group.betas[0]),
    numberOf('betas', group.betas[1]),
    numberOf('eps', group.eps),
    numberOf('weight_decay', group.weight_decay),
    Number(group.decoupled_weight_decay),
    factor,
  ];
}

/** What `compute` makes of a step's number, once for all parameters that are at the same step, as they mostly are. */
export function perStep<T>(compute: (step: number) => T): (step: number) => T {
  let known = NaN;
  let value: T;
  return (step) => {
    if (step !== known) {
      value = compute(step);
      known = step;
    }
    return value;
  };
}

/**
 * The averages with the gradient taken in, by ops; they are put into the state.
 * @returns Them, with the parameter after decoupled decay and the gradient after the other kind.
 */
export function updatedMoments(
  param: Tensor,
  grad: Tensor,
  group: Group,
  state: ParamState,
): { value: Tensor; d: Tensor; exp_avg: Tensor; exp_avg_sq: Tensor } {
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
  return { value, d, exp_avg, exp_avg_sq };
}

/** 1 - x. */
export function rest(x: Tensor): Tensor {
  return x.neg().add(1);
}

/** An option with its gradient, or in float64 so that nothing is lost. */
export function asTensor(value: Hyper): Tensor {
  return value instanceof Tensor ? value : tensor(value, { dtype: float64 });
}
