import type { ListRow } from '../backend/frame.js';
import { pool } from '../backend/index.js';
import { profiling } from '../backend/recorder.js';
import { enable_grad, no_grad } from '../autograd/mode.js';
import { addHook, type RemovableHandle } from '../autograd/node.js';
import { clone, copy_, to } from '../ops/convert.js';
import { full } from '../ops/creation.js';
import { zeroGrad } from '../ops/zero_grad.js';
import { checkOptions, defineOptions } from '../options.js';
import { float32 } from '../tensor/dtype.js';
import { describe, memoryOf, Tensor } from '../tensor/tensor.js';
import type { Algorithm, ByClosure, ByOps } from './algorithm.js';
import { checkRules, pythonForm, type Given, type Hyper } from './rules.js';
import { packState, readState, type OptimizerStateDict } from './state_dict.js';
import { checkUpdate, factorOf, flatGradient, runRows, scaled, sparseUpdates } from './update.js';

export type { Algorithm, ByClosure, ByOps } from './algorithm.js';

/** What an optimizer keeps for a parameter, under PyTorch's names. */
export type ParamState = Record<string, StateValue>;

/** One value of it. */
export type StateValue = Tensor | number | null | StateValue[];

/** What is optimized: tensors, or pairs of a name and a tensor. */
export type Params = Iterable<Tensor | readonly [string, Tensor]>;

/** A group of parameters with its own options, as it is given. */
export type ParamGroupInput<O> = { params: Tensor | Params; initial_lr?: Hyper } & Given<O>;

/** A group of parameters with all its options. */
export type ParamGroup<O = object> = O & { params: Tensor[]; param_names?: string[]; initial_lr?: Hyper };

/** Called before `step` with its arguments, which it may replace. */
export type StepPreHook = (optimizer: Optimizer, args: unknown[]) => unknown[] | void;
/** Called after `step` with its arguments. */
export type StepPostHook = (optimizer: Optimizer, args: unknown[]) => void;
/** Called with a state dict, which it may change or replace. */
export type StateDictHook = (optimizer: Optimizer, state_dict: OptimizerStateDict) => OptimizerStateDict | void;
/** Called with the optimizer alone. */
export type OptimizerHook = (optimizer: Optimizer) => void;

/** Whether a state hook comes before those registered earlier. */
interface HookOptions {
  prepend?: boolean;
}

const zeroGradOptions = defineOptions('optim.Optimizer.zero_grad', { set_to_none: true });

/** The state of a parameter, made empty where there is none. @internal */
export function stateOf(states: Map<Tensor, ParamState>, param: Tensor): ParamState {
  let state = states.get(param);
  if (state === undefined) states.set(param, (state = {}));
  return state;
}

/** A state tensor of the parameter's shape, at first filled with `value`. @internal */
export function slot(state: ParamState, name: string, param: Tensor, value = 0): Tensor {
  return (state[name] ??= full(param._dims, value, { dtype: param._dtype })) as Tensor;
}

/** A number of the state, at first `value`: a float32 tensor, as PyTorch's. @internal */
export function counter(state: ParamState, name: string, value: number): number {
  const kept = (state[name] ??= full([], value, { dtype: float32 })) as Tensor;
  return (memoryOf(kept) as Float32Array)[kept._offset];
}

/** Changes a number of the state, and returns it as it was rounded. @internal */
export function count(state: ParamState, name: string, value: number): number {
  const kept = state[name] as Tensor;
  kept._storage.version++;
  (memoryOf(kept) as Float32Array)[kept._offset] = value;
  return counter(state, name, value);
}

/** Counts a step, and returns its number. @internal */
export function advance(state: ParamState): number {
  const step = (state.step ??= full([], 0, { dtype: float32 })) as Tensor;
  step._storage.version++;
  const memory = memoryOf(step) as Float32Array;
  memory[step._offset]++;
  return memory[step._offset];
}

/**
 * The base of all optimizers: parameter groups, state, hooks and state dicts. PyTorch: `torch.optim.Optimizer`.
 * @throws TypeError or RangeError for parameters that are not leaf tensors, that come twice or are none at all, and for
 * options that are unknown or out of range.
 */
export class Optimizer<O extends object = object> {
  /** The groups: plain objects with the options of each, and its parameters under `params`. */
  param_groups: ParamGroup<O>[] = [];
  /** What is kept for each parameter; made by the first step that meets its gradient. */
  state = new Map<Tensor, ParamState>();
  /** How often `step` was called. @internal */
  _steps = 0;
  /** What a step multiplies gradients by. @internal */
  _gradScale = 1;

