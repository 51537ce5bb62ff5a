import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { positiveInteger, real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link StepLR}. */
export interface StepLROptions {
  /** Epochs between two decays. */
  step_size: number;
  /** What a decay multiplies the learning rate by. Default 0.1. */
  gamma?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<StepLROptions>>(
  'optim.lr_scheduler.StepLR',
  { step_size: undefined as unknown as number, gamma: 0.1, last_epoch: -1 },
  true,
);

const rules = { step_size: positiveInteger, gamma: real };

/**
 * Multiplies each group's learning rate by `gamma` every `step_size` epochs. PyTorch: `torch.optim.lr_scheduler.StepLR`.
 * @throws TypeError or RangeError if `step_size` is not a positive integer or `gamma` not a finite number.
 */
export class StepLR extends LRScheduler {
  step_size: number;
  gamma: number;

  constructor(optimizer: AnyOptimizer, given: StepLROptions) {
    super(optimizer);
    const chosen = options(given);
    checkRules('StepLR', chosen, rules);
    this.step_size = chosen.step_size;
    this.gamma = chosen.gamma;
    this.startFrom(chosen.last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const decays = this.last_epoch !== 0 && this.last_epoch % this.step_size === 0;
    return this.currentRates().map((lr) => (decays ? times(lr, this.gamma) : lr));
  }

  override _get_closed_form_lr(): Hyper[] {
    const factor = this.gamma ** Math.floor(this.last_epoch / this.step_size);
    return this.base_lrs.map((lr) => times(lr, factor));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), ...rules };
  }
}
