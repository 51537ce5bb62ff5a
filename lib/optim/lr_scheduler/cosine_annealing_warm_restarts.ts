import { defineOptions } from '../../options.js';
import { describe } from '../../tensor/tensor.js';
import { checkRules, type Hyper } from '../rules.js';
import { cos } from './cosine.js';
import { minus, plus, positiveInteger, real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface CosineAnnealingWarmRestartsOptions {
  /** Epochs until the first restart. */
  T_0: number;
  /** What a restart multiplies the number of epochs until the next by. Default 1. */
  T_mult?: number;
  /** The least learning rate. Default 0. */
  eta_min?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<CosineAnnealingWarmRestartsOptions>>(
  'optim.lr_scheduler.CosineAnnealingWarmRestarts',
  { T_0: undefined as unknown as number, T_mult: 1, eta_min: 0, last_epoch: -1 },
  true,
);

const rules = { T_0: positiveInteger, T_mult: positiveInteger, eta_min: real };

/**
 * Takes each group's learning rate along half a cosine down to `eta_min`, again and again: equation 5 of SGDR
 * (https://arxiv.org/abs/1608.03983). PyTorch: `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
 * @throws TypeError or RangeError if `T_0` or `T_mult` is not a positive integer or `eta_min` not a finite number.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  T_0: number;
  T_mult: number;
  eta_min: number;
  /** Epochs between the last restart and the next. */
  T_i: number;
  /** Epochs since the last restart. */
  T_cur: number;

  constructor(optimizer: AnyOptimizer, given: CosineAnnealingWarmRestartsOptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('CosineAnnealingWarmRestarts', chosen, rules);
    this.T_0 = chosen.T_0;
    this.T_i = chosen.T_0;
    this.T_mult = chosen.T_mult;
    this.eta_min = chosen.eta_min;
    this.T_cur = chosen.last_epoch;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { T_cur, T_i, eta_min } = this;
    const height = 1 + cos((Math.PI * T_cur) / T_i);
    return this.base_lrs.map((lr) => plus(times(times(minus(lr, eta_min), height), 1 / 2), eta_min));
  }

  /**
   * Sets the learning rates of the next epoch. PyTorch: `CosineAnnealingWarmRestarts.step`.
   * @param epoch The epoch to go to instead; it may be a fraction, such as epoch + batch / batches.
   * @throws TypeError or RangeError if `epoch` is not a finite number >= 0; nothing is then changed.
   */
  override step(epoch: number | null = null): void {
    if (epoch !== null && !(Number.isFinite(epoch) && epoch >= 0)) {
      throw new RangeError(`step: epoch: expected a number >= 0 or null, got ${describe(epoch)}`);
    }
    this.allOrNothing(() => {
      if (epoch !== null || this.last_epoch < 0) this.goTo(epoch ?? 0);
      else this.goOn();
      this.setRates(() => this.get_lr());
    });
  }

  private goOn(): void {
    this.last_epoch++;
    this.T_cur++;
    if (this.T_cur < this.T_i) return;
    this.T_cur %= this.T_i;
    this.T_i *= this.T_mult;
  }

  private goTo(epoch: number): void {
    this.last_epoch = Math.floor(epoch);
    if (epoch >= this.T_0 && this.T_mult === 1) {
      this.T_cur = epoch % this.T_0;
      return;
    }
    // Counted, as a quotient of logarithms may round to the wrong side of a restart.
    let [start, length] = [0, this.T_0];
    while (start + length <= epoch) {
      start += length;
      length *= this.T_mult;
    }
    this.T_cur = epoch - start;
    this.T_i = length;
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules, T_i: positiveInteger, T_cur: real };
  }
}
