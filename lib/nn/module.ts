import { float32, float64 } from '../tensor/dtype.js';
import { describe, Tensor } from '../tensor/tensor.js';
import { addHook, type RemovableHandle } from '../autograd/node.js';
import { zeroGrad } from '../ops/zero_grad.js';
import { defineOptions } from '../options.js';
import { convert, type ToTarget } from './convert.js';
import { forwardWithHooks, ModuleHooks } from './hooks.js';
import type * as H from './hooks.js';
import { Buffer, Parameter } from './parameter.js';
import { loadState, type LoadOptions } from './state.js';
import { indent } from './repr.js';

const optionsOf = {
  named: defineOptions('nn.Module.named_parameters', { prefix: '', recurse: true, remove_duplicate: true }),
  namedBuffers: defineOptions('nn.Module.named_buffers', { prefix: '', recurse: true, remove_duplicate: true }),
  namedModules: defineOptions('nn.Module.named_modules', { prefix: '', remove_duplicate: true }),
  parameters: defineOptions('nn.Module.parameters', { recurse: true }),
  buffers: defineOptions('nn.Module.buffers', { recurse: true }),
  modules: defineOptions('nn.Module.modules', { remove_duplicate: true }),
  register_buffer: defineOptions('nn.Module.register_buffer', { persistent: true }),
  state_dict: defineOptions('nn.Module.state_dict', {
    destination: null as StateDict | null,
    prefix: '',
    keep_vars: false,
  }),
  zero_grad: defineOptions('nn.Module.zero_grad', { set_to_none: true }),
  forwardHook: defineOptions('nn.Module.register_forward_hook', { prepend: false, always_call: false }),
  forwardPreHook: defineOptions('nn.Module.register_forward_pre_hook', { prepend: false }),
  backwardHook: defineOptions('nn.Module.register_full_backward_hook', { prepend: false }),
  backwardPreHook: defineOptions('nn.Module.register_full_backward_pre_hook', { prepend: false }),
};

/** A module's parameters and buffers by their names, as {@link Module.state_dict} gives them. */
export type StateDict = Record<string, Tensor>;

/** Options of {@link Module.named_parameters} and {@link Module.named_buffers}. */
export interface NamedOptions {
  /** What the names begin with. Default none. */
  prefix?: string;
  /** Also those of the modules within. Default true. */
  recurse?: boolean;
  /** Leave out what was there before. Default true. */
  remove_duplicate?: boolean;
}

/**
 * The base of all neural network modules. PyTorch: `torch.nn.Module`.
 *
 * A subclass assigns its parameters ({@link Parameter}), its modules and (by {@link register_buffer}) its buffers to
 * properties of its own, and defines `forward`. A module is called by `module.forward(x)`; hooks run there too.
 * The order of parameters is that in which the properties were first assigned.
 *
 * What is a generator in PyTorch (`parameters`, `children`, …) is an array here: it can be walked more than once.
 */
export class Module {
  /** Whether the module is in training mode: it makes a difference to Dropout, for one. */
  training = true;
  /** The names of registered buffers and whether they are persistent. @internal */
  _buffers: Map<string, boolean> | null = null;
  /** Names of parts in their order, where it may not be that of the properties: an object has numbers first. @internal */
  _order: Set<string> | null = null;
  /** @internal */
  _hooks: ModuleHooks | null = null;

  /**
   * What the module computes; every subclass has its own.
   * @throws Error here.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any, @typescript-eslint/no-unused-vars -- subclasses say what they take and give
  forward(..._input: any[]): any {
    throw new Error(`Module [${this._get_name()}] is missing the required "forward" function`);
  }

  // What is private has an underscore: other names are left to the properties of subclasses.

  /** The names of the properties that may hold parameters, buffers and modules, in their order. */
  private _names(): string[] {
    const names = Object.keys(this);
    const order = this._order;
    return order === null ? names : [...order, ...names.filter((name) => !order.has(name))];
  }

  /** @internal */
  _get_name(): string {
    return this.constructor.name;
  }

  private _property(name: string): unknown {
    return (this as unknown as Record<string, unknown>)[name];
  }

  private _ownOf<T>(is: (value: unknown, name: string) => value is T): [string, T][] {
    const found: [string, T][] = [];
    for (const name of this._names()) {
      const value = this._property(name);
      if (is(value, name)) found.push([name, value]);
    }
    return found;
  }

