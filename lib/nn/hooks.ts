import { recordAll, requiresGrad, type Op } from '../autograd/node.js';
import { mode } from '../autograd/mode.js';
import { detach } from '../ops/convert.js';
import { Tensor } from '../tensor/tensor.js';
import type { Module } from './module.js';

/* eslint-disable @typescript-eslint/no-explicit-any -- what a module takes and gives is its own affair */

/** Gradients, null where there is none. */
export type HookGrads = readonly (Tensor | null)[];
/** Called before `forward` with its arguments; what it returns replaces them (a single value may stand without its array). */
export type ForwardPreHook = (module: any, args: any[]) => unknown;
/** Called after `forward` with its arguments and its result; what it returns replaces the result. */
export type ForwardHook = (module: any, args: any[], output: any) => unknown;
/** Called with the gradients of the outputs before those of the inputs are computed; what it returns replaces them. */
export type BackwardPreHook = (module: any, grad_output: HookGrads) => HookGrads | Tensor | null | void;
/** Called with the gradients of the inputs and of the outputs; what it returns replaces the former. */
export type BackwardHook = (
  module: any,
  grad_input: HookGrads,
  grad_output: HookGrads,
) => HookGrads | Tensor | null | void;
/** Called before a module's state is collected. */
export type StateDictPreHook = (module: any, prefix: string, keep_vars: boolean) => void;
/** Called with the state collected so far, which it may change. */
export type StateDictPostHook = (
  module: any,
  state_dict: Record<string, Tensor>,
  prefix: string,
  local_metadata: object,
) => void;
/** Called before a module takes its part of a state; may change the state (a copy of what was given) and the lists. */
export type LoadStateDictPreHook = (
  module: any,
  state_dict: Record<string, Tensor>,
  prefix: string,
  local_metadata: object,
  strict: boolean,
  missing_keys: string[],
  unexpected_keys: string[],
  error_msgs: string[],
) => void;
/** Called after a module has taken its part of a state; may change the lists. */
export type LoadStateDictPostHook = (module: any, incompatible_keys: IncompatibleKeys) => void;

/** What `load_state_dict` returns. */
export interface IncompatibleKeys {
  /** What the module has and the state has not. */
  missing_keys: string[];
  /** What the state has and the module has not. */
  unexpected_keys: string[];
}

/** The hooks of one module. */
export class ModuleHooks {
  readonly forwardPre: ForwardPreHook[] = [];
  readonly forward: ForwardHook[] = [];
  /** Those of `forward` that run even if the module throws. */
  readonly always = new Set<ForwardHook>();
  readonly backwardPre: BackwardPreHook[] = [];
  readonly backward: BackwardHook[] = [];
  readonly stateDictPre: StateDictPreHook[] = [];
  readonly stateDictPost: StateDictPostHook[] = [];
  readonly loadPre: LoadStateDictPreHook[] = [];
  readonly loadPost: LoadStateDictPostHook[] = [];
  /** Whether `forward` runs the hooks. */
  watching = false;
  /** Whether the `forward` within the hooks is a property of the module's own. */
  ownForward = false;
}

/** `forward` with the module's hooks around it. */
export function forwardWithHooks(
  module: Module,
  hooks: ModuleHooks,
  forward: (args: unknown[]) => unknown,
  args: unknown[],
): unknown {
  const done = new Set<ForwardHook>();
  let output: unknown = null;
  try {
    for (const hook of hooks.forwardPre.slice()) {
      const replaced = hook(module, args);
      if (replaced != null) args = Array.isArray(replaced) ? (replaced as unknown[]) : [replaced];
    }
    const backward = hooks.backward.length > 0 || hooks.backwardPre.length > 0 ? new BackwardCall(module, hooks) : null;
    if (backward !== null) args = backward.wrapInputs(args);
    output = forward(args);
    for (const hook of hooks.forward.slice()) {
      done.add(hook);
      output = hook(module, args, output) ?? output;
    }
    return backward === null ? output : backward.wrapOutput(output);
  } catch (error) {
    for (const hook of hooks.always) if (!done.has(hook)) hook(module, args, output);
    throw error;
  }
}

