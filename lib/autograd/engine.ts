import { pool } from '../backend/index.js';
import { profiling, type Recorder } from '../backend/recorder.js';
import { newestStorage } from '../tensor/storage.js';
import { defineOptions } from '../options.js';
import { checkTensor, Tensor } from '../tensor/tensor.js';
import { add, add_, clone, ones_like, zeros } from './ops.js';
import { withGradMode } from './mode.js';
import { gradientEdge, leafOf, requiresGrad, type Grads, type Node } from './node.js';

/** A node's part in one run of backward. Hung on the node, so that no table is needed; runs nest. @internal */
export class Task {
  /** Nodes that still have to send their gradient here. */
  pending = 0;
  /** False where the gradients asked for do not pass through this node. */
  needed = true;
  /** Gradients of the outputs that arrived so far. */
  readonly grads: (Tensor | null)[];

  constructor(
    readonly run: Run,
    /** The node's task in the run this one is nested in. */
    readonly outer: Task | null,
    outputs: number,
  ) {
    this.grads = outputs === 1 ? [null] : new Array<Tensor | null>(outputs).fill(null);
  }
}

/** The nodes whose gradients are all there, greatest sequence first: a binary heap. */
class ReadyQueue {
  private readonly heap: Node[] = [];

  get size(): number {
    return this.heap.length;
  }

