import { defineOptions } from '../../options.js';
import { describe } from '../../tensor/tensor.js';

const fixed = {
  linear: 1,
  conv1d: 1,
  conv2d: 1,
  conv3d: 1,
  conv_transpose1d: 1,
  conv_transpose2d: 1,
  conv_transpose3d: 1,
  sigmoid: 1,
  tanh: 5 / 3,
  relu: Math.SQRT2,
  selu: 3 / 4,
};

/** What {@link calculate_gain} knows the gain of. */
export type Nonlinearity = keyof typeof fixed | 'leaky_relu';

const gainOptions = defineOptions('nn.init.calculate_gain', { param: null as number | null });

/**
 * The factor that makes up for what a nonlinearity takes from the variance. PyTorch: `torch.nn.init.calculate_gain`.
 * @param options.param The negative slope of `leaky_relu`, 0.01 if null.
 * @throws RangeError for an unknown nonlinearity; TypeError if `param` is not a number.
 */
export function calculate_gain(nonlinearity: Nonlinearity, options?: { param?: number | null }): number {
  const { param } = gainOptions(options);
  if (nonlinearity === 'leaky_relu') {
    const slope = param ?? 0.01;
    if (typeof slope !== 'number') {
      throw new TypeError(`calculate_gain: param: expected a number, got ${describe(slope)}`);
    }
    return Math.sqrt(2 / (1 + slope ** 2));
  }
  if (!Object.hasOwn(fixed, nonlinearity)) {
    const known = [...Object.keys(fixed), 'leaky_relu'].join(', ');
    throw new RangeError(`calculate_gain: nonlinearity: expected one of ${known}, got ${describe(nonlinearity)}`);
  }
  return fixed[nonlinearity];
}
