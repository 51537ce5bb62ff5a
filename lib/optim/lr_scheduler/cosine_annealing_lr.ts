import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { cos } from './cosine.js';
import { minus, plus, positiveInteger, real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link CosineAnnealingLR}. */
export interface CosineAnnealingLROptions {
  /** Epochs from the first learning rate to the least. */
  T_max: number;
  /** The least learning rate. Default 0. */
  eta_min?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<CosineAnnealingLROptions>>(
  'optim.lr_scheduler.CosineAnnealingLR',
  { T_max: undefined as unknown as number, eta_min: 0, last_epoch: -1 },
  true,
);

const rules = { T_max: positiveInteger, eta_min: real };

/**
 * Takes each group's learning rate along half a cosine down to `eta_min` and up again: equation 5 of SGDR
 * (https://arxiv.org/abs/1608.03983), without its restarts. PyTorch: `torch.optim.lr_scheduler.CosineAnnealingLR`.
 * @throws TypeError or RangeError if `T_max` is not a positive integer or `eta_min` not a finite number.
 */
export class CosineAnnealingLR extends LRScheduler {
  T_max: number;
  eta_min: number;

  constructor(optimizer: AnyOptimizer, given: CosineAnnealingLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('CosineAnnealingLR', chosen, rules);
    this.T_max = chosen.T_max;
    this.eta_min = chosen.eta_min;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { T_max, eta_min, last_epoch } = this;
    const rates = this.currentRates();
    if (this._is_initial) return rates;
    if (this._step_count === 1 && last_epoch > 0) return this.annealed((last_epoch * Math.PI) / T_max);
    if ((last_epoch - 1 - T_max) % (2 * T_max) === 0) {
      // From eta_min, where the quotient below would be one of zeros.
      const rise = 1 - cos(Math.PI / T_max);
      return rates.map((lr, i) => plus(lr, times(times(minus(this.base_lrs[i], eta_min), rise), 1 / 2)));
    }
    const factor = (1 + cos((Math.PI * last_epoch) / T_max)) / (1 + cos((Math.PI * (last_epoch - 1)) / T_max));
    return rates.map((lr) => plus(times(minus(lr, eta_min), factor), eta_min));
  }

  override _get_closed_form_lr(): Hyper[] {
    return this.annealed((Math.PI * this.last_epoch) / this.T_max);
  }

  private annealed(angle: number): Hyper[] {
    const { eta_min } = this;
    const height = 1 + cos(angle);
    return this.base_lrs.map((lr) => plus(times(times(minus(lr, eta_min), height), 1 / 2), eta_min));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
