import { defineOptions } from '../../options.js';
import { describe } from '../../tensor/tensor.js';
import { checkRules, type Hyper, type Rule } from '../rules.js';
import { wholeNumber, positiveInteger, real, times, type Rules } from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link MultiStepLR}. */
export interface MultiStepLROptions {
  /** The epochs at which to decay; one that comes n times decays n times. */
  milestones: Iterable<number>;
  /** What a decay multiplies the learning rate by. Default 0.1. */
  gamma?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<MultiStepLROptions>>(
  'optim.lr_scheduler.MultiStepLR',
  { milestones: undefined as unknown as Iterable<number>, gamma: 0.1, last_epoch: -1 },
  true,
);

const counts: Rule = {
  expected: 'an object of epochs and how often each comes',
  holds: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([key, n]) => wholeNumber.holds(Number(key)) && positiveInteger.holds(n)),
};

/**
 * Multiplies each group's learning rate by `gamma` at each of `milestones`. PyTorch:
 * `torch.optim.lr_scheduler.MultiStepLR`.
 * @throws TypeError or RangeError if `milestones` are not integers or `gamma` is not a finite number.
 */
export class MultiStepLR extends LRScheduler {
  /** How often each milestone was given. */
  milestones: Record<number, number> = {};
  gamma: number;

  constructor(optimizer: AnyOptimizer, given: MultiStepLROptions) {
    super(optimizer);
    const { milestones, gamma, last_epoch } = options(given);
    const iterable = typeof (milestones as Iterable<number> | null | undefined)?.[Symbol.iterator] === 'function';
    const list: unknown = iterable ? [...milestones] : milestones;
    if (!Array.isArray(list) || !list.every(wholeNumber.holds)) {
      throw new TypeError(`MultiStepLR: milestones: expected integers, got ${describe(list)}`);
    }
    checkRules('MultiStepLR', { gamma }, { gamma: real });
    for (const epoch of list as number[]) this.milestones[epoch] = (this.milestones[epoch] ?? 0) + 1;
    this.gamma = gamma;
    this.startFrom(last_epoch);
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const decays = this.milestones[this.last_epoch];
    return this.currentRates().map((lr) => (decays === undefined ? lr : times(lr, this.gamma ** decays)));
  }

  override _get_closed_form_lr(): Hyper[] {
    let decays = 0;
    for (const [epoch, n] of Object.entries(this.milestones)) if (Number(epoch) <= this.last_epoch) decays += n;
    return this.base_lrs.map((lr) => times(lr, this.gamma ** decays));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), milestones: counts, gamma: real };
  }
}
