import { defineOptions } from '../../options.js';
import { describe } from '../../tensor/tensor.js';
import { checkRules, type Rule } from '../rules.js';
import { wholeNumber, type Rules } from './fields.js';
import { LRScheduler, setRate, type AnyOptimizer } from './lr_scheduler.js';
import { ReduceLROnPlateau } from './reduce_lr_on_plateau.js';

/** Schedulers that step other schedulers, whose state dicts are part of theirs. */
abstract class ComposedLR extends LRScheduler {
  /** @internal */ _schedulers: LRScheduler[];

  protected constructor(optimizer: AnyOptimizer, schedulers: readonly LRScheduler[]) {
    super(optimizer);
    this._schedulers = [...schedulers];
  }

  override state_dict(): Record<string, unknown> {
    return { ...super.state_dict(), _schedulers: this._schedulers.map((scheduler) => scheduler.state_dict()) };
  }

  override _check_state(state_dict: Record<string, unknown>): void {
    super._check_state(state_dict);
    const states = state_dict._schedulers as Record<string, unknown>[] | undefined;
    states?.forEach((state, i) => this._schedulers[i]._check_state(state));
  }

  protected override takeState({ _schedulers, ...rest }: Record<string, unknown>): void {
    super.takeState(rest);
    (_schedulers as Record<string, unknown>[] | undefined)?.forEach((s, i) => this._schedulers[i].load_state_dict(s));
  }

  protected override fieldRules(): Rules {
    const n = this._schedulers.length;
    const states: Rule = { expected: `${n} state dicts`, holds: (x) => Array.isArray(x) && x.length === n };
    return { ...super.fieldRules(), _schedulers: states };
  }

  override _noted(): () => void {
    const undo = [super._noted(), ...this._schedulers.map((scheduler) => scheduler._noted())];
    return () => undo.forEach((f) => f());
  }
}

/** Refuses what are not schedulers that go on one epoch at a time, all of one optimizer. */
function checkSchedulers(name: string, schedulers: unknown, optimizer?: AnyOptimizer | null): void {
  if (!Array.isArray(schedulers)) {
    throw new TypeError(`${name}: schedulers: expected an array of schedulers, got ${describe(schedulers)}`);
  }
  if (schedulers.length === 0) throw new RangeError(`${name}: schedulers: expected at least one scheduler, got []`);
  schedulers.forEach((scheduler: unknown, i) => {
    const where = `${name}: schedulers[${i}]`;
    if (!(scheduler instanceof LRScheduler)) {
      throw new TypeError(`${where}: expected a scheduler, got ${describe(scheduler)}`);
    }
    if (scheduler instanceof ReduceLROnPlateau) {
      throw new TypeError(`${where}: expected a scheduler whose step takes no metrics, got a ReduceLROnPlateau`);
    }
    if (scheduler.optimizer !== (optimizer ?? (schedulers[0] as LRScheduler).optimizer)) {
      throw new RangeError(`${where}: expected all schedulers to belong to the same optimizer, got another one's`);
    }
  });
}

/** Refuses an epoch: the schedulers below may each be at another one. */
function checkNoEpoch(name: string, epoch: unknown): void {
  if (epoch == null) return;
  throw new TypeError(`step: epoch: ${name} goes on one epoch at a time: expected none, got ${describe(epoch)}`);
}

/** Options of {@link SequentialLR}. */
export interface SequentialLROptions {
  /** The schedulers, in the order of their turns. */
  schedulers: readonly LRScheduler[];
  /** The epochs at which the turn of the second and of each later one begins. */
  milestones: readonly number[];
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<SequentialLROptions>>(
  'optim.lr_scheduler.SequentialLR',
  {
    schedulers: undefined as unknown as LRScheduler[],
    milestones: undefined as unknown as number[],
    last_epoch: -1,
  },
  true,
);

function milestonesOf(schedulers: number): Rule {
  return {
    expected: `${schedulers - 1} in order, one less than schedulers, each an integer`,
    holds: (x) =>
      Array.isArray(x) &&
      x.length === schedulers - 1 &&
      x.every((epoch, i) => wholeNumber.holds(epoch) && (i === 0 || epoch >= x[i - 1])),
  };
}

/**
 * Runs schedulers one after the other, each until the epoch at which the next one's turn begins. PyTorch:
 * `torch.optim.lr_scheduler.SequentialLR`.
 * @throws TypeError or RangeError for schedulers of another optimizer or of `ReduceLROnPlateau`, and unless there are as
 *   many `milestones` as turns that follow another. Nothing is then changed.
 */
export class SequentialLR extends ComposedLR {
  /** @internal */ _milestones: number[];

  constructor(optimizer: AnyOptimizer, given: SequentialLROptions) {
    const { schedulers, milestones, last_epoch } = options(given);
    checkSchedulers('SequentialLR', schedulers, optimizer);
    super(optimizer, schedulers);
    const rules = { milestones: milestonesOf(schedulers.length), last_epoch: wholeNumber };
    checkRules('SequentialLR', { milestones, last_epoch }, rules);
    this._milestones = [...milestones];
    this.allOrNothing(() => {
      this.last_epoch = last_epoch + 1;
      // The schedulers have all set their first learning rates: only the one whose turn it is may.
      for (const group of this.paramGroups) setRate(group, group.initial_lr!);
      undoStep(this);
      const first = this.turn();
      first._initial_step();
      this._last_lr = first._last_lr;
    });
  }

  /** The scheduler whose turn epoch `at` is. */
  private turn(at = 0): LRScheduler {
    return this._schedulers[this._milestones.filter((epoch) => epoch <= at).length];
  }

  /** Sets the learning rates of the next epoch. PyTorch: `SequentialLR.step`. */
  override step(epoch: null = null): void {
    checkNoEpoch('SequentialLR', epoch);
    this.allOrNothing(() => {
      this.last_epoch++;
      const scheduler = this.turn(this.last_epoch);
      if (this._milestones.includes(this.last_epoch)) scheduler._update_lr(0);
      else scheduler.step();
      this._last_lr = scheduler._last_lr;
    });
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), _milestones: milestonesOf(this._schedulers.length) };
  }
}

/** Takes back the epoch that the first step of a scheduler, or of those it is made of, counted. */
function undoStep(scheduler: LRScheduler): void {
  if (scheduler instanceof ComposedLR) scheduler._schedulers.forEach(undoStep);
  else scheduler.last_epoch--;
}

const chainedOptions = defineOptions('optim.lr_scheduler.ChainedScheduler', { optimizer: null as AnyOptimizer | null });

/**
 * Steps several schedulers at once, each on the learning rates that those before it leave. PyTorch:
 * `torch.optim.lr_scheduler.ChainedScheduler`.
 * @param options.optimizer The schedulers' optimizer; the first one's by default.
 * @throws TypeError or RangeError for schedulers of different optimizers or of `ReduceLROnPlateau`.
 */
export class ChainedScheduler extends ComposedLR {
  constructor(schedulers: readonly LRScheduler[], options?: { optimizer?: AnyOptimizer | null }) {
    const { optimizer } = chainedOptions(options);
    checkSchedulers('ChainedScheduler', schedulers, optimizer);
    super(optimizer ?? schedulers[0].optimizer, schedulers);
    this._last_lr = this.currentRates();
  }

  /** Steps each of the schedulers. PyTorch: `ChainedScheduler.step`. */
  override step(epoch: null = null): void {
    checkNoEpoch('ChainedScheduler', epoch);
    this.allOrNothing(() => {
      for (const scheduler of this._schedulers) scheduler.step();
      this._last_lr = this.currentRates();
    });
  }
}
