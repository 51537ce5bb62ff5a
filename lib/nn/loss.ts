import { describe, Tensor } from '../tensor/tensor.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import { checkReduction, type Reduction } from './functional/common.js';
import { Module } from './module.js';

// Losses as modules: what they compute is said at the functions of torch.nn.functional.

/** The option of every loss. */
export interface LossOptions {
  /** Default `mean`. */
  reduction?: Reduction;
}

/** Options of {@link KLDivLoss}. */
export interface KLDivOptions {
  /** `batchmean` divides the sum by the size of the batch. Default `mean`. */
  reduction?: Reduction | 'batchmean';
  /** Whether the target is logarithms too. Default false. */
  log_target?: boolean;
}

const MEAN = 'mean' as Reduction;
const optionsOf = {
  MSELoss: defineOptions('nn.MSELoss', { reduction: MEAN }),
  L1Loss: defineOptions('nn.L1Loss', { reduction: MEAN }),
  SmoothL1Loss: defineOptions('nn.SmoothL1Loss', { reduction: MEAN, beta: 1 }),
  HuberLoss: defineOptions('nn.HuberLoss', { reduction: MEAN, delta: 1 }),
  KLDivLoss: defineOptions<Required<KLDivOptions>>('nn.KLDivLoss', { reduction: 'mean', log_target: false }),
  NLLLoss: defineOptions('nn.NLLLoss', { weight: null as Tensor | null, ignore_index: -100, reduction: MEAN }),
  CrossEntropyLoss: defineOptions('nn.CrossEntropyLoss', {
    weight: null as Tensor | null,
    ignore_index: -100,
    reduction: MEAN,
    label_smoothing: 0,
  }),
  BCELoss: defineOptions('nn.BCELoss', { weight: null as Tensor | null, reduction: MEAN }),
  BCEWithLogitsLoss: defineOptions('nn.BCEWithLogitsLoss', {
    weight: null as Tensor | null,
    reduction: MEAN,
    pos_weight: null as Tensor | null,
  }),
};

function registerFactor(loss: Module, name: string, factor: Tensor | null): void {
  if (factor !== null && !(factor instanceof Tensor)) {
    throw new TypeError(`${loss._get_name()}: ${name}: expected a Tensor or null, got ${describe(factor)}`);
  }
  loss.register_buffer(name, factor);
}

/** {@link F.mse_loss} as a module. PyTorch: `torch.nn.MSELoss`. */
export class MSELoss extends Module {
  readonly reduction: Reduction;

  constructor(options?: LossOptions) {
    super();
    this.reduction = optionsOf.MSELoss(options).reduction;
    checkReduction('MSELoss', this.reduction);
  }

  /** @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    // Called in every small step: the function's own defaults cost nothing.
    return this.reduction === MEAN
      ? F.mse_loss(input, target)
      : F.mse_loss(input, target, { reduction: this.reduction });
  }
}

/** {@link F.l1_loss} as a module. PyTorch: `torch.nn.L1Loss`. */
export class L1Loss extends Module {
  readonly reduction: Reduction;

  constructor(options?: LossOptions) {
    super();
    this.reduction = optionsOf.L1Loss(options).reduction;
    checkReduction('L1Loss', this.reduction);
  }

  /** @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.l1_loss(input, target, { reduction: this.reduction });
  }
}

/** {@link F.smooth_l1_loss} as a module. PyTorch: `torch.nn.SmoothL1Loss`. */
export class SmoothL1Loss extends Module {
  readonly reduction: Reduction;
  readonly beta: number;

  constructor(options?: LossOptions & { beta?: number }) {
    super();
    const { reduction, beta } = optionsOf.SmoothL1Loss(options);
    checkReduction('SmoothL1Loss', reduction);
    this.reduction = reduction;
    this.beta = beta;
  }

  /** @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.smooth_l1_loss(input, target, { reduction: this.reduction, beta: this.beta });
  }
}

/** {@link F.huber_loss} as a module. PyTorch: `torch.nn.HuberLoss`. */
export class HuberLoss extends Module {
  readonly reduction: Reduction;
  readonly delta: number;

  constructor(options?: LossOptions & { delta?: number }) {
    super();
    const { reduction, delta } = optionsOf.HuberLoss(options);
    checkReduction('HuberLoss', reduction);
    this.reduction = reduction;
    this.delta = delta;
  }

