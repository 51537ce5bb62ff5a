import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link ExponentialLR}. */
export interface ExponentialLROptions {
  /** What the learning rate is multiplied by every epoch. */
  gamma: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<ExponentialLROptions>>(
  'optim.lr_scheduler.ExponentialLR',
  { gamma: undefined as unknown as number, last_epoch: -1 },
  true,
);

const rules = { gamma: real };

/**
 * Multiplies each group's learning rate by `gamma` every epoch. PyTorch: `torch.optim.lr_scheduler.ExponentialLR`.
 * @throws TypeError or RangeError if `gamma` is not a finite number.
 */
export class ExponentialLR extends LRScheduler {
  gamma: number;

  constructor(optimizer: AnyOptimizer, given: ExponentialLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('ExponentialLR', chosen, rules);
    this.gamma = chosen.gamma;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const rates = this.currentRates();
    return this._is_initial ? rates : rates.map((lr) => times(lr, this.gamma));
  }

  override _get_closed_form_lr(): Hyper[] {
    return this.base_lrs.map((lr) => times(lr, this.gamma ** this.last_epoch));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
