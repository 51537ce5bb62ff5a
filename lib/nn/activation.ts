import type { DType } from '../tensor/dtype.js';
import { describe, type Tensor } from '../tensor/tensor.js';
import { full } from '../ops/creation.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import { checkCount, type FactoryOptions } from './linear.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { float } from './repr.js';

// Activations as modules: what they compute is said at the functions of torch.nn.functional.

/** The option of activations that can work in place. */
export interface InplaceOptions {
  /** Write the result over the input. Default false. */
  inplace?: boolean;
}

const IN_PLACE: InplaceOptions = { inplace: true };

/** An activation whose only option is `inplace`. */
abstract class InplaceActivation extends Module {
  readonly inplace: boolean;

  constructor(options: Required<InplaceOptions>) {
    super();
    this.inplace = options.inplace;
  }

  /** What its function takes: nothing where it is not in place. */
  protected get options(): InplaceOptions | undefined {
    return this.inplace ? IN_PLACE : undefined;
  }

  override extra_repr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

function inplaceSuffix(inplace: boolean): string {
  return inplace ? ', inplace=True' : '';
}

const inplaceDefaults = { inplace: false };
const optionsOf = {
  ReLU: defineOptions('nn.ReLU', inplaceDefaults),
  ReLU6: defineOptions('nn.ReLU6', inplaceDefaults),
  SELU: defineOptions('nn.SELU', inplaceDefaults),
  SiLU: defineOptions('nn.SiLU', inplaceDefaults),
  Mish: defineOptions('nn.Mish', inplaceDefaults),
  Hardsigmoid: defineOptions('nn.Hardsigmoid', inplaceDefaults),
  Hardswish: defineOptions('nn.Hardswish', inplaceDefaults),
  LeakyReLU: defineOptions('nn.LeakyReLU', { negative_slope: 0.01, inplace: false }),
  PReLU: defineOptions('nn.PReLU', {
    num_parameters: 1,
    init: 0.25,
    device: null as 'cpu' | null,
    dtype: null as DType | null,
  }),
  RReLU: defineOptions('nn.RReLU', { lower: 1 / 8, upper: 1 / 3, inplace: false }),
  ELU: defineOptions('nn.ELU', { alpha: 1, inplace: false }),
  CELU: defineOptions('nn.CELU', { alpha: 1, inplace: false }),
  GELU: defineOptions<{ approximate: 'none' | 'tanh' }>('nn.GELU', { approximate: 'none' }),
  Softplus: defineOptions('nn.Softplus', { beta: 1, threshold: 20 }),
  Softshrink: defineOptions('nn.Softshrink', { lambd: 0.5 }),
  Hardshrink: defineOptions('nn.Hardshrink', { lambd: 0.5 }),
  Hardtanh: defineOptions('nn.Hardtanh', { min_val: -1, max_val: 1, inplace: false }),
  Threshold: defineOptions('nn.Threshold', { inplace: false }),
  GLU: defineOptions('nn.GLU', { dim: -1 }),
};

/** {@link F.relu} as a module. PyTorch: `torch.nn.ReLU`. */
export class ReLU extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.ReLU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.relu(input, this.options);
  }
}

/** {@link F.relu6} as a module. PyTorch: `torch.nn.ReLU6`. */
export class ReLU6 extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.ReLU6(options));
  }

  override forward(input: Tensor): Tensor {
    return F.relu6(input, this.options);
  }
}

/** {@link F.selu} as a module. PyTorch: `torch.nn.SELU`. */
export class SELU extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.SELU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.selu(input, this.options);
  }
}

/** {@link F.silu} as a module. PyTorch: `torch.nn.SiLU`. */
export class SiLU extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.SiLU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.silu(input, this.options);
  }
}

/** {@link F.mish} as a module. PyTorch: `torch.nn.Mish`. */
export class Mish extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.Mish(options));
  }

  override forward(input: Tensor): Tensor {
    return F.mish(input, this.options);
  }
}