  /** Its own parameters. @internal */
  _ownParameters(): [string, Parameter][] {
    return this._ownOf((value) => value instanceof Parameter);
  }

  /** Its own buffers. @internal */
  _ownBuffers(): [string, Tensor][] {
    return this._ownOf(
      (value, name): value is Tensor =>
        value instanceof Buffer ||
        (value instanceof Tensor && !(value instanceof Parameter) && this._buffers?.has(name) === true),
    );
  }

  /** What its own part of a state consists of: parameters, then persistent buffers. @internal */
  _ownState(): [string, Tensor][] {
    const buffers = this._ownBuffers().filter(
      ([name, buffer]) => this._buffers?.get(name) ?? (buffer as Buffer).persistent,
    );
    return [...this._ownParameters(), ...buffers];
  }

  /** Its own modules, also those that are there twice. @internal */
  _ownModules(): [string, Module][] {
    return this._ownOf((value) => value instanceof Module);
  }

  /** The modules within it, not those within these, with their names. PyTorch: `Module.named_children`. */
  named_children(): [string, Module][] {
    const seen = new Set<Module>();
    return this._ownModules().filter(([, module]) => !seen.has(module) && seen.add(module));
  }

  /** The modules within it, not those within these. PyTorch: `Module.children`. */
  children(): Module[] {
    return this.named_children().map(([, module]) => module);
  }

  /** The module itself and all within it, with their names. PyTorch: `Module.named_modules`. */
  named_modules(options?: { prefix?: string; remove_duplicate?: boolean }): [string, Module][] {
    const { prefix, remove_duplicate } = optionsOf.namedModules(options);
    return this._tree(prefix, remove_duplicate);
  }

  private _tree(prefix: string, remove_duplicate: boolean): [string, Module][] {
    const found: [string, Module][] = [];
    const seen = new Set<Module>();
    const walk = (module: Module, name: string): void => {
      if (seen.has(module)) return;
      if (remove_duplicate) seen.add(module);
      found.push([name, module]);
      for (const [key, child] of module._ownModules()) walk(child, joined(name, key));
    };
    walk(this, prefix);
    return found;
  }

  /** The module itself and all within it. PyTorch: `Module.modules`. */
  modules(options?: { remove_duplicate?: boolean }): Module[] {
    return this._tree('', optionsOf.modules(options).remove_duplicate).map(([, module]) => module);
  }

  private _members<T>(own: (module: Module) => [string, T][], options: Required<NamedOptions>): [string, T][] {
    const { prefix, recurse, remove_duplicate } = options;
    const modules: [string, Module][] = recurse ? this._tree(prefix, remove_duplicate) : [[prefix, this]];
    const seen = new Set<T>();
    const found: [string, T][] = [];
    for (const [name, module] of modules) {
      for (const [key, member] of own(module)) {
        if (seen.has(member)) continue;
        if (remove_duplicate) seen.add(member);
        found.push([joined(name, key), member]);
      }
    }
    return found;
  }

  /** The parameters with their names. PyTorch: `Module.named_parameters`. */
  named_parameters(options?: NamedOptions): [string, Parameter][] {
    return this._members(ownParameters, optionsOf.named(options));
  }

  /** The parameters: what an optimizer takes. PyTorch: `Module.parameters`. */
  parameters(options?: { recurse?: boolean }): Parameter[] {
    const { recurse } = optionsOf.parameters(options);
    return this._members(ownParameters, { prefix: '', recurse, remove_duplicate: true }).map(([, p]) => p);
  }

  /** The buffers with their names. PyTorch: `Module.named_buffers`. */
  named_buffers(options?: NamedOptions): [string, Tensor][] {
    return this._members(ownBuffers, optionsOf.namedBuffers(options));
  }

  /** The buffers. PyTorch: `Module.buffers`. */
  buffers(options?: { recurse?: boolean }): Tensor[] {
    const { recurse } = optionsOf.buffers(options);
    return this._members(ownBuffers, { prefix: '', recurse, remove_duplicate: true }).map(([, b]) => b);
  }

