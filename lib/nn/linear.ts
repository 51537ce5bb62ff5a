import type { DType } from '../tensor/dtype.js';
import { describe, type Tensor } from '../tensor/tensor.js';
import { empty } from '../ops/creation.js';
import { linear } from '../ops/linalg.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import * as init from './init/index.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { flag } from './repr.js';

/** Where a module's parameters live, and their dtype. */
export interface FactoryOptions {
  /** Only the CPU. */
  device?: 'cpu' | null;
  /** Default: the default dtype. */
  dtype?: DType | null;
}

/** Options of {@link Linear} and {@link Bilinear}. */
export interface LinearOptions extends FactoryOptions {
  /** Whether something is added. Default true. */
  bias?: boolean;
}

const defaults = { bias: true, device: null as 'cpu' | null, dtype: null as DType | null };
const optionsOf = {
  Linear: defineOptions('nn.Linear', defaults),
  Bilinear: defineOptions('nn.Bilinear', defaults),
};

/** Refuses what is not a whole number of at least `least`. @internal */
export function checkCount(owner: string, argument: string, value: unknown, least = 0): void {
  if (!Number.isInteger(value) || (value as number) < least) {
    const error = typeof value === 'number' ? RangeError : TypeError;
    throw new error(`${owner}: ${argument}: expected an integer of at least ${least}, got ${describe(value)}`);
  }
}

/**
 * `x W^T + b`, with W of shape [out_features, in_features] (`weight`) and b of shape [out_features] (`bias`).
 * Shape: [..., in_features] to [..., out_features]. PyTorch: `torch.nn.Linear`.
 */
export class Linear extends Module {
  readonly in_features: number;
  readonly out_features: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(in_features: number, out_features: number, options?: LinearOptions) {
    super();
    checkCount('Linear', 'in_features', in_features);
    checkCount('Linear', 'out_features', out_features);
    const { bias, device, dtype } = optionsOf.Linear(options);
    this.in_features = in_features;
    this.out_features = out_features;
    this.weight = new Parameter(empty([out_features, in_features], { device, dtype }));
    this.bias = bias ? new Parameter(empty([out_features], { device, dtype })) : null;
    this.reset_parameters();
  }

  /** Draws the parameters anew: uniform within 1 / sqrt(in_features) of 0. */
  reset_parameters(): void {
    init.kaiming_uniform_(this.weight, { a: Math.sqrt(5) });
    if (this.bias === null) return;
    const bound = this.in_features > 0 ? 1 / Math.sqrt(this.in_features) : 0;
    init.uniform_(this.bias, { a: 0 - bound, b: bound });
  }

  override forward(input: Tensor): Tensor {
    return linear(input, this.weight, this.bias);
  }

  override extra_repr(): string {
    return `in_features=${this.in_features}, out_features=${this.out_features}, bias=${flag(this.bias !== null)}`;
  }
}

/**
 * `x1^T A x2 + b`, with A of shape [out_features, in1_features, in2_features] (`weight`) and b of shape [out_features]
 * (`bias`). Shape: [..., in1_features] and [..., in2_features] to [..., out_features]. PyTorch: `torch.nn.Bilinear`.
 */
export class Bilinear extends Module {
  readonly in1_features: number;
  readonly in2_features: number;
  readonly out_features: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(in1_features: number, in2_features: number, out_features: number, options?: LinearOptions) {
    super();
    checkCount('Bilinear', 'in1_features', in1_features, 1);
    checkCount('Bilinear', 'in2_features', in2_features);
    checkCount('Bilinear', 'out_features', out_features);
    const { bias, device, dtype } = optionsOf.Bilinear(options);
    this.in1_features = in1_features;
    this.in2_features = in2_features;
    this.out_features = out_features;
    this.weight = new Parameter(empty([out_features, in1_features, in2_features], { device, dtype }));
    this.bias = bias ? new Parameter(empty([out_features], { device, dtype })) : null;
    this.reset_parameters();
  }

  /** Draws the parameters anew: uniform within 1 / sqrt(in1_features) of 0. */
  reset_parameters(): void {
    const bound = 1 / Math.sqrt(this.in1_features);
    init.uniform_(this.weight, { a: -bound, b: bound });
    if (this.bias !== null) init.uniform_(this.bias, { a: -bound, b: bound });
  }

  override forward(input1: Tensor, input2: Tensor): Tensor {
    return F.bilinear(input1, input2, this.weight, this.bias);
  }

  override extra_repr(): string {
    const { in1_features, in2_features, out_features, bias } = this;
    return (
      `in1_features=${in1_features}, in2_features=${in2_features}, out_features=${out_features}, ` +
      `bias=${flag(bias !== null)}`
    );
  }
}

/** Gives back what it gets, whatever it was made with. PyTorch: `torch.nn.Identity`. */
export class Identity extends Module {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- PyTorch's takes anything
  constructor(..._ignored: unknown[]) {
    super();
  }

  override forward(input: Tensor): Tensor {
    return input;
  }
}
