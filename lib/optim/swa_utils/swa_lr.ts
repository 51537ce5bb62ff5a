import { defineOptions } from '../../options.js';
import { cos } from '../lr_scheduler/cosine.js';
import { count, minus, oneOf, oneOrListOf, over, perGroup, plus, times, type Rules } from '../lr_scheduler/fields.js';
import { LRScheduler, type AnyOptimizer } from '../lr_scheduler/lr_scheduler.js';
import { checkRules, finite, type Hyper } from '../rules.js';

/** Options of {@link SWALR}. */
export interface SWALROptions {
  /** The learning rate to come to, for all parameter groups or one for each. */
  swa_lr: Hyper | readonly Hyper[];
  /** Over how many epochs. Default 10. */
  anneal_epochs?: number;
  /** Along half a cosine or a line. Default 'cos'. */
  anneal_strategy?: 'cos' | 'linear';
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<SWALROptions>>(
  'optim.swa_utils.SWALR',
  { swa_lr: undefined as unknown as number, anneal_epochs: 10, anneal_strategy: 'cos', last_epoch: -1 },
  true,
);

const strategy = oneOf('cos', 'linear');

/**
 * Takes each group's learning rate, whatever it is, to `swa_lr` and keeps it there, for the epochs in which weights are
 * averaged; another schedule may come before. The groups note their `swa_lr`. PyTorch: `torch.optim.swa_utils.SWALR`.
 * @throws TypeError or RangeError for options out of range; nothing is then changed.
 */
export class SWALR extends LRScheduler {
  anneal_epochs: number;
  /** @internal */ _anneal_strategy: 'cos' | 'linear';

  constructor(optimizer: AnyOptimizer, given: SWALROptions) {
    super(optimizer);
    const chosen = options(given);
    const groups = this.paramGroups.length;
    checkRules('SWALR', chosen, {
      swa_lr: oneOrListOf(finite, groups),
      anneal_epochs: count,
      anneal_strategy: strategy,
    });
    this.anneal_epochs = chosen.anneal_epochs;
    this._anneal_strategy = chosen.anneal_strategy;
    const rates = perGroup(chosen.swa_lr, groups);
    this.allOrNothing(() => {
      this.paramGroups.forEach((group, i) => (group.swa_lr = rates[i]));
      this.startFrom(chosen.last_epoch);
    });
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const step = this.anneal_epochs === 0 ? Math.max(1, this._step_count - 1) : this._step_count - 1;
    const [before, now] = [this.shareAt(step - 1), this.shareAt(step)];
    return this.paramGroups.map((group) => {
      checkRules('SWALR', group, { swa_lr: finite });
      const swa_lr = group.swa_lr as Hyper;
      const start = before === 1 ? swa_lr : over(minus(group.lr, times(swa_lr, before)), 1 - before);
      return plus(times(swa_lr, now), times(start, 1 - now));
    });
  }

  /** The share of `swa_lr` in the learning rate after some steps. */
  private shareAt(step: number): number {
    const t = Math.max(0, Math.min(1, step / Math.max(1, this.anneal_epochs)));
    return this._anneal_strategy === 'cos' ? (1 - cos(Math.PI * t)) / 2 : t;
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), anneal_epochs: count, _anneal_strategy: strategy };
  }
}