  /**
   * The module at a dotted path such as `net.0`; the module itself for an empty one. PyTorch: `Module.get_submodule`.
   * @throws Error if there is none.
   */
  get_submodule(target: string): Module {
    return this._descend('get_submodule', target);
  }

  private _descend(name: string, path: string): Module {
    if (typeof path !== 'string') throw new TypeError(`${name}: target: expected a string, got ${describe(path)}`);
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- where the walk begins
    let module: Module = this;
    for (const key of path === '' ? [] : path.split('.')) {
      const next = Object.hasOwn(module, key) ? module._property(key) : undefined;
      if (!(next instanceof Module)) throw new Error(`${name}: target: ${module._get_name()} has no module '${key}'`);
      module = next;
    }
    return module;
  }

  private _find<T>(name: string, what: string, target: string, own: (module: Module) => [string, T][]): T {
    if (typeof target !== 'string') throw new TypeError(`${name}: target: expected a string, got ${describe(target)}`);
    const dot = target.lastIndexOf('.');
    const module = this._descend(name, target.slice(0, Math.max(dot, 0)));
    const key = target.slice(dot + 1);
    const found = own(module).find(([name]) => name === key);
    if (found === undefined) throw new Error(`${name}: target: ${module._get_name()} has no ${what} '${key}'`);
    return found[1];
  }

  /** The parameter at a dotted path such as `0.weight`. PyTorch: `Module.get_parameter`. @throws Error if there is none. */
  get_parameter(target: string): Parameter {
    return this._find('get_parameter', 'parameter', target, ownParameters);
  }

  /** The buffer at a dotted path. PyTorch: `Module.get_buffer`. @throws Error if there is none. */
  get_buffer(target: string): Tensor {
    return this._find('get_buffer', 'buffer', target, ownBuffers);
  }

  private _checkName(method: string, name: string): void {
    if (typeof name !== 'string') throw new TypeError(`${method}: name: expected a string, got ${describe(name)}`);
    if (name === '' || name.includes('.')) {
      throw new RangeError(`${method}: name: expected a name without dots that is not empty, got ${describe(name)}`);
    }
    const before = this._property(name);
    if (before != null && !(before instanceof Module) && !(before instanceof Tensor))
      throw new Error(`${method}: name: attribute '${name}' already exists`);
  }

  private _assign(name: string, value: unknown): void {
    (this as unknown as Record<string, unknown>)[name] = value;
  }

  /** The same as assigning a module to a property. PyTorch: `Module.add_module`. */
  add_module(name: string, module: Module | null): void {
    if (module !== null && !(module instanceof Module))
      throw new TypeError(`add_module: module: expected a Module or null, got ${describe(module)}`);
    this._checkName('add_module', name);
    this._assign(name, module);
  }

  /** Another name of {@link add_module}. */
  register_module(name: string, module: Module | null): void {
    this.add_module(name, module);
  }

  /** The same as assigning a parameter to a property. PyTorch: `Module.register_parameter`. */
  register_parameter(name: string, param: Parameter | null): void {
    if (param !== null && !(param instanceof Parameter)) {
      throw new TypeError(`register_parameter: param: expected a Parameter or null, got ${describe(param)}`);
    }
    this._checkName('register_parameter', name);
    this._assign(name, param);
  }

  /**
   * Makes a tensor part of the module that is no parameter, such as a running mean. What is assigned to the property later
   * takes its place. PyTorch: `Module.register_buffer`.
   * @param options.persistent Whether it is part of the module's state. Default true.
   */
  register_buffer(name: string, tensor: Tensor | null, options?: { persistent?: boolean }): void {
    const { persistent } = optionsOf.register_buffer(options);
    if (tensor !== null && !(tensor instanceof Tensor))
      throw new TypeError(`register_buffer: tensor: expected a Tensor or null, got ${describe(tensor)}`);
    this._checkName('register_buffer', name);
    this._assign(name, tensor);
    (this._buffers ??= new Map()).set(name, persistent);
  }

