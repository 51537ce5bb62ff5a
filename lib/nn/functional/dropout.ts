import { defineOptions } from '../../options.js';
import { allocateLike } from '../../ops/elementwise.js';
import { checkTensor, describe, type Tensor } from '../../tensor/tensor.js';
import { checkFloat } from './common.js';

// Dropout: elements are zeroed at random.

function checkProbability(name: string, p: unknown): void {
  if (typeof p !== 'number') throw new TypeError(`${name}: p: expected a number, got ${describe(p)}`);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`${name}: p: expected a probability between 0 and 1, got ${p}`);
}

/** Options of the dropouts. */
export interface DropoutOptions {
  /** How likely an element is zeroed. Default 0.5. */
  p?: number;
  /** Nothing changes unless true. */
  training?: boolean;
  /** Change `input` itself. Default false. */
  inplace?: boolean;
}

const dropoutOptions = defineOptions('nn.functional.dropout', { p: 0.5, training: true, inplace: false });

/**
 * Zeroes each element with probability `p` and divides the others by `1 - p`. PyTorch: `torch.nn.functional.dropout`.
 * @throws RangeError if `p` is not in [0, 1].
 */
export function dropout(input: Tensor, options?: DropoutOptions): Tensor {
  checkTensor('dropout', 'input', input);
  const { p, training, inplace } = dropoutOptions(options);
  checkProbability('dropout', p);
  if (p === 0 || !training || input._numel === 0) return input;
  checkFloat('dropout', 'input', input);
  const multiply = (factor: Tensor | number): Tensor => (inplace ? input.mul_(factor) : input.mul(factor));
  if (p === 1) return multiply(0);
  const mask = allocateLike(input._dims, input._dtype, input);
  mask.bernoulli_(1 - p).div_(1 - p);
  return multiply(mask);
}

const alphaDropoutOptions = defineOptions('nn.functional.alpha_dropout', { p: 0.5, training: false, inplace: false });

/** Minus what selu tends to far below 0. */
const ALPHA = 1.0507009873554805 * 1.6732632423543772;

/**
 * Sets each element with probability `p` to what selu saturates at, and shifts and scales all so that mean 0 and variance 1
 * stay. PyTorch: `torch.nn.functional.alpha_dropout`.
 * @throws RangeError if `p` is not in [0, 1].
 */
export function alpha_dropout(input: Tensor, options?: DropoutOptions): Tensor {
  checkTensor('alpha_dropout', 'input', input);
  const { p, training, inplace } = alphaDropoutOptions(options);
  checkProbability('alpha_dropout', p);
  if (p === 0 || !training || input._numel === 0) return input;
  checkFloat('alpha_dropout', 'input', input);
  if (p === 1) return inplace ? input.mul_(0) : input.mul(0);
  const scale = 1 / Math.sqrt((ALPHA ** 2 * p + 1) * (1 - p));
  const factor = allocateLike(input._dims, input._dtype, input).bernoulli_(1 - p);
  const shift = factor
    .sub(1)
    .mul_(ALPHA * scale)
    .add_(ALPHA * scale * p);
  factor.mul_(scale);
  return inplace ? input.mul_(factor).add_(shift) : input.mul(factor).add(shift);
}