/** The identity, as a node that hooks can be put on. */
const BackwardHookFunction: Op = {
  name: 'BackwardHookFunctionBackward',
  external: true,
  backward: (_grad, _node, grads) => grads,
};

/** The tensors among `values`, passed through a node of their own; null if none wants a gradient. */
function passThrough(values: readonly unknown[]) {
  const places = values.flatMap((value, i) => (value instanceof Tensor ? [i] : []));
  const tensors = places.map((i) => values[i] as Tensor);
  if (!mode.enabled || !tensors.some(requiresGrad)) return null;
  const aliases = tensors.map((t) => (requiresGrad(t) ? detach(t) : t));
  const own = aliases.map((alias, i) => (alias === tensors[i] ? null : alias));
  // Outputs that want no gradient stay the tensors they are, outside the node.
  const placeholders = own.map((alias, i) => alias ?? detach(tensors[i]));
  recordAll(BackwardHookFunction, placeholders, tensors, []);
  const result = values.slice();
  places.forEach((place, i) => (result[place] = aliases[i]));
  return { result, places, node: own.find((alias) => alias !== null)!._node! };
}

/** One call of a module that has backward hooks. */
class BackwardCall {
  private inputs = 0;
  private gradInputPlaces: readonly number[] | null = null;
  private gradOutputs: HookGrads | null = null;

  constructor(
    private readonly module: Module,
    private readonly hooks: ModuleHooks,
  ) {}

  wrapInputs(args: unknown[]): unknown[] {
    this.inputs = args.length;
    const wrapped = passThrough(args);
    if (wrapped === null) return args;
    const { places, node } = wrapped;
    this.gradInputPlaces = places;
    node.register_hook((gradInputs) => {
      // Reached without passing the outputs, as by a gradient of a gradient: not this call's backward.
      if (this.gradOutputs === null) return;
      const full = this.runBackwardHooks(unpick(places, gradInputs, this.inputs), this.gradOutputs);
      this.gradOutputs = null;
      return places.map((place) => full[place]);
    });
    return wrapped.result;
  }

  wrapOutput(output: unknown): unknown {
    const outputs: unknown[] = Array.isArray(output) ? output : [output];
    const wrapped = passThrough(outputs);
    if (wrapped === null) return output;
    const { places, node } = wrapped;
    node.register_hook((_, grads) => {
      let gradOutputs: HookGrads = unpick(places, grads, outputs.length);
      for (const hook of this.hooks.backwardPre.slice()) {
        gradOutputs = replacement('full_backward_pre_hook', hook(this.module, gradOutputs), gradOutputs);
      }
      this.gradOutputs = gradOutputs;
      if (this.gradInputPlaces === null) {
        // No input wants a gradient, so this is the place to call the hooks.
        this.runBackwardHooks(new Array<null>(this.inputs).fill(null), gradOutputs);
        this.gradOutputs = null;
      }
      return places.map((place) => gradOutputs[place]);
    });
    return Array.isArray(output) ? wrapped.result : wrapped.result[0];
  }

  private runBackwardHooks(gradInputs: HookGrads, gradOutputs: HookGrads): HookGrads {
    for (const hook of this.hooks.backward.slice()) {
      gradInputs = replacement('full_backward_hook', hook(this.module, gradInputs, gradOutputs), gradInputs);
    }
    return gradInputs;
  }
}

/** Gradients spread over the places they belong to, null elsewhere. */
function unpick(places: readonly number[], grads: HookGrads, length: number): (Tensor | null)[] {
  const full = new Array<Tensor | null>(length).fill(null);
  places.forEach((place, i) => (full[place] = grads[i] ?? null));
  return full;
}

function replacement(name: string, given: HookGrads | Tensor | null | void, before: HookGrads): HookGrads {
  if (given == null) return before;
  const list = given instanceof Tensor ? [given] : given;
  if (list.length !== before.length) {
    throw new Error(`${name}: expected the hook to return ${before.length} gradients, got ${list.length}`);
  }
  return list;
}
