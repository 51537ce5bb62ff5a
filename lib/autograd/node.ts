import type { Dims, Tensor } from '../tensor/tensor.js';
import { mode } from './mode.js';
import { regenerateNode } from './view.js';
import type { Task } from './engine.js';

/** What an op's backward gives: a gradient for each input, null where there is none; a single one may stand without its array. */
export type Grads = Tensor | null | readonly (Tensor | null)[];

/** A differentiable op, as the graph sees it. One object an op: what varies from call to call is in the node. */
export interface Op {
  /** PyTorch's name of the node, e.g. `AddmmBackward0`. */
  readonly name: string;
  /**
   * The gradients of the inputs. Written with ops, so that it can itself be recorded. Must return new tensors, or views
   * of `grad`: never a saved tensor, nor a tensor it keeps.
   * @param grad The gradient of the first output.
   * @param grads Those of all outputs; null where none arrived.
   */
  backward(grad: Tensor, node: Node, grads: readonly (Tensor | null)[]): Grads;
  /** The user's code runs in `backward`: it may keep what it is given, and is called even without gradients. */
  readonly external?: boolean;
}

/** Called with a gradient; what it returns replaces the gradient. */
export type GradHook = (grad: Tensor) => Tensor | null | void;

/** Removes a hook. PyTorch: `torch.utils.hooks.RemovableHandle`. */
export interface RemovableHandle {
  remove(): void;
}

/** Adds a hook to a list, at its end or its beginning, and returns the handle that takes it out again. @internal */
export function addHook<T>(hooks: T[], hook: T, owner: string, prepend = false): RemovableHandle {
  if (typeof hook !== 'function') throw new TypeError(`${owner}: expected a function, got ${String(hook)}`);
  if (prepend) hooks.unshift(hook);
  else hooks.push(hook);
  return {
    remove: () => {
      const i = hooks.indexOf(hook);
      if (i !== -1) hooks.splice(i, 1);
    },
  };
}

let nodes = 0;

/** One recorded call: a vertex of the graph that `backward` walks. PyTorch: `torch.autograd.graph.Node`, a tensor's `grad_fn`. */
export class Node {
  /** Later calls have a greater number; backward goes from the greatest down. */
  readonly sequence: number;
  /** Where each input's gradient goes: a node, and which of its outputs the input was. */
  readonly next: (Node | null)[];
  readonly nextNr: number[];
  /** The inputs' sizes. */
  readonly inDims: Dims[];
  /** Null once released. */
  private saved: readonly (Tensor | null)[] | null;
  private readonly versions: readonly number[];
  /** The state of the running backward. @internal */
  task: Task | null = null;
  /** Hooks on the gradients of the outputs (tensor hooks), by output. @internal */
  tensorHooks: GradHook[][] | null = null;
  /** The outputs that keep their gradient. @internal */
  retaining: Map<number, WeakRef<Tensor>> | null = null;
  /** Hooks of a leaf, once its gradient is there. @internal */
  accumulateHooks: ((leaf: Tensor) => void)[] | null = null;
  /** @internal */
  preHooks: ((grads: readonly (Tensor | null)[]) => readonly (Tensor | null)[] | void)[] | null = null;
  /** @internal */
  postHooks:
    | ((
        gradInputs: readonly (Tensor | null)[],
        gradOutputs: readonly (Tensor | null)[],
      ) => readonly (Tensor | null)[] | void)[]
    | null = null;

  constructor(
    /** @internal */ readonly op: Op,
    inputs: readonly (Tensor | null)[],
    saved: readonly (Tensor | null)[],
    /** What else the backward needs to know. @internal */
    readonly attrs: unknown,
    /** How many outputs the call had. @internal */
    readonly outputs: number,
    sequence?: number,
  ) {
    const n = inputs.length;
    // Arrays of their final length: one that grows takes room for sixteen more.
    this.next = new Array<Node | null>(n);
    this.nextNr = new Array<number>(n);
    this.inDims = new Array<Dims>(n);
    for (let i = 0; i < n; i++) {
      const input = inputs[i];
      this.next[i] = input === null ? null : gradientEdge(input);
      this.nextNr[i] = input === null ? 0 : input._outputNr;
      this.inDims[i] = input === null ? NO_DIMS : input._dims;
    }
    // After the inputs' nodes, which may only now have been made.
    this.sequence = sequence ?? nodes++;
    this.saved = saved;
    this.versions = saved.length === 0 ? NO_DIMS : saved.map(versionOf);
  }

  /** PyTorch's `Node.name()`. */
  name(): string {
    return this.op.name;
  }

  /** The nodes the inputs' gradients go to, with the number of the output each is for. */
  get next_functions(): [Node | null, number][] {
    return this.next.map((node, i) => [node, this.nextNr[i]]);
  }

  /** Whether input `i` wants a gradient. @internal */
  needs(i: number): boolean {
    return this.next[i] !== null;
  }

  /**
   * The tensor saved at place `i`.
   * @throws Error if the saved tensors were released, or the tensor was changed in place since.
   * @internal
   */
  unpack(i: number): Tensor {
    const tensor = this.unpackOptional(i);
    return tensor as Tensor;
  }

