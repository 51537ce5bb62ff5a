import type { Hyper } from '../rules.js';
import { copyOf } from './fields.js';
import type { AnyOptimizer, Group } from './lr_scheduler.js';

// Momentum that is cycled against the learning rate: an optimizer's `momentum`, or the first of its `betas`.

/** Whether an optimizer's momentum is the first of its `betas`. @throws TypeError if it has neither. */
export function usesBeta(name: string, optimizer: AnyOptimizer): boolean {
  const defaults = optimizer.defaults as object;
  if ('betas' in defaults) return true;
  if ('momentum' in defaults) return false;
  throw new TypeError(
    `${name}: optimizer: expected one with momentum or betas where cycle_momentum is true, got ${optimizer.constructor.name}`,
  );
}

/** Sets a group's momentum. */
export function setMomentum(group: Group, useBeta: boolean, momentum: Hyper): void {
  if (useBeta) group.betas = [copyOf(momentum), ...(group.betas as Hyper[]).slice(1)];
  else group.momentum = copyOf(momentum);
}

/** Sets the momentum to start from, and notes both ends in the group. */
export function beginMomentum(group: Group, useBeta: boolean, base: Hyper, max: Hyper): void {
  setMomentum(group, useBeta, max);
  group.max_momentum = max;
  group.base_momentum = base;
}
