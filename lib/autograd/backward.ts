import { pool } from '../backend/index.js';
import { defineOptions } from '../options.js';
import type { DType } from '../tensor/dtype.js';
import { allocate, checkTensor, memoryOf, Tensor, type Dims } from '../tensor/tensor.js';
import { listOf, Run } from './engine.js';
import { withGradMode } from './mode.js';
import { add, add_, clone, zeros } from './ops.js';
import { requiresGrad } from './node.js';

// What starts a walk through the graph: `backward`, and `autograd.grad`.

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
      return one(root._dims, root._dtype);
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

/** A single 1, written without a call. */
function one(dims: Dims, dtype: DType): Tensor {
  const t = allocate(dims, dtype);
  memoryOf(t)[t._offset] = 1;
  return t;
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
    else if (options.create_graph || input.grad.is_sparse) input.grad = add(input.grad, grad);
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