  /** {@link unpack} for a place that may have been saved empty. @internal */
  unpackOptional(i: number): Tensor | null {
    if (this.saved === null) {
      throw new Error(
        `backward: trying to backward through the graph a second time, but the saved tensors of ${this.op.name} have ` +
          'been freed. Pass { retain_graph: true } to the first backward() or autograd.grad() call.',
      );
    }
    const tensor = this.saved[i];
    if (tensor !== null && tensor._storage.version !== this.versions[i]) {
      throw new Error(
        `backward: a tensor needed for the gradient of ${this.op.name} was modified by an in-place operation: ` +
          `torch.${tensor.dtype.label}Tensor [${tensor._dims.join(', ')}] is at version ${tensor._storage.version}; ` +
          `expected version ${this.versions[i]}`,
      );
    }
    return tensor;
  }

  /** How many tensors were saved. @internal */
  get savedCount(): number {
    return this.versions.length;
  }

  /** Forgets the saved tensors. @internal */
  release(): void {
    if (this.versions.length > 0) this.saved = null;
  }

  /**
   * Registers a function called after this node's backward with the gradients of its inputs and outputs; what it returns
   * replaces the former. PyTorch: `Node.register_hook`.
   */
  register_hook(hook: NonNullable<Node['postHooks']>[number]): RemovableHandle {
    return addHook((this.postHooks ??= []), hook, 'register_hook');
  }

  /** Registers a function called before this node's backward with the gradients of its outputs. PyTorch: `Node.register_prehook`. */
  register_prehook(hook: NonNullable<Node['preHooks']>[number]): RemovableHandle {
    return addHook((this.preHooks ??= []), hook, 'register_prehook');
  }

  toString(): string {
    return `<${this.op.name}>`;
  }

  /** What `console.log` prints. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

const NO_DIMS: Dims = [];

function versionOf(t: Tensor | null): number {
  return t === null ? 0 : t._storage.version;
}

/** A leaf's node: its backward is the accumulation into `.grad`, which the engine does. */
const AccumulateGrad: Op = {
  name: 'AccumulateGrad',
  backward: () => [],
};

/** The node that collects a leaf's gradient; it runs before all others. @internal */
export function accumulatorOf(leaf: Tensor): Node {
  return (leaf._accumulator ??= new Node(AccumulateGrad, [], [], leaf, 1, Infinity));
}

/** The leaf whose gradient a node collects, or null if it is another kind of node. @internal */
export function leafOf(node: Node): Tensor | null {
  return node.op === AccumulateGrad ? (node.attrs as Tensor) : null;
}

/** The node a tensor is an output of; made anew for a view whose base was changed in place. @internal */
export function nodeOf(t: Tensor): Node | null {
  if (t._base !== null && t._viewVersion !== t._storage.version) regenerateNode(t, t._base);
  return t._node;
}

/** Where a tensor's gradient goes, or null if it wants none. @internal */
export function gradientEdge(t: Tensor): Node | null {
  const node = nodeOf(t);
  if (node !== null) return node;
  return t._leafGrad ? accumulatorOf(t) : null;
}

/** Makes backward keep the gradient of a tensor that is not a leaf in its `.grad`. @internal */
export function retain(t: Tensor): void {
  const node = nodeOf(t);
  if (node !== null) (node.retaining ??= new Map()).set(t._outputNr, new WeakRef(t));
}

/** PyTorch's `requires_grad`. @internal */
export function requiresGrad(t: Tensor): boolean {
  return t._leafGrad || t._node !== null || (t._base !== null && nodeOf(t) !== null);
}

/** Whether a call on these must be recorded. @internal */
export function recording(a: Tensor, b?: Tensor | null, c?: Tensor | null): boolean {
  if (!mode.enabled) return false;
  return requiresGrad(a) || (b != null && requiresGrad(b)) || (c != null && requiresGrad(c));
}

/** {@link recording} for any number of tensors. @internal */
export function recordingAny(tensors: readonly Tensor[]): boolean {
  return mode.enabled && tensors.some(requiresGrad);
}

/**
 * Makes `out` the output of `op`.
 * @param inputs What gradients go to, in the order in which `op.backward` returns them.
 * @param saved What the backward will `unpack`.
 * @internal
 */
export function record(
  op: Op,
  out: Tensor,
  inputs: readonly (Tensor | null)[],
  saved: readonly (Tensor | null)[] = NOTHING,
  attrs: unknown = null,
): Tensor {
  out._node = new Node(op, inputs, saved, attrs, 1);
  out._viewVersion = out._storage.version;
  return out;
}

/** {@link record} for a call with several outputs; those that cannot have a gradient (null, or of integers) stay out of the graph. @internal */
export function recordAll(
  op: Op,
  outs: readonly (Tensor | null)[],
  inputs: readonly (Tensor | null)[],
  saved: readonly (Tensor | null)[],
  attrs: unknown = null,
): void {
  const node = new Node(op, inputs, saved, attrs, outs.length);
  outs.forEach((out, i) => {
    if (out === null || !out._dtype.is_floating_point) return;
    out._node = node;
    out._outputNr = i;
    out._viewVersion = out._storage.version;
  });
}

const NOTHING: readonly Tensor[] = [];
