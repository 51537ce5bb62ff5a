import { describe, type Tensor } from '../tensor/tensor.js';
import { flatten, unflatten } from '../ops/view.js';
import { defineOptions } from '../options.js';
import { Module } from './module.js';
import { tuple } from './repr.js';

const readOptions = defineOptions('nn.Flatten', { start_dim: 1, end_dim: -1 });

/** Makes the dimensions from `start_dim` (default 1) to `end_dim` (default the last) one. PyTorch: `torch.nn.Flatten`. */
export class Flatten extends Module {
  readonly start_dim: number;
  readonly end_dim: number;

  constructor(options?: { start_dim?: number; end_dim?: number }) {
    super();
    ({ start_dim: this.start_dim, end_dim: this.end_dim } = readOptions(options));
  }

  override forward(input: Tensor): Tensor {
    return flatten(input, this.start_dim, this.end_dim);
  }

  override extra_repr(): string {
    return `start_dim=${this.start_dim}, end_dim=${this.end_dim}`;
  }
}

/** Makes dimension `dim` several, of sizes `unflattened_size`; one may be -1. PyTorch: `torch.nn.Unflatten`. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly unflattened_size: readonly number[];

  constructor(dim: number, unflattened_size: readonly number[]) {
    super();
    if (!Number.isInteger(dim)) throw new TypeError(`Unflatten: dim: expected an integer, got ${describe(dim)}`);
    if (!Array.isArray(unflattened_size) || !unflattened_size.every(Number.isInteger)) {
      throw new TypeError(
        `Unflatten: unflattened_size: expected an array of integers, got ${describe(unflattened_size)}`,
      );
    }
    this.dim = dim;
    this.unflattened_size = unflattened_size.slice();
  }

  override forward(input: Tensor): Tensor {
    return unflatten(input, this.dim, this.unflattened_size);
  }

  override extra_repr(): string {
    return `dim=${this.dim}, unflattened_size=${tuple(this.unflattened_size)}`;
  }
}
