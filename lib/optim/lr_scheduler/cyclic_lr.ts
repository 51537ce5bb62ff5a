import { defineOptions } from '../../options.js';
import { checkRules, finite, flag, type Hyper, type Rule } from '../rules.js';
import {
  listOf,
  minus,
  nonNegativeReal,
  oneOf,
  oneOrListOf,
  orNull,
  perGroup,
  plus,
  positive,
  real,
  times,
  type Rules,
} from './fields.js';
import { aFunction, packedFunction, packFunction, resultOf, unpackFunction } from './functions.js';
import { LRScheduler, setRate, type AnyOptimizer } from './lr_scheduler.js';
import { beginMomentum, setMomentum, usesBeta } from './momentum.js';

/** A factor for the amplitude of a cycle. */
export type ScaleFn = (x: number) => Hyper;

/** Options of {@link CyclicLR}. */
export interface CyclicLROptions {
  /** The least learning rate, or an array of one for each parameter group. */
  base_lr: Hyper | readonly Hyper[];
  /** The largest learning rate, or an array of one for each parameter group. */
  max_lr: Hyper | readonly Hyper[];
  /** Steps from the least to the largest. Default 2000. */
  step_size_up?: number;
  /** Steps from the largest to the least; null, the default, for as many as up. */
  step_size_down?: number | null;
  /** How the amplitude goes: 'triangular' (the default) keeps it, 'triangular2' halves it with each cycle, 'exp_range'
   * multiplies it by `gamma` with each step. */
  mode?: 'triangular' | 'triangular2' | 'exp_range';
  /** The factor of 'exp_range'. Default 1. */
  gamma?: number;
  /** A function that takes the place of `mode`. */
  scale_fn?: ScaleFn | null;
  /** What `scale_fn` is called with: the number of the cycle, from 1 ('cycle', the default), or of the step. */
  scale_mode?: 'cycle' | 'iterations';
  /** Whether momentum goes down as the learning rate goes up. Default true. */
  cycle_momentum?: boolean;
  /** The least momentum, or an array of one for each parameter group. Default 0.8. */
  base_momentum?: Hyper | readonly Hyper[];
  /** The largest momentum, or an array of one for each parameter group. Default 0.9. */
  max_momentum?: Hyper | readonly Hyper[];
  /** The step to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions<Required<CyclicLROptions>>(
  'optim.lr_scheduler.CyclicLR',
  {
    base_lr: undefined as unknown as number,
    max_lr: undefined as unknown as number,
    step_size_up: 2000,
    step_size_down: null,
    mode: 'triangular',
    gamma: 1,
    scale_fn: null,
    scale_mode: 'cycle',
    cycle_momentum: true,
    base_momentum: 0.8,
    max_momentum: 0.9,
    last_epoch: -1,
  },
  true,
);

const modes = oneOf('triangular', 'triangular2', 'exp_range');
const rules = {
  gamma: real,
  scale_mode: oneOf('cycle', 'iterations'),
  cycle_momentum: flag,
};
const unitPart: Rule = { expected: 'a number in (0, 1]', holds: (x) => positive.holds(x) && (x as number) <= 1 };

/**
 * Takes each group's learning rate up and down between `base_lr` and `max_lr` in straight lines, and momentum against it;
 * to be stepped after every batch: cyclical learning rates (https://arxiv.org/abs/1506.01186, section 3). PyTorch:
 * `torch.optim.lr_scheduler.CyclicLR`.
 * @throws TypeError or RangeError for options out of range, lists of another length than the parameter groups, and an
 *   optimizer without momentum unless `cycle_momentum` is false. Nothing is then changed.
 */
export class CyclicLR extends LRScheduler {
  max_lrs: Hyper[];
  /** Steps in a cycle. */
  total_size: number;
  /** The part of a cycle that goes up. */
  step_ratio: number;
  mode: 'triangular' | 'triangular2' | 'exp_range';
  gamma: number;
  scale_mode: 'cycle' | 'iterations';
  cycle_momentum: boolean;
  declare use_beta1: boolean;
  declare base_momentums: Hyper[];
  declare max_momentums: Hyper[];
  /** @internal */ _scale_fn_custom: ScaleFn | null;

