import { defineOptions } from '../../options.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { checkRules, numberOf, type Hyper, type Rule } from '../rules.js';
import {
  count,
  wholeNumber,
  nonNegativeReal,
  oneOf,
  oneOrListOf,
  orNull,
  perGroup,
  real,
  type Rules,
} from './fields.js';
import { LRScheduler, setRate, warnEpoch, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** Whether the metric is to fall ('min', the default) or to rise ('max'). */
  mode?: 'min' | 'max';
  /** What the learning rate is multiplied by. Default 0.1. */
  factor?: number;
  /** Epochs without improvement that are let pass. Default 10. */
  patience?: number;
  /** What counts as an improvement. Default 1e-4. */
  threshold?: number;
  /** Whether `threshold` is a part of the best metric ('rel', the default) or a difference from it ('abs'). */
  threshold_mode?: 'rel' | 'abs';
  /** Epochs after a reduction that are not counted. Default 0. */
  cooldown?: number;
  /** The least learning rate, or an array of one for each parameter group. Default 0. */
  min_lr?: number | readonly number[];
  /** A smaller reduction than this is left out. Default 1e-8. */
  eps?: number;
}

const options = defineOptions<Required<ReduceLROnPlateauOptions>>(
  'optim.lr_scheduler.ReduceLROnPlateau',
  {
    mode: 'min',
    factor: 0.1,
    patience: 10,
    threshold: 1e-4,
    threshold_mode: 'rel',
    cooldown: 0,
    min_lr: 0,
    eps: 1e-8,
  },
  true,
);

const rules = {
  mode: oneOf('min', 'max'),
  factor: { expected: 'a number < 1', holds: (x) => real.holds(x) && (x as number) < 1 } as Rule,
  patience: count,
  threshold: real,
  threshold_mode: oneOf('rel', 'abs'),
  cooldown: count,
  eps: nonNegativeReal,
};

const metric: Rule = { expected: 'a number', holds: (x) => typeof x === 'number' };

/**
 * Multiplies the learning rates by `factor` once a metric has not improved for more than `patience` epochs. PyTorch:
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 * @throws TypeError or RangeError if `factor` is not below 1, a mode is unknown, or an option is not a number of its kind.
 */
export class ReduceLROnPlateau extends LRScheduler {
  mode: 'min' | 'max';
  factor: number;
  patience: number;
  threshold: number;
  threshold_mode: 'rel' | 'abs';
  cooldown: number;
  eps: number;
  default_min_lr: number | null;
  min_lrs: number[];
  /** The worst a metric can be. */
  mode_worse: number;
  /** The best metric so far. */
  best: number;
  /** Epochs of `cooldown` that are left. */
  cooldown_counter: number;
  /** Epochs without improvement. */
  num_bad_epochs: number;

  constructor(optimizer: AnyOptimizer, given?: ReduceLROnPlateauOptions) {
    super(optimizer);
    const chosen = options(given);
    const groups = this.paramGroups.length;
    checkRules('ReduceLROnPlateau', chosen, { ...rules, min_lr: oneOrListOf(real, groups) });
    const { min_lr } = chosen;
    this.mode = chosen.mode;
    this.factor = chosen.factor;
    this.patience = chosen.patience;
    this.threshold = chosen.threshold;
    this.threshold_mode = chosen.threshold_mode;
    this.cooldown = chosen.cooldown;
    this.eps = chosen.eps;
    this.default_min_lr = typeof min_lr === 'number' ? min_lr : null;
    this.min_lrs = perGroup(min_lr, groups);
    this.last_epoch = 0;
    this._last_lr = this.currentRates();
    this.mode_worse = this.mode === 'min' ? Infinity : -Infinity;
    this.best = this.mode_worse;
    this.cooldown_counter = 0;
    this.num_bad_epochs = 0;
  }

  /**
   * Counts an epoch, and reduces the learning rates if it is one too many without improvement. PyTorch:
   * `ReduceLROnPlateau.step`.
   * @param metrics The metric: a number or a tensor of one element. NaN is no improvement.
   * @param epoch The number of the epoch. Deprecated.
   * @throws TypeError if `metrics` is no number; Error if groups were added and `min_lrs` have not been.
   */
  override step(metrics: Hyper | null | undefined, epoch: number | null = null): void {
    if (typeof metrics !== 'number' && !(metrics instanceof Tensor && metrics._numel === 1)) {
      throw new TypeError(`step: metrics: expected a number or a tensor of one element, got ${describe(metrics)}`);
    }
    if (epoch !== null && !Number.isSafeInteger(epoch)) {
      throw new TypeError(`step: epoch: expected an integer, got ${describe(epoch)}`);
    }
    if (epoch !== null) warnEpoch();
    this.allOrNothing(() => {
      this.last_epoch = epoch ?? this.last_epoch + 1;
      const current = numberOf('metrics', metrics);
      if (this.improves(current)) {
        this.best = current;
        this.num_bad_epochs = 0;
      } else this.num_bad_epochs++;
      if (this.in_cooldown) {
        this.cooldown_counter--;
        this.num_bad_epochs = 0;
      }
      if (this.num_bad_epochs > this.patience) {
        this.reduce();
        this.cooldown_counter = this.cooldown;
        this.num_bad_epochs = 0;
      }
      this._last_lr = this.currentRates();
    });
  }

  /** Whether epochs are not being counted. */
  get in_cooldown(): boolean {
    return this.cooldown_counter > 0;
  }

  private improves(current: number): boolean {
    const { mode, threshold, threshold_mode, best } = this;
    if (mode === 'min') return current < (threshold_mode === 'rel' ? best * (1 - threshold) : best - threshold);
    return current > (threshold_mode === 'rel' ? best * (threshold + 1) : best + threshold);
  }

  private reduce(): void {
    const groups = this.paramGroups;
    if (this.min_lrs.length !== groups.length) {
      if (this.default_min_lr === null) {
        throw new RangeError(
          `ReduceLROnPlateau: step: expected min_lrs for ${groups.length} parameter groups, got ${this.min_lrs.length}: ` +
            'set them when groups are added',
        );
      }
      this.min_lrs = perGroup(this.default_min_lr, groups.length);
    }
    groups.forEach((group, i) => {
      const before = numberOf('lr', group.lr);
      const after = Math.max(before * this.factor, this.min_lrs[i]);
      if (before - after > this.eps) setRate(group, after);
    });
  }

  protected override takeState(state_dict: Record<string, unknown>): void {
    super.takeState(state_dict);
    this.mode_worse = this.mode === 'min' ? Infinity : -Infinity;
  }

  protected override fieldRules(): Rules {
    const min_lrs: Rule = {
      expected: 'an array of finite numbers',
      holds: (x) => Array.isArray(x) && x.every(real.holds),
    };
    return {
      ...super.fieldRules(),
      ...rules,
      default_min_lr: orNull(real),
      min_lrs,
      mode_worse: metric,
      best: metric,
      cooldown_counter: wholeNumber,
      num_bad_epochs: count,
    };
  }
}