/** {@link F.hardsigmoid} as a module. PyTorch: `torch.nn.Hardsigmoid`. */
export class Hardsigmoid extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.Hardsigmoid(options));
  }

  override forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.options);
  }

  override extra_repr(): string {
    return '';
  }
}

/** {@link F.hardswish} as a module. PyTorch: `torch.nn.Hardswish`. */
export class Hardswish extends InplaceActivation {
  constructor(options?: InplaceOptions) {
    super(optionsOf.Hardswish(options));
  }

  override forward(input: Tensor): Tensor {
    return F.hardswish(input, this.options);
  }

  override extra_repr(): string {
    return '';
  }
}

/** {@link F.leaky_relu} as a module. PyTorch: `torch.nn.LeakyReLU`. */
export class LeakyReLU extends Module {
  readonly negative_slope: number;
  readonly inplace: boolean;

  constructor(options?: { negative_slope?: number } & InplaceOptions) {
    super();
    ({ negative_slope: this.negative_slope, inplace: this.inplace } = optionsOf.LeakyReLU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.leaky_relu(input, { negative_slope: this.negative_slope, inplace: this.inplace });
  }

  override extra_repr(): string {
    return `negative_slope=${float(this.negative_slope)}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.prelu} with its slopes as a parameter: one, or one for each channel. PyTorch: `torch.nn.PReLU`. */
export class PReLU extends Module {
  readonly num_parameters: number;
  readonly init: number;
  weight: Parameter;

  constructor(options?: { num_parameters?: number; init?: number } & FactoryOptions) {
    super();
    const { num_parameters, init, device, dtype } = optionsOf.PReLU(options);
    checkCount('PReLU', 'num_parameters', num_parameters);
    if (typeof init !== 'number') throw new TypeError(`PReLU: init: expected a number, got ${describe(init)}`);
    this.num_parameters = num_parameters;
    this.init = init;
    this.weight = new Parameter(full([num_parameters], init, { device, dtype }));
  }

  override forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }

  override extra_repr(): string {
    return `num_parameters=${this.num_parameters}`;
  }
}

/** {@link F.rrelu} as a module: random slopes in training mode, their mean otherwise. PyTorch: `torch.nn.RReLU`. */
export class RReLU extends Module {
  readonly lower: number;
  readonly upper: number;
  readonly inplace: boolean;

  constructor(options?: { lower?: number; upper?: number } & InplaceOptions) {
    super();
    ({ lower: this.lower, upper: this.upper, inplace: this.inplace } = optionsOf.RReLU(options));
  }

  override forward(input: Tensor): Tensor {
    const { lower, upper, training, inplace } = this;
    return F.rrelu(input, { lower, upper, training, inplace });
  }

  override extra_repr(): string {
    return `lower=${float(this.lower)}, upper=${float(this.upper)}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.elu} as a module. PyTorch: `torch.nn.ELU`. */
export class ELU extends Module {
  readonly alpha: number;
  readonly inplace: boolean;

  constructor(options?: { alpha?: number } & InplaceOptions) {
    super();
    ({ alpha: this.alpha, inplace: this.inplace } = optionsOf.ELU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.elu(input, { alpha: this.alpha, inplace: this.inplace });
  }

  override extra_repr(): string {
    return `alpha=${float(this.alpha)}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.celu} as a module. PyTorch: `torch.nn.CELU`. */
export class CELU extends Module {
  readonly alpha: number;
  readonly inplace: boolean;

  constructor(options?: { alpha?: number } & InplaceOptions) {
    super();
    ({ alpha: this.alpha, inplace: this.inplace } = optionsOf.CELU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.celu(input, { alpha: this.alpha, inplace: this.inplace });
  }

  override extra_repr(): string {
    return `alpha=${float(this.alpha)}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.gelu} as a module. PyTorch: `torch.nn.GELU`. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options?: { approximate?: 'none' | 'tanh' }) {
    super();
    ({ approximate: this.approximate } = optionsOf.GELU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.gelu(input, { approximate: this.approximate });
  }

  override extra_repr(): string {
    return `approximate='${this.approximate}'`;
  }
}

/** {@link F.sigmoid} as a module. PyTorch: `torch.nn.Sigmoid`. */
export class Sigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** {@link F.tanh} as a module. PyTorch: `torch.nn.Tanh`. */
export class Tanh extends Module {
  override forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** {@link F.softsign} as a module. PyTorch: `torch.nn.Softsign`. */
export class Softsign extends Module {
  override forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** {@link F.tanhshrink} as a module. PyTorch: `torch.nn.Tanhshrink`. */
export class Tanhshrink extends Module {
  override forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

/** {@link F.logsigmoid} as a module. PyTorch: `torch.nn.LogSigmoid`. */
export class LogSigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return F.logsigmoid(input);
  }
}

/** {@link F.softplus} as a module. PyTorch: `torch.nn.Softplus`. */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;

  constructor(options?: { beta?: number; threshold?: number }) {
    super();
    ({ beta: this.beta, threshold: this.threshold } = optionsOf.Softplus(options));
  }

  override forward(input: Tensor): Tensor {
    return F.softplus(input, { beta: this.beta, threshold: this.threshold });
  }

  override extra_repr(): string {
    return `beta=${float(this.beta)}, threshold=${float(this.threshold)}`;
  }
}

/** {@link F.softshrink} as a module. PyTorch: `torch.nn.Softshrink`. */
export class Softshrink extends Module {
  readonly lambd: number;

  constructor(options?: { lambd?: number }) {
    super();
    ({ lambd: this.lambd } = optionsOf.Softshrink(options));
  }

  override forward(input: Tensor): Tensor {
    return F.softshrink(input, { lambd: this.lambd });
  }

  override extra_repr(): string {
    return float(this.lambd);
  }
}

/** {@link F.hardshrink} as a module. PyTorch: `torch.nn.Hardshrink`. */
export class Hardshrink extends Module {
  readonly lambd: number;

  constructor(options?: { lambd?: number }) {
    super();
    ({ lambd: this.lambd } = optionsOf.Hardshrink(options));
  }

  override forward(input: Tensor): Tensor {
    return F.hardshrink(input, { lambd: this.lambd });
  }

  override extra_repr(): string {
    return float(this.lambd);
  }
}

/** {@link F.hardtanh} as a module. PyTorch: `torch.nn.Hardtanh`. */
export class Hardtanh extends Module {
  readonly min_val: number;
  readonly max_val: number;
  readonly inplace: boolean;

  /** @throws RangeError if `min_val` is not less than `max_val`. */
  constructor(options?: { min_val?: number; max_val?: number } & InplaceOptions) {
    super();
    ({ min_val: this.min_val, max_val: this.max_val, inplace: this.inplace } = optionsOf.Hardtanh(options));
    if (!(this.min_val < this.max_val)) {
      throw new RangeError(
        `Hardtanh: max_val: expected a number above min_val, ${this.min_val}, got ${describe(this.max_val)}`,
      );
    }
  }

  override forward(input: Tensor): Tensor {
    const { min_val, max_val, inplace } = this;
    return F.hardtanh(input, { min_val, max_val, inplace });
  }

  override extra_repr(): string {
    return `min_val=${float(this.min_val)}, max_val=${float(this.max_val)}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.threshold} as a module. PyTorch: `torch.nn.Threshold`. */
export class Threshold extends Module {
  readonly inplace: boolean;

  constructor(
    readonly threshold: number,
    readonly value: number,
    options?: InplaceOptions,
  ) {
    super();
    this.inplace = optionsOf.Threshold(options).inplace;
  }

  override forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, { inplace: this.inplace });
  }

  override extra_repr(): string {
    return `threshold=${this.threshold}, value=${this.value}${inplaceSuffix(this.inplace)}`;
  }
}

/** {@link F.glu} as a module. PyTorch: `torch.nn.GLU`. */
export class GLU extends Module {
  readonly dim: number;

  constructor(options?: { dim?: number }) {
    super();
    ({ dim: this.dim } = optionsOf.GLU(options));
  }

  override forward(input: Tensor): Tensor {
    return F.glu(input, { dim: this.dim });
  }

  override extra_repr(): string {
    return `dim=${this.dim}`;
  }
}
