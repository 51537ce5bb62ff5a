import { defineOptions } from '../../options.js';
import { checkRules, type Hyper, type Rule } from '../rules.js';
import { count, times, unitInterval, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link LinearLR}. */
export interface LinearLROptions {
  /** What the learning rate is multiplied by at first. Default 1/3. */
  start_factor?: number;
  /** What it is multiplied by at the end. Default 1. */
  end_factor?: number;
  /** The epoch of the end. Default 5. */
  total_iters?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<LinearLROptions>>(
  'optim.lr_scheduler.LinearLR',
  { start_factor: 1 / 3, end_factor: 1, total_iters: 5, last_epoch: -1 },
  true,
);

const start: Rule = { expected: 'a number in (0, 1]', holds: (x) => unitInterval.holds(x) && x !== 0 };
const rules = { start_factor: start, end_factor: unitInterval, total_iters: count };

/**
 * Multiplies each group's learning rate by a factor that goes in a straight line from `start_factor` to `end_factor`.
 * PyTorch: `torch.optim.lr_scheduler.LinearLR`.
 * @throws TypeError or RangeError if `start_factor` is not in (0, 1], `end_factor` not in [0, 1] or `total_iters` not an
 *   integer >= 0.
 */
export class LinearLR extends LRScheduler {
  start_factor: number;
  end_factor: number;
  total_iters: number;

  constructor(optimizer: AnyOptimizer, given?: LinearLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('LinearLR', chosen, rules);
    this.start_factor = chosen.start_factor;
    this.end_factor = chosen.end_factor;
    this.total_iters = chosen.total_iters;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { start_factor, end_factor, total_iters, last_epoch } = this;
    const rates = this.currentRates();
    if (last_epoch === 0) return rates.map((lr) => times(lr, start_factor));
    if (this._is_initial || last_epoch > total_iters) return rates;
    const slope = end_factor - start_factor;
    const factor = 1 + slope / (total_iters * start_factor + (last_epoch - 1) * slope);
    return rates.map((lr) => times(lr, factor));
  }

  override _get_closed_form_lr(): Hyper[] {
    const { start_factor, end_factor, total_iters, last_epoch } = this;
    const factor = start_factor + ((end_factor - start_factor) * Math.min(total_iters, last_epoch)) / total_iters;
    return this.base_lrs.map((lr) => times(lr, factor));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
