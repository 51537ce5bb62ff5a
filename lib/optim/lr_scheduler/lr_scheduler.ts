import { fill_ } from '../../ops/fill.js';
import { fillNumber } from '../../ops/creation.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { warnOnce } from '../../warnings.js';
import { Optimizer, type ParamGroup } from '../optimizer.js';
import { checkRules, finite, flag, numberOf, type Hyper } from '../rules.js';
import { copyOf, count, epoch as epochRule, wholeNumber, listOf, type Rules } from './fields.js';

/** A group of an optimizer as schedulers see it. @internal */
export type Group = ParamGroup<{ lr: Hyper } & Record<string, unknown>>;

/** Any optimizer that has learning rates. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyOptimizer = Optimizer<any>;

/** The steps each optimizer had made when its first scheduler came. */
const stepsBefore = new WeakMap<AnyOptimizer, number>();

/**
 * The base of all learning-rate schedulers. A subclass states `get_lr`, and `_get_closed_form_lr` where there is one. Its
 * fields, which are its state dict, must be set before `startFrom` is called, the last thing its constructor does. Rates are
 * numbers, or tensors where the groups' are. PyTorch: `torch.optim.lr_scheduler.LRScheduler`.
 */
export class LRScheduler {
  // Declared only: fields that a scheduler does not set are not in its state dict.
  /** The learning rates the schedule starts from, one a group. */
  declare base_lrs: Hyper[];
  /** How many epochs have passed. */
  declare last_epoch: number;
  /** @internal */ declare _step_count: number;
  /** @internal */ declare _is_initial: boolean;
  /** @internal */ declare _get_lr_called_within_step: boolean;
  /** @internal */ declare _last_lr: Hyper[];
  /** The optimizer's method when this scheduler was made. */
  readonly #optimizerStep: unknown;

  /** @throws TypeError if `optimizer` is none. */
  constructor(
    /** The optimizer whose learning rates are scheduled. */
    readonly optimizer: AnyOptimizer,
  ) {
    if (!(optimizer instanceof Optimizer)) {
      throw new TypeError(`${this.constructor.name}: optimizer: expected an Optimizer, got ${describe(optimizer)}`);
    }
    if (!stepsBefore.has(optimizer)) stepsBefore.set(optimizer, optimizer._steps);
    this.#optimizerStep = optimizer.step;
  }

  /**
   * The next learning rates, one a group: called by `step`, once `last_epoch` is the new epoch. PyTorch: `get_lr`.
   * @throws Error if the scheduler has no learning rates by epoch of its own.
   */
  get_lr(): Hyper[] {
    throw new Error(`${this.constructor.name}: get_lr: not implemented: it has no learning rates by epoch of its own`);
  }

  /** The learning rates at `last_epoch`, from `base_lrs` alone. */
  _get_closed_form_lr?(): Hyper[];

  /**
   * Notes the learning rates to start from, and sets those of the first epoch.
   * @param last_epoch The epoch to go on from, or -1 to begin.
   * @throws TypeError or RangeError if `last_epoch` is not an integer >= -1; Error if it is not -1 and a group has no
   *   `initial_lr`. The groups are then unchanged.
   */
  protected startFrom(last_epoch: number): void {
    const name = this.constructor.name;
    checkRules(name, { last_epoch }, { last_epoch: epochRule });
    this.allOrNothing(() => {
      this.paramGroups.forEach((group, i) => {
        if (last_epoch === -1) group.initial_lr ??= copyOf(group.lr);
        else if (group.initial_lr === undefined) {
          throw new Error(
            `${name}: param 'initial_lr' is not specified in param_groups[${i}] when resuming with last_epoch >= 0: ` +
              "load the optimizer's state first",
          );
        }
        checkRules(name, group, { initial_lr: finite, lr: finite });
      });
      this.base_lrs = this.paramGroups.map((group) => copyOf(group.initial_lr!));
      this.last_epoch = last_epoch;
      this._initial_step();
    });
  }

  /** Takes the first step, which counts from 0. @internal */
  _initial_step(): void {
    this._step_count = 0;
    this._is_initial = true;
    try {
      this.step();
    } finally {
      this._is_initial = false;
    }
  }

  protected get paramGroups(): readonly Group[] {
    return this.optimizer.param_groups as Group[];
  }

  /** The learning rates in use, one a group. */
  protected currentRates(): Hyper[] {
    return this.paramGroups.map((group) => copyOf(group.lr));
  }

  /**
   * Sets the learning rates of the next epoch; to be called after the optimizer's `step`. PyTorch: `LRScheduler.step`.
   * @param epoch The epoch to go to instead, by the closed form where there is one. Deprecated.
   * @throws TypeError or RangeError if `epoch` is not an integer or a learning rate would not be finite; nothing is then
   *   changed.
   */
  step(epoch: number | null = null): void {
    if (epoch !== null && !Number.isSafeInteger(epoch)) {
      throw new TypeError(`step: epoch: expected an integer, got ${describe(epoch)}`);
    }
    this.warnOrder();
    if (epoch !== null) warnEpoch();
    this.allOrNothing(() => {
      this._step_count++;
      this._update_lr(epoch);
    });
  }

  /** Goes to the next epoch, or to `epoch`, and sets its learning rates. @internal */
  _update_lr(epoch: number | null): void {
    this.last_epoch = epoch ?? this.last_epoch + 1;
    this.setRates(() => (epoch === null ? this.get_lr() : (this._get_closed_form_lr?.() ?? this.get_lr())));
  }

