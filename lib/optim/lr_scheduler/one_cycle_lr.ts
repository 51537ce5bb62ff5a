import { defineOptions } from '../../options.js';
import { checkRules, finite, flag, type Hyper, type Rule } from '../rules.js';
import { cos } from './cosine.js';
import {
  minus,
  oneOf,
  oneOrListOf,
  orNull,
  over,
  perGroup,
  plus,
  positive,
  positiveInteger,
  real,
  times,
  unitInterval,
  type Rules,
} from './fields.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';
import { beginMomentum, setMomentum, usesBeta } from './momentum.js';

/** Options of {@link OneCycleLR}. */
export interface OneCycleLROptions {
  /** The largest learning rate, or an array of one for each parameter group. */
  max_lr: Hyper | readonly Hyper[];
  /** Steps in all; or give `epochs` and `steps_per_epoch`. */
  total_steps?: number | null;
  /** Epochs in all. */
  epochs?: number | null;
  /** Steps in an epoch. */
  steps_per_epoch?: number | null;
  /** The part of the steps in which the learning rate goes up. Default 0.3. */
  pct_start?: number;
  /** Whether the ways are half a cosine ('cos', the default) or straight lines. */
  anneal_strategy?: 'cos' | 'linear';
  /** Whether momentum goes down as the learning rate goes up. Default true. */
  cycle_momentum?: boolean;
  /** The least momentum, or an array of one for each parameter group. Default 0.85. */
  base_momentum?: Hyper | readonly Hyper[];
  /** The largest momentum, or an array of one for each parameter group. Default 0.95. */
  max_momentum?: Hyper | readonly Hyper[];
  /** `max_lr` over the first learning rate. Default 25. */
  div_factor?: number;
  /** The first learning rate over the last. Default 1e4. */
  final_div_factor?: number;
  /** Whether to go down as long as up, and then from the first learning rate to the last. Default false. */
  three_phase?: boolean;
  /** The step to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<OneCycleLROptions>>(
  'optim.lr_scheduler.OneCycleLR',
  {
    max_lr: undefined as unknown as number,
    total_steps: null,
    epochs: null,
    steps_per_epoch: null,
    pct_start: 0.3,
    anneal_strategy: 'cos',
    cycle_momentum: true,
    base_momentum: 0.85,
    max_momentum: 0.95,
    div_factor: 25,
    final_div_factor: 1e4,
    three_phase: false,
    last_epoch: -1,
  },
  true,
);

const rules = {
  total_steps: orNull(positiveInteger),
  epochs: orNull(positiveInteger),
  steps_per_epoch: orNull(positiveInteger),
  pct_start: unitInterval,
  anneal_strategy: oneOf('cos', 'linear'),
  cycle_momentum: flag,
  div_factor: positive,
  final_div_factor: positive,
  three_phase: flag,
};

/** A part of the cycle; what it goes from and to are options in the groups. */
interface Phase {
  end_step: number;
  start_lr: string;
  end_lr: string;
  start_momentum: string;
  end_momentum: string;
}

const ends = ['initial_lr', 'max_lr', 'min_lr', 'max_momentum', 'base_momentum'];
const phaseRule: Rule = {
  expected: 'an array of phases',
  holds: (phases) =>
    Array.isArray(phases) &&
    phases.length > 0 &&
    phases.every((phase: Record<string, unknown> | null) => {
      if (typeof phase !== 'object' || phase === null) return false;
      const { end_step, ...way } = phase;
      return real.holds(end_step) && Object.values(way).every((end) => ends.includes(end as string));
    }),
};

function phasesOf(total_steps: number, pct_start: number, three_phase: boolean): Phase[] {
  const phase = (end_step: number, lr: [string, string], momentum: [string, string]): Phase => ({
    end_step,
    start_lr: lr[0],
    end_lr: lr[1],
    start_momentum: momentum[0],
    end_momentum: momentum[1],
  });
  const up = phase(pct_start * total_steps - 1, ['initial_lr', 'max_lr'], ['max_momentum', 'base_momentum']);
  if (!three_phase) return [up, phase(total_steps - 1, ['max_lr', 'min_lr'], ['base_momentum', 'max_momentum'])];
  return [
    up,
    phase(2 * pct_start * total_steps - 2, ['max_lr', 'initial_lr'], ['base_momentum', 'max_momentum']),
    phase(total_steps - 1, ['initial_lr', 'min_lr'], ['max_momentum', 'max_momentum']),
  ];
}

/**
 * Takes each group's learning rate up to `max_lr` and down to almost nothing once, and momentum against it; to be stepped
 * after every batch: the 1cycle policy (https://arxiv.org/abs/1708.07120, section 3). PyTorch:
 * `torch.optim.lr_scheduler.OneCycleLR`.
 * @throws TypeError or RangeError for options out of range, without a number of steps, for lists of another length than
 *   the parameter groups, and an optimizer without momentum unless `cycle_momentum` is false. Nothing is then changed.
 */
export class OneCycleLR extends LRScheduler {
  total_steps: number;
  cycle_momentum: boolean;
  declare use_beta1: boolean;
  /** @internal */ _schedule_phases: Phase[];
  /** @internal */ _anneal_func_type: 'cos' | 'linear';