  private readonly stepPreHooks: StepPreHook[] = [];
  private readonly stepPostHooks: StepPostHook[] = [];
  private readonly stateDictPreHooks: OptimizerHook[] = [];
  private readonly stateDictPostHooks: StateDictHook[] = [];
  private readonly loadPreHooks: StateDictHook[] = [];
  private readonly loadPostHooks: OptimizerHook[] = [];

  constructor(
    params: Params | Iterable<ParamGroupInput<O>>,
    /** The options of groups that do not bring their own. */
    readonly defaults: O,
    private readonly algorithm: Algorithm<O> | ByOps<O> | ByClosure<O>,
  ) {
    const name = this.constructor.name;
    if (params instanceof Tensor || typeof (params as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function') {
      throw new TypeError(`${name}: params: expected an iterable of Tensors or of groups, got ${describe(params)}`);
    }
    algorithm.complete?.(defaults);
    checkRules(name, defaults, algorithm.rules);
    algorithm.check?.(defaults, name);
    const given = [...(params as Iterable<unknown>)];
    if (given.length === 0) throw new RangeError(`${name}: params: optimizer got an empty parameter list`);
    const grouped = !(given[0] instanceof Tensor) && !Array.isArray(given[0]) && typeof given[0] === 'object';
    const groups = (grouped ? given : [{ params: given }]) as ParamGroupInput<O>[];
    for (const group of groups) this.add_param_group(group);
  }

  /**
   * Adds a group of parameters; options it does not name are the defaults. PyTorch: `Optimizer.add_param_group`.
   * @throws TypeError or RangeError as the constructor does; the groups are then unchanged.
   */
  add_param_group(param_group: ParamGroupInput<O>): void {
    const name = this.constructor.name;
    if (typeof param_group !== 'object' || param_group === null || Symbol.iterator in param_group) {
      throw new TypeError(`${name}: params: expected a group such as { params, lr }, got ${describe(param_group)}`);
    }
    checkOptions(name, param_group, { params: null, ...this.defaults, initial_lr: null });
    const { tensors, names } = this.readParams(param_group.params);
    tensors.forEach((param) => this.algorithm.checkParam?.(param));
    const group = { ...this.defaults, ...param_group, params: tensors } as ParamGroup<O>;
    if (names.length > 0) group.param_names = names;
    this.algorithm.complete?.(group);
    checkRules(name, group, this.algorithm.rules);
    const known = new Set(this.param_groups.flatMap((other) => other.params));
    if (tensors.some((t) => known.has(t))) {
      throw new RangeError(`${name}: params: some parameters appear in more than one parameter group`);
    }
    if (this.param_groups.some((other) => (other.param_names === undefined) !== (group.param_names === undefined))) {
      throw new TypeError(`${name}: params: expected all parameter groups with names, or all without`);
    }
    this.param_groups.push(group);
  }

  private readParams(params: Tensor | Params): { tensors: Tensor[]; names: string[] } {
    const name = this.constructor.name;
    if (!(params instanceof Tensor) && typeof (params as Params | undefined)?.[Symbol.iterator] !== 'function') {
      throw new TypeError(`${name}: params: expected an iterable of Tensors, got ${describe(params)}`);
    }
    const tensors: Tensor[] = [];
    const names: string[] = [];
    for (const item of params instanceof Tensor ? [params] : params) {
      const named = Array.isArray(item) && item.length === 2 && typeof item[0] === 'string';
      const param: unknown = named ? item[1] : item;
      if (!(param instanceof Tensor)) {
        throw new TypeError(`${name}: params: optimizer can only optimize Tensors, got ${describe(param)}`);
      }
      const { differentiable } = this.defaults as { differentiable?: boolean };
      if (!differentiable && !param.is_leaf && !param.retains_grad) {
        throw new TypeError(`${name}: params: can't optimize a non-leaf Tensor`);
      }
      if (named) names.push(item[0]);
      tensors.push(param);
    }
    if (names.length > 0 && names.length < tensors.length) {
      throw new TypeError(`${name}: params: expected all parameters with names, or all without`);
    }
    if (new Set(tensors).size < tensors.length) {
      throw new RangeError(`${name}: params: some parameters appear more than once in a parameter group`);
    }
    return { tensors, names };
  }

  /**
   * Updates the parameters that have a gradient. PyTorch: `Optimizer.step`.
   * @param closure Evaluates the model anew and returns the loss, which is then what `step` returns.
   * @throws TypeError or RangeError if a gradient or a state tensor does not fit its parameter; nothing is then changed.
   */
  step(): null;
  step<T>(closure: (() => T) | null): T;
  step<T>(closure: (() => T) | null = null): T | null {
    const { recorder } = profiling;
    if (recorder === null) return this.takeStep(closure);
    return recorder.time(`Optimizer.step#${this.constructor.name}.step`, () => this.takeStep(closure));
  }

  private takeStep<T>(closure: (() => T) | null): T | null {
    let args: unknown[] = [closure];
    for (const hook of this.stepPreHooks) {
      const result: unknown = hook(this, args);
      if (result === undefined || result === null) continue;
      if (!Array.isArray(result)) {
        throw new TypeError(`step: a pre-hook must return nothing or an array of arguments, got ${describe(result)}`);
      }
      args = result;
    }
    const evaluate = args[0] as (() => T) | null | undefined;
    if (evaluate != null && typeof evaluate !== 'function') {
      throw new TypeError(`step: closure: expected a function or null, got ${describe(evaluate)}`);
    }
    this._steps++;
    const loss = this.runUpdate(evaluate ?? null);
    pool.safepoint();
    for (const hook of this.stepPostHooks) hook(this, args);
    return loss;
  }

  /** Evaluates the closure and updates the parameters. */
  private runUpdate<T>(closure: (() => T) | null): T | null {
    const { algorithm, defaults } = this;
    if ('minimize' in algorithm) {
      if (closure === null) throw new TypeError('step: closure: expected a function that evaluates the loss, got null');
      const [group] = this.param_groups;
      return no_grad(() => algorithm.minimize(closure, group, stateOf(this.state, group.params[0])));
    }
    const loss = closure === null ? null : enable_grad(closure);
    if (!('kernel' in algorithm)) no_grad(() => this.updateEach(algorithm));
    else if ((defaults as { differentiable?: boolean }).differentiable) enable_grad(() => this.updateByOps(algorithm));
    else no_grad(() => this.updateByKernel(algorithm));
    for (const group of this.param_groups) algorithm.stepped?.(group);
    return loss;
  }

  private updateByKernel(algorithm: Algorithm<O>): void {
    checkUpdate(this.constructor.name, this.param_groups, this.state, algorithm);
    // All rows before the first call: what is wrong with a later group must not leave an earlier one updated.
    const makers = this.param_groups.map((group) => algorithm.rows(group, factorOf(group, this._gradScale)));
    const single: ListRow[] = [];
    const double: ListRow[] = [];
    for (let i = 0; i < makers.length; i++) {
      const makeRow = makers[i];
      for (const param of this.param_groups[i].params) {
        const grad = param._grad;
        if (grad === null || grad.is_sparse) continue;
        const row = makeRow(param, flatGradient(grad, param), this.state);
        if (param._dtype === float32) single.push(row);
        else double.push(row);
      }
    }
    const updateSparse = sparseUpdates(this.param_groups, algorithm, (param) => stateOf(this.state, param));
    if (single.length > 0) runRows(algorithm.kernel, single);
    if (double.length > 0) runRows(algorithm.kernel, double);
    updateSparse();
  }

  private updateByOps(algorithm: Algorithm<O>): void {
    checkUpdate(this.constructor.name, this.param_groups, this.state, algorithm);
    for (const group of this.param_groups) algorithm.rows(group, 1); // refuses options that are no numbers
    for (const group of this.param_groups) {
      for (const param of group.params) {
        // By `grad`, which keeps zero_grad from reusing its memory: the graph may have saved it.
        if (param.grad === null) continue;
        const ownState = (): ParamState => stateOf(this.state, param);
        copy_(param, algorithm.updated(clone(param), scaled(param.grad, this._gradScale), group, ownState));
      }
    }
  }

  private updateEach(algorithm: ByOps<O>): void {
    checkUpdate(this.constructor.name, this.param_groups, this.state, algorithm);
    // All options before the first update, as with the rows.
    const updates = this.param_groups.map((group) => algorithm.update?.(group));
    const updateSparse = sparseUpdates(this.param_groups, algorithm, (param) => stateOf(this.state, param));
    this.param_groups.forEach(({ params }, i) => {
      for (const param of params) {
        const grad = param._grad;
        if (grad === null || grad.is_sparse) continue;
        updates[i]!(param, scaled(to(grad, param._dtype), this._gradScale), stateOf(this.state, param));
      }
    });
    updateSparse();
  }

  /**
   * Drops the gradients of all parameters. PyTorch: `Optimizer.zero_grad`.
   * @param options.set_to_none False to fill the gradients with zeros instead. Default true.
   */
  zero_grad(options?: { set_to_none?: boolean }): void {
    const { set_to_none } = zeroGradOptions(options);
    for (const { params } of this.param_groups) for (const param of params) zeroGrad(param, set_to_none);
  }

  /**
   * The state by the parameters' numbers, and the groups with those numbers for parameters: plain data that
   * `load_state_dict` and `torch.save` take. The tensors in it are the optimizer's own. PyTorch: `Optimizer.state_dict`.
   */
  state_dict(): OptimizerStateDict {
    const self = this as unknown as Optimizer;
    for (const hook of this.stateDictPreHooks) hook(self);
    let dict = packState(this.state, this.param_groups);
    for (const hook of this.stateDictPostHooks) dict = hook(self, dict) ?? dict;
    return dict;
  }

  /**
   * Takes over the state and the options of a state dict; tensors are copied, in the dtype of their parameter. PyTorch:
   * `Optimizer.load_state_dict`.
   * @throws TypeError or RangeError if it does not fit the parameter groups; nothing is then changed.
   */
  load_state_dict(state_dict: OptimizerStateDict): void {
    const self = this as unknown as Optimizer;
    let dict = { ...state_dict };
    for (const hook of this.loadPreHooks) dict = hook(self, dict) ?? dict;
    const { groups, state } = readState(dict, this.param_groups, this.algorithm);
    const loaded = groups as ParamGroup<O>[];
    for (const group of loaded) {
      this.algorithm.complete?.(group);
      checkRules(this.constructor.name, group, this.algorithm.rules);
    }
    const { algorithm } = this;
    if ('checkState' in algorithm) {
      const [{ params }] = loaded;
      for (const own of state.values()) algorithm.checkState('load_state_dict: state[0]', own, params);
    }
    this.param_groups = loaded;
    this.state = state;
    for (const hook of this.loadPostHooks) hook(self);
  }

  /** Registers a function called before each step; it may return new arguments. PyTorch: `register_step_pre_hook`. */
  register_step_pre_hook(hook: StepPreHook): RemovableHandle {
    return addHook(this.stepPreHooks, hook, 'register_step_pre_hook');
  }

  /** Registers a function called after each step. PyTorch: `register_step_post_hook`. */
  register_step_post_hook(hook: StepPostHook): RemovableHandle {
    return addHook(this.stepPostHooks, hook, 'register_step_post_hook');
  }

  /** Registers a function called before `state_dict`. PyTorch: `register_state_dict_pre_hook`. */
  register_state_dict_pre_hook(hook: OptimizerHook, options?: HookOptions): RemovableHandle {
    return addStateHook(this.stateDictPreHooks, hook, 'register_state_dict_pre_hook', options);
  }

  /** Registers a function called with the result of `state_dict`, which it may replace. PyTorch: `register_state_dict_post_hook`. */
  register_state_dict_post_hook(hook: StateDictHook, options?: HookOptions): RemovableHandle {
    return addStateHook(this.stateDictPostHooks, hook, 'register_state_dict_post_hook', options);
  }

  /** Registers a function called with what `load_state_dict` is to load, which it may replace. PyTorch: `register_load_state_dict_pre_hook`. */
  register_load_state_dict_pre_hook(hook: StateDictHook, options?: HookOptions): RemovableHandle {
    return addStateHook(this.loadPreHooks, hook, 'register_load_state_dict_pre_hook', options);
  }

  /** Registers a function called after `load_state_dict`. PyTorch: `register_load_state_dict_post_hook`. */
  register_load_state_dict_post_hook(hook: OptimizerHook, options?: HookOptions): RemovableHandle {
    return addStateHook(this.loadPostHooks, hook, 'register_load_state_dict_post_hook', options);
  }

  /** PyTorch's printed form: the options of each group. */
  toString(): string {
    const groups = this.param_groups.map((group, i) => {
      const keys = Object.keys(group).filter((key) => key !== 'params');
      const lines = keys.sort().map((key) => `    ${key}: ${pythonForm((group as Record<string, unknown>)[key])}\n`);
      return `\nParameter Group ${i}\n${lines.join('')}`;
    });
    return `${this.constructor.name} (${groups.join('')})`;
  }

  /** What `console.log` prints. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

function addStateHook<T>(hooks: T[], hook: T, name: string, options: HookOptions = {}): RemovableHandle {
  checkOptions(name, options, { prepend: false });
  const handle = addHook(hooks, hook, name);
  if (options.prepend) hooks.unshift(hooks.pop() as T);
  return handle;
}
