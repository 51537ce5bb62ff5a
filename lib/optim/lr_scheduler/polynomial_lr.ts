import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { count, real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link PolynomialLR}. */
export interface PolynomialLROptions {
  /** The epoch at which the learning rate is 0. Default 5. */
  total_iters?: number;
  /** The power of what is left of `total_iters`. Default 1. */
  power?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<PolynomialLROptions>>(
  'optim.lr_scheduler.PolynomialLR',
  { total_iters: 5, power: 1, last_epoch: -1 },
  true,
);

const rules = { total_iters: count, power: real };

/**
 * Multiplies each group's learning rate by (1 - epoch / total_iters) ** power. PyTorch:
 * `torch.optim.lr_scheduler.PolynomialLR`.
 * @throws TypeError or RangeError if `total_iters` is not an integer >= 0 or `power` not a finite number.
 */
export class PolynomialLR extends LRScheduler {
  total_iters: number;
  power: number;

  constructor(optimizer: AnyOptimizer, given?: PolynomialLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('PolynomialLR', chosen, rules);
    this.total_iters = chosen.total_iters;
    this.power = chosen.power;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { total_iters, power, last_epoch } = this;
    const rates = this.currentRates();
    if (this._is_initial || last_epoch > total_iters) return rates;
    const factor = ((1 - last_epoch / total_iters) / (1 - (last_epoch - 1) / total_iters)) ** power;
    return rates.map((lr) => times(lr, factor));
  }

  override _get_closed_form_lr(): Hyper[] {
    const { total_iters, power, last_epoch } = this;
    const factor = (1 - Math.min(total_iters, last_epoch) / total_iters) ** power;
    return this.base_lrs.map((lr) => times(lr, factor));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