  constructor(optimizer: AnyOptimizer, given: CyclicLROptions) {
    super(optimizer);
    const chosen = options(given);
    const groups = this.paramGroups.length;
    const values = oneOrListOf(finite, groups);
    checkRules('CyclicLR', chosen, {
      ...rules,
      ...(chosen.scale_fn === null ? { mode: modes } : {}),
      base_lr: values,
      max_lr: values,
      step_size_up: positive,
      step_size_down: orNull(nonNegativeReal),
      scale_fn: orNull(aFunction),
      base_momentum: values,
      max_momentum: values,
    });
    const { step_size_up, step_size_down, last_epoch } = chosen;
    const base_lrs = perGroup(chosen.base_lr, groups);
    this.max_lrs = perGroup(chosen.max_lr, groups);
    this.total_size = step_size_up + (step_size_down ?? step_size_up);
    this.step_ratio = step_size_up / this.total_size;
    this.mode = chosen.mode;
    this.gamma = chosen.gamma;
    this._scale_fn_custom = chosen.scale_fn;
    this.scale_mode = chosen.scale_mode;
    if (chosen.scale_fn === null) this.scale_mode = chosen.mode === 'exp_range' ? 'iterations' : 'cycle';
    this.cycle_momentum = chosen.cycle_momentum;
    if (this.cycle_momentum) {
      this.use_beta1 = usesBeta('CyclicLR', optimizer);
      this.base_momentums = perGroup(chosen.base_momentum, groups);
      this.max_momentums = perGroup(chosen.max_momentum, groups);
    }
    this.allOrNothing(() => {
      if (last_epoch === -1) {
        this.paramGroups.forEach((group, i) => {
          setRate(group, base_lrs[i]);
          if (!this.cycle_momentum) return;
          beginMomentum(group, this.use_beta1, this.base_momentums[i], this.max_momentums[i]);
        });
      }
      this.startFrom(last_epoch);
    });
    this.base_lrs = base_lrs;
  }

  /** The factor of the amplitude in cycle or at step `x`. PyTorch: `CyclicLR.scale_fn`. */
  scale_fn(x: number): Hyper {
    if (this._scale_fn_custom !== null) return resultOf('CyclicLR', 'scale_fn', this._scale_fn_custom(x));
    if (this.mode === 'triangular') return 1;
    return this.mode === 'triangular2' ? 1 / 2 ** (x - 1) : this.gamma ** x;
  }

  /** The learning rates of the step; also sets the momentum. */
  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const { last_epoch, total_size, step_ratio } = this;
    const cycle = Math.floor(1 + last_epoch / total_size);
    const x = 1 + last_epoch / total_size - cycle;
    const height = x <= step_ratio ? x / step_ratio : (x - 1) / (step_ratio - 1);
    const scale = (): Hyper => this.scale_fn(this.scale_mode === 'cycle' ? cycle : last_epoch);
    const part = (base: Hyper, max: Hyper): Hyper => times(times(minus(max, base), height), scale());
    const rates = this.base_lrs.map((base, i) => plus(base, part(base, this.max_lrs[i])));
    if (this.cycle_momentum) {
      const momentums = this.base_momentums.map((base, i) => {
        const max = this.max_momentums[i];
        return minus(max, part(base, max));
      });
      this.paramGroups.forEach((group, i) => setMomentum(group, this.use_beta1, momentums[i]));
    }
    return rates;
  }

  override state_dict(): Record<string, unknown> {
    const f = this._scale_fn_custom;
    return { ...super.state_dict(), _scale_fn_custom: f === null ? null : packFunction(f) };
  }

  protected override takeState({ _scale_fn_custom, ...rest }: Record<string, unknown>): void {
    super.takeState(rest);
    if (this._scale_fn_custom !== null) unpackFunction(this._scale_fn_custom, _scale_fn_custom as object | null);
  }

  protected override fieldRules(): Rules {
    const values = listOf(finite, this.paramGroups.length);
    return {
      ...super.fieldRules(),
      ...rules,
      ...(this._scale_fn_custom === null ? { mode: modes } : {}),
      max_lrs: values,
      total_size: positive,
      step_ratio: unitPart,
      use_beta1: flag,
      base_momentums: values,
      max_momentums: values,
      _scale_fn_custom: packedFunction,
    };
  }
}