  /** Sets the learning rates that `compute` gives, within which `get_lr` may be called. */
  protected setRates(compute: () => Hyper[]): void {
    this._get_lr_called_within_step = true;
    let rates: Hyper[];
    try {
      rates = compute();
    } finally {
      this._get_lr_called_within_step = false;
    }
    const name = this.constructor.name;
    if (rates.length !== this.paramGroups.length) {
      throw new RangeError(
        `${name}: step: expected as many learning rates as parameter groups, ${this.paramGroups.length}, got ${rates.length}`,
      );
    }
    this.paramGroups.forEach((group, i) => {
      if (!finite.holds(rates[i])) {
        throw new RangeError(
          `${name}: step: expected a finite learning rate for param_groups[${i}], got ${describe(rates[i])}`,
        );
      }
      setRate(group, rates[i]);
    });
    this._last_lr = this.currentRates();
  }

  private warnOrder(): void {
    if (this._step_count !== 1) return;
    if (this.optimizer.step !== this.#optimizerStep) {
      process.emitWarning(
        'Seems like `optimizer.step()` has been overridden after the learning rate scheduler was made: make sure to call ' +
          '`optimizer.step()` before `lr_scheduler.step()`.',
      );
    } else if (this.optimizer._steps === stepsBefore.get(this.optimizer)) {
      process.emitWarning(
        'Detected call of `lr_scheduler.step()` before `optimizer.step()`: call them in the opposite order, or the first ' +
          'value of the learning rate schedule is skipped.',
      );
    }
  }

  /**
   * The learning rates that the last `step` set, one a group; copies where they are tensors. PyTorch: `get_last_lr`.
   * @typeParam R Tensor where the groups' rates are tensors, which the types cannot tell.
   */
  get_last_lr<R extends Hyper = number>(): R[] {
    return this._last_lr as R[];
  }

  /** All fields but the optimizer, under PyTorch's names. PyTorch: `LRScheduler.state_dict`. */
  state_dict(): Record<string, unknown> {
    const state: Record<string, unknown> = { ...(this as object) };
    delete state.optimizer;
    return state;
  }

  /**
   * Takes over the fields of a state dict. PyTorch: `LRScheduler.load_state_dict`.
   * @throws TypeError or RangeError if it is not the state of a scheduler of this kind; nothing is then changed.
   */
  load_state_dict(state_dict: Record<string, unknown>): void {
    this._check_state(state_dict);
    this.takeState(state_dict);
  }

  /** Refuses a state dict that does not fit. @internal */
  _check_state(state_dict: Record<string, unknown>): void {
    if (typeof state_dict !== 'object' || state_dict === null || Array.isArray(state_dict)) {
      throw new TypeError(`load_state_dict: state_dict: expected an object, got ${describe(state_dict)}`);
    }
    const own = this.state_dict();
    const rules = Object.entries(this.fieldRules()).filter(([key]) => Object.hasOwn(state_dict, key));
    for (const key of Object.keys(state_dict)) {
      if (Object.hasOwn(own, key)) continue;
      throw new TypeError(`load_state_dict: state_dict: ${this.constructor.name} has no ${describe(key)}`);
    }
    checkRules('load_state_dict', state_dict, Object.fromEntries(rules));
  }

  /** Puts the fields of a state dict that was checked in place. */
  protected takeState(state_dict: Record<string, unknown>): void {
    Object.assign(this, state_dict);
  }

  /** What the fields in a state dict may be. */
  protected fieldRules(): Rules {
    const rates = listOf(finite, this.paramGroups.length);
    return {
      base_lrs: rates,
      last_epoch: wholeNumber,
      _step_count: count,
      _is_initial: flag,
      _get_lr_called_within_step: flag,
      _last_lr: rates,
    };
  }

  /** Does a change whole or not at all: after an error the scheduler and the groups are as they were. */
  protected allOrNothing(change: () => void): void {
    const undo = this._noted();
    try {
      change();
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** Notes the scheduler and the groups as they are; what it returns puts them back. @internal */
  _noted(): () => void {
    const fields = { ...(this as object) };
    const groups = this.paramGroups.map((group) => ({ group, options: { ...group }, lr: copyOf(group.lr) }));
    return () => {
      putBack(this, fields);
      for (const { group, options, lr } of groups) {
        putBack(group, options);
        if (lr instanceof Tensor) fillNumber(group.lr as Tensor, numberOf('lr', lr));
      }
    };
  }

  /** Warns of a call of `get_lr` from outside. */
  protected warnOutsideStep(): void {
    if (this._get_lr_called_within_step) return;
    warnOnce('get_lr', 'To get the last learning rate computed by the scheduler, please use `get_last_lr()`.');
  }
}

/** Sets a group's learning rate. A tensor is written to: the user may hold it. @internal */
export function setRate(group: Group, rate: Hyper): void {
  if (group.lr instanceof Tensor) fill_(group.lr, numberOf('lr', rate));
  else group.lr = copyOf(rate);
}

/** Warns of a call of `step` with an epoch. @internal */
export function warnEpoch(): void {
  warnOnce(
    'step epoch',
    'The epoch parameter of `scheduler.step()` is deprecated: the closed form of the schedule is used, where it has one. ' +
      'Please use `scheduler.step()`.',
  );
}

function putBack(object: object, fields: object): void {
  for (const key of Object.keys(object)) if (!Object.hasOwn(fields, key)) Reflect.deleteProperty(object, key);
  Object.assign(object, fields);
}
