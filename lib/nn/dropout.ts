import { describe, type Tensor } from '../tensor/tensor.js';
import { defineOptions } from '../options.js';
import type { InplaceOptions } from './activation.js';
import * as F from './functional/index.js';
import { Module } from './module.js';
import { flag, float } from './repr.js';

const readOptions = defineOptions('nn.Dropout', { p: 0.5, inplace: false });

/**
 * In training mode, zeroes each element with probability `p` and divides the others by `1 - p`; else gives back its input.
 * Shape: that of the input. PyTorch: `torch.nn.Dropout`.
 */
export class Dropout extends Module {
  p: number;
  readonly inplace: boolean;

  /** @throws RangeError if `p` is not in [0, 1]. */
  constructor(options?: { p?: number } & InplaceOptions) {
    super();
    const { p, inplace } = readOptions(options);
    if (typeof p !== 'number' || !(p >= 0 && p <= 1))
      throw new RangeError(`Dropout: p: expected a probability between 0 and 1, got ${describe(p)}`);
    this.p = p;
    this.inplace = inplace;
  }

  override forward(input: Tensor): Tensor {
    return F.dropout(input, { p: this.p, training: this.training, inplace: this.inplace });
  }

  override extra_repr(): string {
    return `p=${float(this.p)}, inplace=${flag(this.inplace)}`;
  }
}