  constructor(optimizer: AnyOptimizer, given: OneCycleLROptions) {
    super(optimizer);
    const chosen = options(given);
    const groups = this.paramGroups.length;
    const values = oneOrListOf(finite, groups);
    checkRules('OneCycleLR', chosen, { ...rules, max_lr: values, base_momentum: values, max_momentum: values });
    const { epochs, steps_per_epoch, last_epoch } = chosen;
    const total_steps = chosen.total_steps ?? (epochs ?? NaN) * (steps_per_epoch ?? NaN);
    if (Number.isNaN(total_steps)) {
      throw new TypeError(
        'OneCycleLR: total_steps: expected total_steps, or both epochs and steps_per_epoch, got neither',
      );
    }
    this.total_steps = total_steps;
    this._schedule_phases = phasesOf(total_steps, chosen.pct_start, chosen.three_phase);
    this._anneal_func_type = chosen.anneal_strategy;
    this.cycle_momentum = chosen.cycle_momentum;
    if (this.cycle_momentum) this.use_beta1 = usesBeta('OneCycleLR', optimizer);
    const max_lrs = perGroup(chosen.max_lr, groups);
    const base_momentums = perGroup(chosen.base_momentum, groups);
    const max_momentums = perGroup(chosen.max_momentum, groups);
    this.allOrNothing(() => {
      if (last_epoch === -1) {
        this.paramGroups.forEach((group, i) => {
          group.initial_lr = over(max_lrs[i], chosen.div_factor);
          group.max_lr = max_lrs[i];
          group.min_lr = over(group.initial_lr, chosen.final_div_factor);
          if (this.cycle_momentum) beginMomentum(group, this.use_beta1, base_momentums[i], max_momentums[i]);
        });
      }
      this.startFrom(last_epoch);
    });
  }

  /**
   * The learning rates of the step; also sets the momentum.
   * @throws RangeError after more steps than there are in all.
   */
  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { last_epoch: step, total_steps } = this;
    if (step > total_steps) {
      throw new RangeError(`OneCycleLR: step: expected at most total_steps, ${total_steps} steps, got ${step}`);
    }
    const phases = this._schedule_phases;
    const reached = phases.findIndex((phase) => step <= phase.end_step);
    const at = reached === -1 ? phases.length - 1 : reached;
    const { end_step, start_lr, end_lr, start_momentum, end_momentum } = phases[at];
    const start_step = at === 0 ? 0 : phases[at - 1].end_step;
    const part = (step - start_step) / (end_step - start_step);
    return this.paramGroups.map((group) => {
      const between = (start: string, end: string): Hyper => {
        checkRules('OneCycleLR', group, { [start]: finite, [end]: finite });
        return this.anneal(group[start] as Hyper, group[end] as Hyper, part);
      };
      const rate = between(start_lr, end_lr);
      if (this.cycle_momentum) setMomentum(group, this.use_beta1, between(start_momentum, end_momentum));
      return rate;
    });
  }

  private anneal(start: Hyper, end: Hyper, part: number): Hyper {
    if (this._anneal_func_type === 'linear') return plus(times(minus(end, start), part), start);
    return plus(times(times(minus(start, end), 1 / 2), cos(Math.PI * part) + 1), end);
  }

  protected override fieldRules(): Rules {
    return {
      ...super.fieldRules(),
      total_steps: positiveInteger,
      cycle_momentum: flag,
      use_beta1: flag,
      _schedule_phases: phaseRule,
      _anneal_func_type: rules.anneal_strategy,
    };
  }
}
