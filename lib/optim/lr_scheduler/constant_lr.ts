import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { count, times, unitInterval, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link ConstantLR}. */
export interface ConstantLROptions {
  /** What the learning rate is multiplied by at first. Default 1/3. */
  factor?: number;
  /** The epoch at which that is undone. Default 5. */
  total_iters?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<ConstantLROptions>>(
  'optim.lr_scheduler.ConstantLR',
  { factor: 1 / 3, total_iters: 5, last_epoch: -1 },
  true,
);

const rules = { factor: unitInterval, total_iters: count };

/**
 * Multiplies each group's learning rate by `factor` until epoch `total_iters`. PyTorch:
 * `torch.optim.lr_scheduler.ConstantLR`.
 * @throws TypeError or RangeError if `factor` is not in [0, 1] or `total_iters` not an integer >= 0.
 */
export class ConstantLR extends LRScheduler {
  factor: number;
  total_iters: number;

  constructor(optimizer: AnyOptimizer, given?: ConstantLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('ConstantLR', chosen, rules);
    this.factor = chosen.factor;
    this.total_iters = chosen.total_iters;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const rates = this.currentRates();
    if (this.last_epoch === 0) return rates.map((lr) => times(lr, this.factor));
    return this.last_epoch === this.total_iters ? rates.map((lr) => times(lr, 1 / this.factor)) : rates;
  }

  override _get_closed_form_lr(): Hyper[] {
    const over = Number(this.last_epoch >= this.total_iters);
    return this.base_lrs.map((lr) => times(lr, this.factor + over * (1 - this.factor)));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
