import type { DType } from '../tensor/dtype.js';
import { describe, type Tensor } from '../tensor/tensor.js';
import { ones, zeros } from '../ops/creation.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import { checkCount, type FactoryOptions } from './linear.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { flag, float, tuple } from './repr.js';

const factory = { device: null as 'cpu' | null, dtype: null as DType | null };
const optionsOf = {
  LayerNorm: defineOptions('nn.LayerNorm', { eps: 1e-5, elementwise_affine: true, bias: true, ...factory }),
  RMSNorm: defineOptions('nn.RMSNorm', { eps: null as number | null, elementwise_affine: true, ...factory }),
};

/** Sizes, of which one may stand without its array. */
function readShape(owner: string, shape: number | readonly number[]): readonly number[] {
  const sizes: readonly number[] = typeof shape === 'number' ? [shape] : shape;
  if (!Array.isArray(sizes) || sizes.length === 0)
    throw new TypeError(`${owner}: normalized_shape: expected a size or several, got ${describe(shape)}`);
  sizes.forEach((size) => checkCount(owner, 'normalized_shape', size));
  return [...sizes];
}

/**
 * Normalises the last dimensions, those of `normalized_shape`, to mean 0 and variance 1, then multiplies by `weight` and
 * adds `bias`, both of that shape. Shape: that of the input. PyTorch: `torch.nn.LayerNorm`.
 */
export class LayerNorm extends Module {
  readonly normalized_shape: readonly number[];
  readonly eps: number;
  readonly elementwise_affine: boolean;
  weight: Parameter | null;
  bias: Parameter | null;

  /**
   * @param options.eps Added to the variance. Default 1e-5.
   * @param options.elementwise_affine Whether there are `weight` and `bias`. Default true.
   * @param options.bias False for `weight` alone. Default true.
   */
  constructor(
    normalized_shape: number | readonly number[],
    options?: { eps?: number; elementwise_affine?: boolean; bias?: boolean } & FactoryOptions,
  ) {
    super();
    const { eps, elementwise_affine, bias, device, dtype } = optionsOf.LayerNorm(options);
    const shape = readShape('LayerNorm', normalized_shape);
    this.normalized_shape = shape;
    this.eps = eps;
    this.elementwise_affine = elementwise_affine;
    this.weight = elementwise_affine ? new Parameter(ones(shape, { device, dtype })) : null;
    this.bias = elementwise_affine && bias ? new Parameter(zeros(shape, { device, dtype })) : null;
  }

  override forward(input: Tensor): Tensor {
    return F.layer_norm(input, this.normalized_shape, { weight: this.weight, bias: this.bias, eps: this.eps });
  }

  override extra_repr(): string {
    return (
      `${tuple(this.normalized_shape)}, eps=${float(this.eps)}, elementwise_affine=${flag(this.elementwise_affine)}, ` +
      `bias=${flag(this.bias !== null)}`
    );
  }
}

/**
 * Divides the last dimensions, those of `normalized_shape`, by their root mean square, then multiplies by `weight` of that
 * shape. Shape: that of the input. PyTorch: `torch.nn.RMSNorm`.
 */
export class RMSNorm extends Module {
  readonly normalized_shape: readonly number[];
  readonly eps: number | null;
  readonly elementwise_affine: boolean;
  weight: Parameter | null;

  /**
   * @param options.eps Added to the mean square. Default (null) the distance from 1 to the next number of the dtype.
   * @param options.elementwise_affine Whether there is `weight`. Default true.
   */
  constructor(
    normalized_shape: number | readonly number[],
    options?: { eps?: number | null; elementwise_affine?: boolean } & FactoryOptions,
  ) {
    super();
    const { eps, elementwise_affine, device, dtype } = optionsOf.RMSNorm(options);
    const shape = readShape('RMSNorm', normalized_shape);
    this.normalized_shape = shape;
    this.eps = eps;
    this.elementwise_affine = elementwise_affine;
    this.weight = elementwise_affine ? new Parameter(ones(shape, { device, dtype })) : null;
  }

  override forward(input: Tensor): Tensor {
    return F.rms_norm(input, this.normalized_shape, { weight: this.weight, eps: this.eps });
  }

  override extra_repr(): string {
    const eps = this.eps === null ? 'None' : float(this.eps);
    return `${tuple(this.normalized_shape)}, eps=${eps}, elementwise_affine=${flag(this.elementwise_affine)}`;
  }
}
