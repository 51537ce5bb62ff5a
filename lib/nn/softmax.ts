import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import { Module } from './module.js';

const defaults = { dim: null as number | null };
const optionsOf = {
  Softmax: defineOptions('nn.Softmax', defaults),
  LogSoftmax: defineOptions('nn.LogSoftmax', defaults),
  Softmin: defineOptions('nn.Softmin', defaults),
};

/** A function along one dimension; null leaves the choice to the function. */
abstract class AlongDim extends Module {
  readonly dim: number | null;

  constructor(options: { dim: number | null }) {
    super();
    this.dim = options.dim;
  }

  override extra_repr(): string {
    return `dim=${this.dim ?? 'None'}`;
  }
}

/** {@link F.softmax} as a module. PyTorch: `torch.nn.Softmax`. */
export class Softmax extends AlongDim {
  constructor(options?: { dim?: number | null }) {
    super(optionsOf.Softmax(options));
  }

  override forward(input: Tensor): Tensor {
    return F.softmax(input, { dim: this.dim });
  }
}

/** {@link F.log_softmax} as a module. PyTorch: `torch.nn.LogSoftmax`. */
export class LogSoftmax extends AlongDim {
  constructor(options?: { dim?: number | null }) {
    super(optionsOf.LogSoftmax(options));
  }

  override forward(input: Tensor): Tensor {
    return F.log_softmax(input, { dim: this.dim });
  }
}

/** {@link F.softmin} as a module. PyTorch: `torch.nn.Softmin`. */
export class Softmin extends AlongDim {
  constructor(options?: { dim?: number | null }) {
    super(optionsOf.Softmin(options));
  }

  override forward(input: Tensor): Tensor {
    return F.softmin(input, { dim: this.dim });
  }
}

/** Softmax over the channels of [C, H, W] or [N, C, H, W]. PyTorch: `torch.nn.Softmax2d`. */
export class Softmax2d extends Module {
  override forward(input: Tensor): Tensor {
    checkTensor('Softmax2d', 'input', input);
    if (input.ndim !== 3 && input.ndim !== 4)
      throw new RangeError(`Softmax2d: input: expected 3 or 4 dimensions, got ${describe(input)}`);
    return F.softmax(input, { dim: -3 });
  }
}
