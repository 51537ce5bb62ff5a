import { no_grad } from '../../autograd/mode.js';
import { add, div, lerp, mul, sub } from '../../ops/arithmetic.js';
import { copy_ } from '../../ops/convert.js';
import { sameDims } from '../../ops/shape.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { defineOptions } from '../../options.js';

/** Gives the new average of a parameter, from the average so far and the parameter. */
export type AvgFn = (averaged: Tensor, current: Tensor, num_averaged: Tensor | number) => Tensor;
/** Updates averages in place, from the parameters. */
export type MultiAvgFn = (
  averaged: readonly Tensor[],
  current: readonly Tensor[],
  num_averaged: Tensor | number,
) => void;

const decayOptions = {
  get_ema_avg_fn: defineOptions('optim.swa_utils.get_ema_avg_fn', { decay: 0.999 }),
  get_ema_multi_avg_fn: defineOptions('optim.swa_utils.get_ema_multi_avg_fn', { decay: 0.999 }),
};

function readDecay(name: keyof typeof decayOptions, given?: { decay?: number }): number {
  const { decay } = decayOptions[name](given);
  if (decay >= 0 && decay <= 1) return decay;
  throw new RangeError(`${name}: decay: expected a number in [0, 1], got ${decay}`);
}

function checkPairs(name: string, averaged: readonly Tensor[], current: readonly Tensor[]): void {
  if (!Array.isArray(averaged) || !Array.isArray(current) || averaged.length !== current.length) {
    throw new TypeError(
      `${name}: expected two lists of as many tensors, got ${describe(averaged)} and ${describe(current)}`,
    );
  }
  averaged.forEach((a: unknown, i) => {
    const c: unknown = current[i];
    if (a instanceof Tensor && c instanceof Tensor && sameDims(a._dims, c._dims) && a._dtype === c._dtype) return;
    throw new TypeError(`${name}: expected tensors that are alike at [${i}], got ${describe(a)} and ${describe(c)}`);
  });
}

function countOf(name: string, value: Tensor | number): number {
  const count: unknown = value instanceof Tensor && value._numel === 1 ? value.item() : value;
  if (typeof count === 'number' && count >= 0) return count;
  throw new TypeError(`${name}: num_averaged: expected a number >= 0, got ${describe(value)}`);
}

/**
 * The exponential moving average `decay * averaged + (1 - decay) * current`, for `avg_fn` of {@link AveragedModel}.
 * PyTorch: `torch.optim.swa_utils.get_ema_avg_fn`.
 * @throws RangeError if `decay` is not in [0, 1].
 */
export function get_ema_avg_fn(options?: { decay?: number }): AvgFn {
  const decay = readDecay('get_ema_avg_fn', options);
  return (averaged, current) => no_grad(() => add(mul(averaged, decay), mul(current, 1 - decay)));
}

/**
 * The exponential moving average of many parameters, in place, for `multi_avg_fn` of {@link AveragedModel}. PyTorch:
 * `torch.optim.swa_utils.get_ema_multi_avg_fn`.
 * @throws RangeError if `decay` is not in [0, 1].
 */
export function get_ema_multi_avg_fn(options?: { decay?: number }): MultiAvgFn {
  const decay = readDecay('get_ema_multi_avg_fn', options);
  const ema = get_ema_avg_fn({ decay });
  return (averaged, current, num_averaged) => {
    checkPairs('ema_update', averaged, current);
    averageAll(averaged, current, 1 - decay, (a, c) => ema(a, c, num_averaged));
  };
}

/**
 * The mean of all so far, `averaged + (current - averaged) / (num_averaged + 1)`, for `avg_fn` of {@link AveragedModel}.
 * PyTorch: `torch.optim.swa_utils.get_swa_avg_fn`.
 */
export function get_swa_avg_fn(): AvgFn {
  return (averaged, current, num_averaged) => {
    const count = typeof num_averaged === 'number' ? num_averaged + 1 : add(num_averaged, 1);
    return no_grad(() => add(averaged, div(sub(current, averaged), count)));
  };
}

/**
 * The mean of all so far of many parameters, in place, for `multi_avg_fn` of {@link AveragedModel}. PyTorch:
 * `torch.optim.swa_utils.get_swa_multi_avg_fn`.
 */
export function get_swa_multi_avg_fn(): MultiAvgFn {
  const mean = get_swa_avg_fn();
  return (averaged, current, num_averaged) => {
    checkPairs('swa_update', averaged, current);
    const share = 1 / (countOf('swa_update', num_averaged) + 1);
    // PyTorch divides by a tensor in float32.
    const weight = num_averaged instanceof Tensor ? Math.fround(share) : share;
    averageAll(averaged, current, weight, (a, c) => mean(a, c, num_averaged));
  };
}

/** Moves averages towards the parameters by `weight`; integers by `average`, truncated. */
function averageAll(
  averaged: readonly Tensor[],
  current: readonly Tensor[],
  weight: number,
  average: (averaged: Tensor, current: Tensor) => Tensor,
): void {
  no_grad(() =>
    averaged.forEach((a, i) => {
      const c = current[i];
      copy_(a, a.is_floating_point() ? lerp(a, c, weight) : average(a, c));
    }),
  );
}