  /** @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.huber_loss(input, target, { reduction: this.reduction, delta: this.delta });
  }
}

/** {@link F.kl_div} as a module. PyTorch: `torch.nn.KLDivLoss`. */
export class KLDivLoss extends Module {
  readonly reduction: Reduction | 'batchmean';
  readonly log_target: boolean;

  constructor(options?: KLDivOptions) {
    super();
    const { reduction, log_target } = optionsOf.KLDivLoss(options);
    checkReduction('KLDivLoss', reduction, ['batchmean']);
    this.reduction = reduction;
    this.log_target = log_target;
  }

  /** @param input Log-probabilities. @param target Probabilities of the input's shape, or their logarithms. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.kl_div(input, target, { reduction: this.reduction, log_target: this.log_target });
  }
}

/** {@link F.nll_loss} as a module. PyTorch: `torch.nn.NLLLoss`. */
export class NLLLoss extends Module {
  declare readonly weight: Tensor | null;
  readonly ignore_index: number;
  readonly reduction: Reduction;

  /** @param options.weight A factor for each class: a buffer. */
  constructor(options?: LossOptions & { weight?: Tensor | null; ignore_index?: number }) {
    super();
    const { weight, ignore_index, reduction } = optionsOf.NLLLoss(options);
    registerFactor(this, 'weight', weight);
    this.ignore_index = ignore_index;
    checkReduction('NLLLoss', reduction);
    this.reduction = reduction;
  }

  /** @param input Log-probabilities [N, C, …]. @param target Classes [N, …]. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction } = this;
    return F.nll_loss(input, target, { weight, ignore_index, reduction });
  }
}

/** {@link F.cross_entropy} as a module. PyTorch: `torch.nn.CrossEntropyLoss`. */
export class CrossEntropyLoss extends Module {
  declare readonly weight: Tensor | null;
  readonly ignore_index: number;
  readonly reduction: Reduction;
  readonly label_smoothing: number;

  /** @param options.weight A factor for each class: a buffer. */
  constructor(options?: LossOptions & { weight?: Tensor | null; ignore_index?: number; label_smoothing?: number }) {
    super();
    const { weight, ignore_index, reduction, label_smoothing } = optionsOf.CrossEntropyLoss(options);
    registerFactor(this, 'weight', weight);
    this.ignore_index = ignore_index;
    checkReduction('CrossEntropyLoss', reduction);
    this.reduction = reduction;
    this.label_smoothing = label_smoothing;
  }

  /** @param input Scores [N, C, …]. @param target Classes [N, …], or probabilities of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction, label_smoothing } = this;
    return F.cross_entropy(input, target, { weight, ignore_index, reduction, label_smoothing });
  }
}

/** {@link F.binary_cross_entropy} as a module. PyTorch: `torch.nn.BCELoss`. */
export class BCELoss extends Module {
  declare readonly weight: Tensor | null;
  readonly reduction: Reduction;

  /** @param options.weight A factor for each element: a buffer. */
  constructor(options?: LossOptions & { weight?: Tensor | null }) {
    super();
    const { weight, reduction } = optionsOf.BCELoss(options);
    registerFactor(this, 'weight', weight);
    checkReduction('BCELoss', reduction);
    this.reduction = reduction;
  }

  /** @param input Probabilities. @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.binary_cross_entropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** {@link F.binary_cross_entropy_with_logits} as a module. PyTorch: `torch.nn.BCEWithLogitsLoss`. */
export class BCEWithLogitsLoss extends Module {
  declare readonly weight: Tensor | null;
  declare readonly pos_weight: Tensor | null;
  readonly reduction: Reduction;

  /**
   * @param options.weight A factor for each element: a buffer.
   * @param options.pos_weight A factor for the positive ones of each class: a buffer.
   */
  constructor(options?: LossOptions & { weight?: Tensor | null; pos_weight?: Tensor | null }) {
    super();
    const { weight, pos_weight, reduction } = optionsOf.BCEWithLogitsLoss(options);
    registerFactor(this, 'weight', weight);
    registerFactor(this, 'pos_weight', pos_weight);
    checkReduction('BCEWithLogitsLoss', reduction);
    this.reduction = reduction;
  }

  /** @param input Scores. @param target Of the input's shape. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, pos_weight, reduction } = this;
    return F.binary_cross_entropy_with_logits(input, target, { weight, pos_weight, reduction });
  }
}