  /**
   * The module's parameters and persistent buffers by their names, and those of the modules within: tensors outside the
   * graph that share memory with them. PyTorch: `Module.state_dict`.
   * @param options.destination An object to add to. Default a new one.
   * @param options.prefix What the names begin with, e.g. `model.`.
   * @param options.keep_vars Give the parameters and buffers themselves. Default false.
   */
  state_dict(options?: { destination?: StateDict | null; prefix?: string; keep_vars?: boolean }): StateDict {
    const { destination, prefix, keep_vars } = optionsOf.state_dict(options);
    const state = destination ?? {};
    for (const hook of this._hooks?.stateDictPre ?? []) hook(this, prefix, keep_vars);
    for (const [name, tensor] of this._ownState()) state[prefix + name] = keep_vars ? tensor : tensor.detach();
    for (const [name, module] of this._ownModules()) {
      module.state_dict({ destination: state, prefix: `${prefix}${name}.`, keep_vars });
    }
    for (const hook of this._hooks?.stateDictPost ?? []) hook(this, state, prefix, {});
    return state;
  }

  /**
   * Copies a state into the module's parameters and buffers. All of it is checked first: a state that does not fit changes
   * nothing. PyTorch: `Module.load_state_dict`.
   * @param options.strict Refuse a state with other names than the module's. Default true.
   * @param options.assign Take the state's tensors themselves instead of copying them: their dtypes stay, and an optimizer
   *   has to be made anew. Default false.
   * @throws Error that lists missing keys, unexpected keys and sizes that differ.
   */
  load_state_dict(state_dict: StateDict, options?: LoadOptions): H.IncompatibleKeys {
    return loadState(this, state_dict, options);
  }

