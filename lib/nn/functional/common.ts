import { describe, type Tensor } from '../../tensor/tensor.js';

/** How a loss of every element becomes the result: not at all, by the mean, or by the sum. */
export type Reduction = 'none' | 'mean' | 'sum';

/** @throws RangeError if `reduction` is none of the known ones. @internal */
export function checkReduction(name: string, reduction: string, also: readonly string[] = []): void {
  const known = ['none', 'mean', 'sum', ...also];
  if (!known.includes(reduction)) {
    throw new RangeError(`${name}: reduction: expected one of ${known.join(', ')}, got ${describe(reduction)}`);
  }
}

/** @internal */
export function reduced(loss: Tensor, reduction: Reduction): Tensor {
  return reduction === 'none' ? loss : reduction === 'sum' ? loss.sum() : loss.mean();
}

/** @throws TypeError if an argument is not a number. @internal */
export function checkNumber(name: string, argument: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') {
    throw new TypeError(`${name}: ${argument}: expected a number, got ${describe(value)}`);
  }
}

/** @throws TypeError if `t` is not of a floating-point dtype. @internal */
export function checkFloat(name: string, argument: string, t: Tensor): void {
  if (!t._dtype.is_floating_point) {
    throw new TypeError(`${name}: ${argument}: expected a floating-point dtype, got ${describe(t)}`);
  }
}
