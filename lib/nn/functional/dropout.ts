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
