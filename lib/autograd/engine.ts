import { pool } from '../backend/index.js';
import { profiling, type Recorder } from '../backend/recorder.js';
import { newestStorage } from '../tensor/storage.js';
import { checkTensor, Tensor } from '../tensor/tensor.js';
import { add, add_, clone } from './ops.js';
import { gradientEdge, leafOf, type Grads, type Node } from './node.js';

/** A node's part in one run of backward. Hung on the node, so that no table is needed; runs nest. @internal */
export class Task {
  /** Gradients that are still to come. */
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

/** A place in the graph whose gradient the caller of `autograd.grad` wants. */
interface Capture {
  outputNr: number;
  index: number;
}

/** Options of a {@link Run}. */
interface RunOptions {
  retainGraph: boolean;
  createGraph: boolean;
  /** The tensors whose gradients are returned; null to accumulate into the leaves. */
  inputs: readonly Tensor[] | null;
}

/** One walk through the graph. @internal */
export class Run {
  readonly visited: Node[] = [];
  /** Accumulators whose gradient has all arrived. */
  private readonly complete: Node[] = [];
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
      const order = this.discover(roots);
      if (this.captures !== null) this.markNeeded(this.captures);
      for (let i = 0; i < roots.length; i++) {
        const node = gradientEdge(roots[i])!;
        this.deliver(node, roots[i]._outputNr, rootGrads[i]);
        if (--node.task!.pending === 0 && isAccumulator(node)) this.visit(node);
      }
      // A node only points to older ones, so this order has each behind all that send it gradients.
      for (let i = 0; i < order.length; i++) this.visit(order[i]);
    } finally {
      pool.listing = false;
      const visited = this.visited;
      for (let i = 0; i < visited.length; i++) visited[i].task = visited[i].task!.outer;
    }
  }

  /**
   * Gives a task to every node reachable from `roots` and counts who sends it gradients. Iterative: graphs are deep.
   * @returns The nodes but for accumulators, the newest first.
   */
  private discover(roots: readonly Tensor[]): Node[] {
    for (let i = 0; i < roots.length; i++) this.expect(gradientEdge(roots[i])!);
    const visited = this.visited;
    const order: Node[] = [];
    let sorted = true;
    for (let v = 0; v < visited.length; v++) {
      const node = visited[v];
      const next = node.next;
      for (let i = 0; i < next.length; i++) {
        const to = next[i];
        if (to !== null) this.expect(to);
      }
      if (isAccumulator(node)) continue;
      if (order.length > 0 && order[order.length - 1].sequence < node.sequence) sorted = false;
      order.push(node);
    }
    return sorted ? order : order.sort((a, b) => b.sequence - a.sequence);
  }

  /** One more gradient will come to a node. */
  private expect(node: Node): void {
    if (node.task === null || node.task.run !== this) this.enter(node);
    node.task!.pending++;
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

  /** Evaluates a node, and the accumulators that then have all of their gradient. */
  private visit(node: Node): void {
    for (let next: Node | undefined = node; next !== undefined; next = this.complete.pop()) {
      if (profiling.recorder === null) this.evaluate(next);
      else this.evaluateTimed(next, profiling.recorder);
    }
  }

  /** Apart, because what its closure keeps would take room also where nothing is recorded. */
  private evaluateTimed(node: Node, recorder: Recorder): void {
    if (node.task!.needed) recorder.time(node.op.name, () => this.evaluate(node));
    else this.evaluate(node);
  }

  private evaluate(node: Node): void {
    const task = node.task!;
    const grads = task.grads;
    if (node.tensorHooks !== null || node.retaining !== null) this.runTensorHooks(node, grads);
    if (node.preHooks !== null) {
      for (const hook of node.preHooks) {
        escapeAll(grads);
        const replaced = hook(grads);
        if (replaced != null) listOf(replaced).forEach((g, i) => this.replace(grads, i, g ?? null));
      }
    }
    const captures = this.captures === null ? undefined : this.captures.get(node);
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
    } else if (node.op.external === true || hasGradient(grads)) {
      this.passOn(node, this.callBackward(node, grads));
    } else {
      this.passOn(node, null);
    }
    if (pool.made.length > 0) releaseMade();
    if (!this.options.retainGraph && task.needed) node.release();
    for (let i = 0; i < grads.length; i++) {
      const grad = grads[i];
      if (grad === null) continue;
      grads[i] = null;
      this.drop(grad);
    }
  }

  private callBackward(node: Node, grads: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const external = node.op.external === true;
    if (external) escapeAll(grads);
    else if (!this.options.createGraph) pool.listing = true;
    const result: Grads = node.op.backward(grads[0]!, node, grads);
    pool.listing = false;
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
    if (external || node.postHooks !== null) escapeAll(list);
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
      if (to !== null && --to.task!.pending === 0 && isAccumulator(to)) this.complete.push(to);
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
    const before = leaf._grad;
    if (before === null) {
      if (this.options.createGraph) {
        leaf.grad = clone(grad, { memory_format: 'contiguous' });
        this.drop(grad);
      } else {
        const own = this.owns(grad) && spansStorage(grad);
        leaf._grad = own ? grad : clone(grad, { memory_format: 'contiguous' });
        leaf._gradShared = false;
        if (own) grad._storage.holds--;
        else this.drop(grad);
      }
    } else {
      if (this.options.createGraph || before.is_sparse) leaf.grad = add(before, grad);
      else add_(before, grad);
      this.drop(grad);
    }
    if (node.accumulateHooks !== null) for (const hook of node.accumulateHooks) hook(leaf);
  }
}

/** One gradient, or several, as a list. @internal */
export function listOf(grads: Tensor | readonly (Tensor | null)[]): readonly (Tensor | null)[] {
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

/** Of what an op's backward has made only gradients that were passed on are needed. */
function releaseMade(): void {
  const made = pool.made;
  for (const storage of made) if (storage.holds === 0) pool.release(storage);
  made.length = 0;
}

/** Whether a tensor is all there is in its storage, in order: then it can become a `.grad`. */
function spansStorage(t: Tensor): boolean {
  return t._strides === null && t._storage.nbytes === t._numel * t.dtype.itemsize;
}

function hasGradient(grads: readonly (Tensor | null)[]): boolean {
  for (let i = 0; i < grads.length; i++) if (grads[i] !== null) return true;
  return false;
}

/** Whether a node collects a leaf's gradient: it does so as soon as all of it is there. */
function isAccumulator(node: Node): boolean {
  return leafOf(node) !== null;
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
