import { clipFactor, gradsOf, totalNorm } from '../../nn/utils/clip_grad.js';
import { defineOptions } from '../../options.js';
import { describe, type Tensor } from '../../tensor/tensor.js';
import { LBFGS } from '../lbfgs.js';
import type { AnyOptimizer } from '../lr_scheduler/lr_scheduler.js';
import { Optimizer } from '../optimizer.js';

/** Options of {@link clippedStep}. */
export interface ClippedStepOptions {
  /** The p of the norm; `Infinity` for the greatest absolute value. Default 2. */
  norm_type?: number;
  /** Throw if the norm is infinite or NaN. Default false. */
  error_if_nonfinite?: boolean;
  /** Whether gradients are dropped after the step. Default true. */
  zero_grad?: boolean;
}

const options = defineOptions('optim.extra.clippedStep', { norm_type: 2, error_if_nonfinite: false, zero_grad: true });

/**
 * Clips the gradients of all the optimizer's parameters together, steps and drops them: what `clip_grad_norm_`,
 * `optimizer.step()` and `optimizer.zero_grad()` do one after the other, bit for bit, with less traffic to memory. The
 * gradients are scaled where the step reads them, and never written: hooks see them as they were, and so does who keeps
 * them by `zero_grad: false`.
 * @param max_norm The greatest norm of all gradients as one vector that the step takes as it is.
 * @returns The norm they had.
 * @throws Error with `error_if_nonfinite` if the norm is infinite or NaN; TypeError for LBFGS, which evaluates gradients
 * itself, and for sparse gradients. Nothing is then changed.
 */
export function clippedStep(optimizer: AnyOptimizer, max_norm: number, given?: ClippedStepOptions): Tensor {
  const name = 'clippedStep';
  const { zero_grad, ...normOptions } = options(given);
  if (!(optimizer instanceof Optimizer) || optimizer instanceof LBFGS) {
    throw new TypeError(`${name}: optimizer: expected an Optimizer other than LBFGS, got ${describe(optimizer)}`);
  }
  if (typeof max_norm !== 'number' || !(max_norm >= 0)) {
    throw new (typeof max_norm === 'number' ? RangeError : TypeError)(
      `${name}: max_norm: expected a number >= 0, got ${describe(max_norm)}`,
    );
  }
  const params = optimizer.param_groups.flatMap((group) => group.params);
  const total_norm = totalNorm(name, gradsOf(name, params), normOptions);
  optimizer._gradScale = clipFactor(total_norm, max_norm);
  try {
    optimizer.step();
  } finally {
    optimizer._gradScale = 1;
  }
  if (zero_grad) optimizer.zero_grad();
  return total_norm;
}
