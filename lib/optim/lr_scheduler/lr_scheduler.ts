import { fillNumber } from '../../ops/creation.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { Optimizer, type ParamGroup } from '../optimizer.js';
import { numberOf, type Hyper } from '../rules.js';

type Group = ParamGroup<{ lr: Hyper }>;

/** Any optimizer that has learning rates. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyOptimizer = Optimizer<any>;

/**
 * The base of all learning-rate schedulers. Rates are numbers, also where a group's is a tensor. A subclass states `get_lr`, and `_get_closed_form_lr` where there is one; its
 * fields, which are its state dict, must be set before `_initial_step` is called. PyTorch:
 * `torch.optim.lr_scheduler.LRScheduler`.
 */
export abstract class LRScheduler {
  /** The learning rates the schedule starts from, one a group. */
  base_lrs: number[] = [];
  /** How many epochs have passed. */
  last_epoch = -1;
  /** @internal */ _step_count = 0;
  /** @internal */ _is_initial = false;
  /** @internal */ _get_lr_called_within_step = false;
  /** @internal */ _last_lr: number[] = [];
  /** The optimizer's steps before this scheduler was made. */
  readonly #stepsBefore: number;

  /** @throws TypeError if `optimizer` is none. */
  constructor(
    /** The optimizer whose learning rates are scheduled. */
    readonly optimizer: AnyOptimizer,
  ) {
    if (!(optimizer instanceof Optimizer)) {
      throw new TypeError(`${this.constructor.name}: optimizer: expected an Optimizer, got ${describe(optimizer)}`);
    }
    this.#stepsBefore = optimizer._steps;
  }

  /** The next learning rates, one a group: called by `step`, once `last_epoch` is the new epoch. PyTorch: `get_lr`. */
  abstract get_lr(): number[];

  /** The learning rates at `last_epoch`, from `base_lrs` alone. */
  _get_closed_form_lr?(): number[];

  /**
   * Notes the learning rates to start from, and sets those of the first epoch: the last thing a constructor does.
   * @param last_epoch The epoch to go on from, or -1 to begin.
   * @throws TypeError if `last_epoch` is not an integer >= -1; Error if it is not -1 and a group has no `initial_lr`.
   */
  protected _initial_step(last_epoch: number): void {
    const name = this.constructor.name;
    if (!Number.isSafeInteger(last_epoch) || last_epoch < -1) {
      throw new TypeError(`${name}: last_epoch: expected an integer >= -1, got ${describe(last_epoch)}`);
    }
    this.paramGroups.forEach((group, i) => {
      if (last_epoch === -1) group.initial_lr ??= numberOf('lr', group.lr);
      else if (group.initial_lr === undefined) {
        throw new Error(
          `${name}: param 'initial_lr' is not specified in param_groups[${i}] when resuming with last_epoch >= 0: ` +
            "load the optimizer's state first",
        );
      }
    });
    this.base_lrs = this.paramGroups.map((group) => numberOf('initial_lr', group.initial_lr));
    this.last_epoch = last_epoch;
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
  protected currentRates(): number[] {
    return this.paramGroups.map((group) => numberOf('lr', group.lr));
  }

  /**
   * Sets the learning rates of the next epoch; to be called after the optimizer's `step`. PyTorch: `LRScheduler.step`.
   * @param epoch The epoch to go to instead, by the closed form where there is one.
   */
  step(epoch: number | null = null): void {
    if (epoch !== null && !Number.isSafeInteger(epoch)) {
      throw new TypeError(`step: epoch: expected an integer, got ${describe(epoch)}`);
    }
    if (this._step_count === 1 && this.optimizer._steps === this.#stepsBefore) {
      process.emitWarning(
        'Detected call of `lr_scheduler.step()` before `optimizer.step()`: call them in the opposite order, or the first ' +
          'value of the learning rate schedule is skipped.',
      );
    }
    this._step_count++;
    this.last_epoch = epoch ?? this.last_epoch + 1;
    this._get_lr_called_within_step = true;
    let rates: number[];
    try {
      rates = epoch === null ? this.get_lr() : (this._get_closed_form_lr?.() ?? this.get_lr());
    } finally {
      this._get_lr_called_within_step = false;
    }
    this.paramGroups.forEach((group, i) => {
      // A tensor is written to: the user may hold it.
      if (group.lr instanceof Tensor) fillRate(group.lr, rates[i]);
      else group.lr = rates[i];
    });
    this._last_lr = this.currentRates();
  }

  /** The learning rates that the last `step` set, one a group. PyTorch: `get_last_lr`. */
  get_last_lr(): number[] {
    return this._last_lr;
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
    if (typeof state_dict !== 'object' || state_dict === null) {
      throw new TypeError(`load_state_dict: state_dict: expected an object, got ${describe(state_dict)}`);
    }
    const own = this.state_dict();
    for (const [key, value] of Object.entries(state_dict)) {
      if (!Object.hasOwn(own, key)) {
        throw new TypeError(`load_state_dict: state_dict: ${this.constructor.name} has no ${describe(key)}`);
      }
      if (!isLike(value, own[key])) {
        throw new TypeError(`load_state_dict: ${key}: expected one like ${describe(own[key])}, got ${describe(value)}`);
      }
    }
    const merged = { ...own, ...state_dict };
    this.checkState?.(merged);
    const { base_lrs, _last_lr } = merged as unknown as LRScheduler;
    if (base_lrs.length !== this.paramGroups.length || _last_lr.length !== this.paramGroups.length) {
      throw new RangeError(
        `load_state_dict: base_lrs: expected ${this.paramGroups.length} of them, one a parameter group`,
      );
    }
    Object.assign(this, state_dict);
  }

  /** Refuses fields that the constructor would refuse. @throws TypeError or RangeError. */
  protected checkState?(state: Record<string, unknown>): void;

  /** Warns of a call of `get_lr` from outside. */
  protected warnOutsideStep(): void {
    if (this._get_lr_called_within_step) return;
    process.emitWarning('To get the last learning rate computed by the scheduler, please use `get_last_lr()`.');
  }
}

/** Whether a loaded field is of the kind of the present one; numbers have to be finite. */
function isLike(value: unknown, own: unknown): boolean {
  if (Array.isArray(own)) return Array.isArray(value) && value.every(Number.isFinite);
  return typeof own === 'number' ? Number.isFinite(value) : typeof value === typeof own;
}

function fillRate(lr: Tensor, value: number): void {
  fillNumber(lr, value);
  lr._storage.version++;
}