  /** Puts the module and all within it into training mode, or out of it. PyTorch: `Module.train`. */
  train(mode = true): this {
    if (typeof mode !== 'boolean') throw new TypeError(`train: mode: expected a boolean, got ${describe(mode)}`);
    this.training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Puts the module and all within it into evaluation mode. PyTorch: `Module.eval`. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` with each module within, children first, and with the module itself. PyTorch: `Module.apply`. */
  apply(fn: (module: Module) => void): this {
    if (typeof fn !== 'function') throw new TypeError(`apply: fn: expected a function, got ${describe(fn)}`);
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Sets whether the parameters require gradients. PyTorch: `Module.requires_grad_`. */
  requires_grad_(requires_grad = true): this {
    for (const parameter of this.parameters()) parameter.requires_grad_(requires_grad);
    return this;
  }

  /** Forgets the gradients of the parameters, or makes them zero. PyTorch: `Module.zero_grad`. */
  zero_grad(options?: { set_to_none?: boolean }): void {
    const { set_to_none } = optionsOf.zero_grad(options);
    for (const parameter of this.parameters()) zeroGrad(parameter, set_to_none);
  }

  /**
   * Converts the parameters and buffers that are floating-point numbers. The parameters stay the same objects.
   * PyTorch: `Module.to`.
   * @param target A floating-point dtype, a tensor whose dtype to take, `'cpu'`, or `{ dtype, device }`.
   * @throws TypeError for another dtype or device.
   */
  to(target: ToTarget): this {
    convert(this, target);
    return this;
  }

  /** Converts floating-point parameters and buffers to float32. PyTorch: `Module.float`. */
  float(): this {
    return this.to(float32);
  }

  /** Converts floating-point parameters and buffers to float64. PyTorch: `Module.double`. */
  double(): this {
    return this.to(float64);
  }

  /** The module's hooks; with them, `forward` becomes a property of its own that runs them. */
  private _hooksOf(): ModuleHooks {
    return (this._hooks ??= new ModuleHooks());
  }

  /** Makes `forward` run the hooks. @internal */
  _watchForward(): ModuleHooks {
    const hooks = this._hooksOf();
    if (hooks.watching) return hooks;
    hooks.watching = true;
    const own = Object.getOwnPropertyDescriptor(this, 'forward')?.value as Module['forward'] | undefined;
    hooks.ownForward = own !== undefined;
    const prototype = Object.getPrototypeOf(this) as Module;
    const call = (args: unknown[]): unknown =>
      own === undefined ? prototype.forward.apply(this, args) : own.apply(this, args);
    Object.defineProperty(this, 'forward', {
      value: (...args: unknown[]) => forwardWithHooks(this, hooks, call, args),
      configurable: true,
      writable: true,
      enumerable: false,
    });
    return hooks;
  }

  /**
   * Registers a function called after each `forward` as `hook(module, args, output)`; what it returns replaces the output.
   * PyTorch: `Module.register_forward_hook`.
   * @param options.prepend Call it before the hooks that are there. Default false.
   * @param options.always_call Call it also if the module throws. Default false.
   */
  register_forward_hook(hook: H.ForwardHook, options?: { prepend?: boolean; always_call?: boolean }): RemovableHandle {
    const { prepend, always_call } = optionsOf.forwardHook(options);
    const hooks = this._watchForward();
    const handle = addHook(hooks.forward, hook, 'register_forward_hook', prepend);
    if (always_call) hooks.always.add(hook);
    return {
      remove: () => {
        handle.remove();
        hooks.always.delete(hook);
      },
    };
  }

  /**
   * Registers a function called before each `forward` as `hook(module, args)`; what it returns replaces the arguments.
   * PyTorch: `Module.register_forward_pre_hook`.
   */
  register_forward_pre_hook(hook: H.ForwardPreHook, options?: { prepend?: boolean }): RemovableHandle {
    const { prepend } = optionsOf.forwardPreHook(options);
    return addHook(this._watchForward().forwardPre, hook, 'register_forward_pre_hook', prepend);
  }

  /**
   * Registers a function called as `hook(module, grad_input, grad_output)` once the gradients of the inputs are computed;
   * what it returns replaces them. PyTorch: `Module.register_full_backward_hook`.
   */
  register_full_backward_hook(hook: H.BackwardHook, options?: { prepend?: boolean }): RemovableHandle {
    const { prepend } = optionsOf.backwardHook(options);
    return addHook(this._watchForward().backward, hook, 'register_full_backward_hook', prepend);
  }

  /**
   * Registers a function called as `hook(module, grad_output)` before the gradients of the inputs are computed; what it
   * returns replaces `grad_output`. PyTorch: `Module.register_full_backward_pre_hook`.
   */
  register_full_backward_pre_hook(hook: H.BackwardPreHook, options?: { prepend?: boolean }): RemovableHandle {
    const { prepend } = optionsOf.backwardPreHook(options);
    return addHook(this._watchForward().backwardPre, hook, 'register_full_backward_pre_hook', prepend);
  }

  /** Registers `hook(module, prefix, keep_vars)`, called before {@link state_dict}. */
  register_state_dict_pre_hook(hook: H.StateDictPreHook): RemovableHandle {
    return addHook(this._hooksOf().stateDictPre, hook, 'register_state_dict_pre_hook');
  }

  /** Registers `hook(module, state_dict, prefix, local_metadata)`, called after {@link state_dict}; it may change the state. */
  register_state_dict_post_hook(hook: H.StateDictPostHook): RemovableHandle {
    return addHook(this._hooksOf().stateDictPost, hook, 'register_state_dict_post_hook');
  }

  /**
   * Registers `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`, called
   * before {@link load_state_dict} takes the module's part of the state; it may change the state.
   */
  register_load_state_dict_pre_hook(hook: H.LoadStateDictPreHook): RemovableHandle {
    return addHook(this._hooksOf().loadPre, hook, 'register_load_state_dict_pre_hook');
  }

  /** Registers `hook(module, incompatible_keys)`, called after {@link load_state_dict}; it may change the lists. */
  register_load_state_dict_post_hook(hook: H.LoadStateDictPostHook): RemovableHandle {
    return addHook(this._hooksOf().loadPost, hook, 'register_load_state_dict_post_hook');
  }

  /** What a module's printed form says between its parentheses. PyTorch: `Module.extra_repr`. */
  extra_repr(): string {
    return '';
  }

  /** The printed form of each module within, with its name. @internal */
  _childLines(): string[] {
    return this._ownModules().map(([name, module]) => `(${name}): ${indent(String(module))}`);
  }

  /** The module as PyTorch prints it. */
  toString(): string {
    const extra = this.extra_repr();
    const children = this._childLines();
    if (children.length === 0 && !extra.includes('\n')) return `${this._get_name()}(${extra})`;
    const lines = extra === '' ? children : [...extra.split('\n'), ...children];
    return `${this._get_name()}(\n  ${lines.join('\n  ')}\n)`;
  }

  /** What `console.log` prints. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

const ownParameters = (module: Module) => module._ownParameters();
const ownBuffers = (module: Module) => module._ownBuffers();

function joined(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}