  push(node: Node): void {
    const heap = this.heap;
    let i = heap.push(node) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent].sequence >= node.sequence) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = node;
  }

  pop(): Node {
    const heap = this.heap;
    const top = heap[0];
    const last = heap.pop()!;
    const n = heap.length;
    if (n === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && heap[child + 1].sequence > heap[child].sequence) child++;
      if (heap[child].sequence <= last.sequence) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

/** A place in the graph whose gradient the caller of `autograd.grad` wants. */
interface Capture {
  outputNr: number;
  index: number;
}

/** Options of {@link run}. */
interface RunOptions {
  retainGraph: boolean;
  createGraph: boolean;
  /** The tensors whose gradients are returned; null to accumulate into the leaves. */
  inputs: readonly Tensor[] | null;
}

class Run {
  readonly ready = new ReadyQueue();
  readonly visited: Node[] = [];
  /** Storages made later were made by this run. */
  readonly firstStorage = newestStorage();
  readonly captured: (Tensor | null)[];
  private readonly captures: Map<Node, Capture[]> | null = null;

  constructor(private readonly options: RunOptions) {
    const inputs = options.inputs ?? [];
    this.captured = inputs.map(() => null);
    if (options.inputs === null) return;
    const captures = (this.captures = new Map<Node, Capture[]>());
    inputs.forEach((input, index) => {
      const node = gradientEdge(input)!;
      const list = captures.get(node) ?? [];
      captures.set(node, list);
      list.push({ outputNr: input._outputNr, index });
    });
  }

  execute(roots: readonly Tensor[], rootGrads: readonly Tensor[]): void {
    try {
      const nodes = roots.map((root) => gradientEdge(root)!);
      const starts = this.discover(nodes);
      if (this.captures !== null) this.markNeeded(this.captures);
      for (let i = 0; i < nodes.length; i++) this.deliver(nodes[i], roots[i]._outputNr, rootGrads[i]);
      for (const node of starts) if (node.task!.pending === 0) this.ready.push(node);
      while (this.ready.size > 0) {
        const node = this.ready.pop();
        if (profiling.recorder === null) this.evaluate(node);
        else this.evaluateTimed(node, profiling.recorder);
      }
    } finally {
      for (const node of this.visited) node.task = node.task!.outer;
    }
  }

  /**
   * Gives a task to every node reachable from `roots` and counts who sends it gradients. Iterative: graphs are deep.
   * @returns The roots, each once.
   */
  private discover(roots: readonly Node[]): Node[] {
    for (const root of roots) if (root.task === null || root.task.run !== this) this.enter(root);
    const visited = this.visited;
    const starts = visited.slice();
    for (let v = 0; v < visited.length; v++) {
      const next = visited[v].next;
      for (let i = 0; i < next.length; i++) {
        const to = next[i];
        if (to === null) continue;
        if (to.task === null || to.task.run !== this) this.enter(to);
        to.task!.pending++;
      }
    }
    return starts;
  }

  private enter(node: Node): void {
    node.task = new Task(this, node.task, node.outputs);
    this.visited.push(node);
  }

  /** A node is needed if one of the captured places lies behind it. Nodes only point to older ones, accumulators last. */
  private markNeeded(captures: ReadonlyMap<Node, unknown>): void {
    const order = this.visited.slice().sort((a, b) => rank(a) - rank(b));
    for (const node of order) {
      node.task!.needed = node.next.some((to) => to !== null && (to.task!.needed || captures.has(to)));
    }
  }

  /** Adds a gradient to those that arrived at output `nr` of `node`. */
  private deliver(node: Node, nr: number, grad: Tensor): void {
    const grads = node.task!.grads;
    const before = grads[nr];
    if (before === null) {
      grads[nr] = grad;
      grad._storage.holds++;
    } else if (
      !this.options.createGraph &&
      this.owns(before) &&
      before._strides === null &&
      before.dtype === grad.dtype
    ) {
      add_(before, grad);
      this.discard(grad);
    } else {
      const total = add(before, grad);
      grads[nr] = total;
      total._storage.holds++;
      this.drop(before);
      this.discard(grad);
    }
  }

  /** Whether nothing but one buffer of this run refers to the tensor's memory. */
  private owns(t: Tensor): boolean {
    return t._storage.holds === 1 && t._storage.serial > this.firstStorage;
  }

  /** A buffer lets go of a gradient. */
  private drop(grad: Tensor): void {
    grad._storage.holds--;
    this.discard(grad);
  }

  /** Gives the memory of a gradient back if no buffer holds it. */
  private discard(grad: Tensor): void {
    const storage = grad._storage;
    if (storage.holds === 0 && storage.serial > this.firstStorage && !this.options.createGraph) pool.release(storage);
  }

  /** Apart from the loop, which would make room for what the closure keeps also where nothing is recorded. */
  private evaluateTimed(node: Node, recorder: Recorder): void {
    if (node.task!.needed) recorder.time(node.op.name, () => this.evaluate(node));
    else this.evaluate(node);
  }

  private evaluate(node: Node): void {
    const task = node.task!;
    const grads = task.grads;
    this.runTensorHooks(node, grads);
    if (node.preHooks !== null) {
      for (const hook of node.preHooks) {
        escapeAll(grads);
        const replaced = hook(grads);
        if (replaced != null) listOf(replaced).forEach((g, i) => this.replace(grads, i, g ?? null));
      }
    }
    const captures = this.captures?.get(node);
    if (captures !== undefined) {
      for (const { outputNr, index } of captures) {
        const grad = grads[outputNr];
        if (grad === null) continue;
        escape(grad);
        this.captured[index] = grad;
      }
    }
    const leaf = leafOf(node);
    if (leaf !== null) {
      if (this.captures === null && grads[0] !== null) this.accumulate(leaf, grads[0], node);
      return;
    }
    if (!task.needed) {
      this.passOn(node, null);
    } else if (node.op.external === true || grads.some((g) => g !== null)) {
      this.passOn(node, this.callBackward(node, grads));
    } else {
      this.passOn(node, null);
    }
    if (!this.options.retainGraph && task.needed) node.release();
    for (let i = 0; i < grads.length; i++) {
      const grad = grads[i];
      if (grad === null) continue;
      grads[i] = null;
      this.drop(grad);
    }
  }

  private callBackward(node: Node, grads: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    if (node.op.external === true) escapeAll(grads);
    const result: Grads = node.op.backward(grads[0]!, node, grads);
    let list: readonly (Tensor | null)[] =
      result === null || !Array.isArray(result) ? [result as Tensor | null] : result;
    if (node.postHooks !== null) {
      for (const hook of node.postHooks) {
        escapeAll(list);
        escapeAll(grads);
        const replaced = hook(list, grads);
        if (replaced == null) continue;
        listOf(replaced).forEach((g, i) => checkReplacement(list[i] ?? null, g));
        list = listOf(replaced);
      }
    }
    if (node.op.external === true || node.postHooks !== null) escapeAll(list);
    return list;
  }

  private passOn(node: Node, results: readonly (Tensor | null)[] | null): void {
    const next = node.next;
    for (let i = 0; i < next.length; i++) {
      const to = next[i];
      if (to === null) continue;
      const grad = results === null ? null : (results[i] ?? null);
      if (grad !== null) this.deliver(to, node.nextNr[i], grad);
    }
    for (let i = 0; i < next.length; i++) {
      const to = next[i];
      if (to !== null && --to.task!.pending === 0) this.ready.push(to);
    }
  }

  private runTensorHooks(node: Node, grads: (Tensor | null)[]): void {
    if (node.tensorHooks !== null) {
      node.tensorHooks.forEach((hooks, nr) => {
        for (const hook of [...hooks]) {
          const grad = grads[nr];
          if (grad === null) continue;
          escape(grad);
          const replaced = hook(grad);
          if (replaced != null) this.replace(grads, nr, replaced);
        }
      });
    }
    if (node.retaining !== null) {
      for (const [nr, weak] of node.retaining) {
        const tensor = weak.deref();
        const grad = grads[nr];
        if (tensor === undefined || grad === null) continue;
        escape(grad);
        tensor.grad = tensor.grad === null ? clone(grad) : add(tensor.grad, grad);
      }
    }
  }

  private replace(grads: (Tensor | null)[], i: number, grad: Tensor | null): void {
    const before = grads[i];
    if (before === grad) return;
    checkReplacement(before, grad);
    if (grad !== null) {
      escape(grad);
      grad._storage.holds++;
    }
    if (before !== null) before._storage.holds--;
    grads[i] = grad;
  }

  /** Into `.grad`: the buffer itself where nothing else refers to it, else a copy; added to what is there. */
  private accumulate(leaf: Tensor, grad: Tensor, node: Node): void {
    const before = leaf.grad;
    if (before === null) {
      if (this.owns(grad) && !this.options.createGraph && spansStorage(grad)) {
        leaf.grad = grad;
        grad._storage.holds--;
      } else {
        leaf.grad = clone(grad, { memory_format: 'contiguous' });
        this.drop(grad);
      }
    } else {
      if (this.options.createGraph) leaf.grad = add(before, grad);
      else add_(before, grad);
      this.drop(grad);
    }
    if (node.accumulateHooks !== null) for (const hook of node.accumulateHooks) hook(leaf);
  }
}

/** What a hook returned, as a list. */
function listOf(grads: Tensor | readonly (Tensor | null)[]): readonly (Tensor | null)[] {
  return (Array.isArray(grads) ? grads : [grads]) as readonly (Tensor | null)[];
}

/** Refuses what a hook returned if it is no gradient for the same tensor. */
function checkReplacement(before: Tensor | null, grad: unknown): void {
  if (grad === null) return;
  checkTensor('hook', 'result', grad);
  if (before === null || sameGeometry(before, grad)) return;
  throw new RangeError(
    `hook: result: expected a tensor of shape [${before._dims.join(', ')}] and dtype ${before._dtype.name}, ` +
      `got one of shape [${grad._dims.join(', ')}] and dtype ${grad._dtype.name}`,
  );
}

function sameGeometry(a: Tensor, b: Tensor): boolean {
  return a._dtype === b._dtype && a._dims.length === b._dims.length && a._dims.every((d, i) => d === b._dims[i]);
}

/** Whether a tensor is all there is in its storage, in order: then it can become a `.grad`. */
function spansStorage(t: Tensor): boolean {
  return t._strides === null && t._storage.nbytes === t._numel * t.dtype.itemsize;
}

/** The user may keep this gradient: it stays held for good, so its memory is neither reused nor given away. */
function escape(grad: Tensor): void {
  grad._storage.holds += ESCAPED;
}

function escapeAll(grads: readonly (Tensor | null)[]): void {
  for (const grad of grads) if (grad !== null) escape(grad);
}

const ESCAPED = 2 ** 20;

function rank(node: Node): number {
  return node.sequence === Infinity ? -1 : node.sequence;
}

/** Options of `backward`. */
export interface BackwardOptions {
  /** Keep what the graph saved, for another backward through it. Default: the value of `create_graph`. */
  retain_graph?: boolean | null;
  /** Record the backward itself, for gradients of gradients. Default false. */
  create_graph?: boolean;
  /** The tensors whose `.grad` is accumulated into, leaves or not. Default: all leaves of the graph. */
  inputs?: Tensor | readonly Tensor[] | null;
}

/** Options of {@link grad}. */
export interface GradOptions extends Omit<BackwardOptions, 'inputs'> {
  /** The gradients of the outputs; needed unless an output has one element. */
  grad_outputs?: Gradients;
  /** Give null for an input that the outputs do not depend on, instead of an error. Default: the value of `materialize_grads`. */
  allow_unused?: boolean | null;
  /** Give zeros for such an input. Default false. */
  materialize_grads?: boolean;
}

/** Gradients of several tensors; null for a tensor of one element is 1. */
export type Gradients = Tensor | readonly (Tensor | null)[] | null;

const keepOptions = { retain_graph: null as boolean | null, create_graph: false };
const backwardDefaults = { ...keepOptions, inputs: null as Tensor | readonly Tensor[] | null };
const optionsOf = {
  backward: defineOptions('autograd.backward', { grad_tensors: null as Gradients, ...backwardDefaults }),
  ofTensor: defineOptions('Tensor.backward', { gradient: null as Tensor | null, ...backwardDefaults }),
  grad: defineOptions('autograd.grad', {
    grad_outputs: null as Gradients,
    ...keepOptions,
    allow_unused: null as boolean | null,
    materialize_grads: false,
  }),
};

/** One tensor or several, as a list. @throws TypeError if there is something else. */
function tensorsOf(name: string, argument: string, given: Tensor | readonly Tensor[]): readonly Tensor[] {
  if (!Array.isArray(given)) {
    checkTensor(name, argument, given);
    return [given];
  }
  given.forEach((t, i) => checkTensor(name, `${argument}[${i}]`, t));
  return given as readonly Tensor[];
}

function gradientsOf(name: string, argument: string, given: Gradients, count: number): readonly (Tensor | null)[] {
  if (given === null) return [];
  const list = listOf(given);
  list.forEach((t, i) => t === null || checkTensor(name, `${argument}[${i}]`, t));
  if (list.length === count) return list;
  throw new RangeError(`${name}: ${argument}: expected ${count} gradients, one for each tensor, got ${list.length}`);
}

function rootGradients(name: string, roots: readonly Tensor[], given: readonly (Tensor | null)[]): Tensor[] {
  return roots.map((root, i) => {
    if (!requiresGrad(root)) {
      throw new Error(`${name}: element ${i} of tensors does not require grad and does not have a grad_fn`);
    }
    const grad = given[i] ?? null;
    if (grad === null) {
      if (root._numel !== 1) {
        throw new Error(
          `${name}: grad can be implicitly created only for scalar outputs, got a tensor of shape [${root._dims.join(', ')}]`,
        );
      }
      return ones_like(root);
    }
    if (grad._dims.length !== root._dims.length || grad._dims.some((d, j) => d !== root._dims[j])) {
      throw new Error(
        `${name}: mismatch in shape: grad_output[${i}] has a shape of [${grad._dims.join(', ')}] and output[${i}] has a ` +
          `shape of [${root._dims.join(', ')}]`,
      );
    }
    return grad._dtype === root._dtype ? grad : grad.to(root._dtype);
  });
}

function run(
  name: string,
  roots: readonly Tensor[],
  given: readonly (Tensor | null)[],
  options: { retain_graph: boolean | null; create_graph: boolean },
  inputs: readonly Tensor[] | null,
): (Tensor | null)[] {
  inputs?.forEach((input, i) => {
    if (!requiresGrad(input)) throw new Error(`${name}: element ${i} of inputs does not require grad`);
  });
  const createGraph = options.create_graph;
  const retainGraph = options.retain_graph ?? createGraph;
  return withGradMode(createGraph, () => {
    const state = new Run({ createGraph, retainGraph, inputs });
    state.execute(roots, rootGradients(name, roots, given));
    return state.captured;
  });
}

function accumulateGradients(
  roots: readonly Tensor[],
  given: readonly (Tensor | null)[],
  options: typeof backwardDefaults,
): void {
  const inputs = options.inputs === null ? null : tensorsOf('backward', 'inputs', options.inputs);
  if (inputs?.length === 0) throw new RangeError('backward: inputs: expected at least one tensor, got none');
  const grads = run('backward', roots, given, options, inputs);
  inputs?.forEach((input, i) => {
    const grad = grads[i];
    if (grad === null) return;
    if (input.grad === null) input.grad = options.create_graph ? grad : clone(grad);
    else if (options.create_graph) input.grad = add(input.grad, grad);
    else withGradMode(false, () => add_(input.grad!, grad));
  });
  pool.safepoint();
}

/**
 * Accumulates the gradients of the sum of `tensors` into the `.grad` of the leaves. PyTorch: `torch.autograd.backward`.
 * @param grad_tensors The gradient of each tensor; null for tensors of one element. It may stand in the options.
 * @throws Error if a tensor requires no gradient, a gradient is missing or has another shape, or the graph was freed.
 */
export function backward(
  tensors: Tensor | readonly Tensor[],
  grad_tensors?: Gradients | (BackwardOptions & { grad_tensors?: Gradients }),
  options?: BackwardOptions,
): void {
  const roots = tensorsOf('backward', 'tensors', tensors);
  const [gradients, given] = isGradient(grad_tensors) ? [grad_tensors, options] : [undefined, grad_tensors];
  const complete = optionsOf.backward(given);
  const grads = gradientsOf('backward', 'grad_tensors', gradients ?? complete.grad_tensors, roots.length);
  accumulateGradients(roots, grads, complete);
}

/** {@link backward} from one tensor, with what its method takes. @internal */
export function backwardFrom(
  root: Tensor,
  gradient?: Tensor | null | (BackwardOptions & { gradient?: Tensor | null }),
  options?: BackwardOptions,
): void {
  const [seed, given] = isGradient(gradient) ? [gradient, options] : [undefined, gradient];
  const complete = optionsOf.ofTensor(given);
  const grad = seed ?? complete.gradient;
  if (grad !== null) checkTensor('backward', 'gradient', grad);
  accumulateGradients([root], [grad], complete);
}

/** Whether a gradient, or nothing, stands where options may stand too. */
function isGradient<T>(given: Gradients | undefined | T): given is Gradients | undefined {
  return given == null || typeof given !== 'object' || Array.isArray(given) || given instanceof Tensor;
}

/**
 * The gradients of the sum of `outputs` with respect to `inputs`; no `.grad` changes. PyTorch: `torch.autograd.grad`.
 * @throws Error as {@link backward} does, and if an input is not part of the graph and `allow_unused` is not set.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: GradOptions,
): (Tensor | null)[] {
  const roots = tensorsOf('autograd.grad', 'outputs', outputs);
  const wanted = tensorsOf('autograd.grad', 'inputs', inputs);
  const complete = optionsOf.grad(options);
  const given = gradientsOf('autograd.grad', 'grad_outputs', complete.grad_outputs, roots.length);
  const allowUnused = complete.allow_unused ?? complete.materialize_grads;
  return run('autograd.grad', roots, given, complete, wanted).map((g, i) => {
    if (g !== null) return g;
    if (complete.materialize_grads) return zeros(wanted[i]._dims, { dtype: wanted[i].dtype });
    if (allowUnused) return null;
    throw new Error(
      `autograd.grad: element ${i} of inputs appears to not have been used in the graph. ` +
        'Set allow_unused: true if this is the desired behavior.',
    );
  });
}
