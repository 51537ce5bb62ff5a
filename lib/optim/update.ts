import { callList, type ListRow } from '../backend/frame.js';
import type { KernelId } from '../backend/kernels.js';
import { no_grad } from '../autograd/mode.js';
import { checkInPlace } from '../autograd/view.js';
import { mul } from '../ops/arithmetic.js';
import { contiguous, copy_, detach, to } from '../ops/convert.js';
import type { SparseTensor } from '../ops/sparse_tensor.js';
import { sameDims } from '../ops/shape.js';
import { float32 } from '../tensor/dtype.js';
import { describe, Tensor } from '../tensor/tensor.js';
import type { Algorithm, ByOps, Traits } from './algorithm.js';
import type { ParamGroup, ParamState } from './optimizer.js';
import type { StateShape } from './state_dict.js';

// What a step does with one parameter, and with the rows of a kernel.

/** Refuses a parameter that cannot be written, or a gradient that is not of its shape. */
export function checkParam(param: Tensor, grad: Tensor): void {
  if (!param._dtype.is_floating_point) {
    throw new TypeError(`step: params: expected a floating-point dtype, got ${describe(param)}`);
  }
  if (!(grad instanceof Tensor) || !sameDims(grad._dims, param._dims)) {
    throw new RangeError(
      `step: grad: expected a tensor of the parameter's shape [${param._dims.join(', ')}], got ${describe(grad)}`,
    );
  }
  checkInPlace('step', param);
}

/** Refuses a sparse gradient where only dense ones are taken, and a dense one where only sparse ones are. */
function checkLayout<O>(name: string, algorithm: Algorithm<O> | ByOps<O>, grad: Tensor): void {
  if (grad.is_sparse && algorithm.sparse === undefined) {
    throw new TypeError(`step: grad: ${name} does not support sparse gradients, please consider SparseAdam instead`);
  }
  if (!grad.is_sparse && !('kernel' in algorithm) && !('update' in algorithm)) {
    throw new TypeError(`step: grad: ${name} does not support dense gradients, please consider Adam instead`);
  }
}

/** Refuses state tensors that the kernels could not take: users may have put them there. */
function checkState(state: ParamState, param: Tensor, shape: StateShape): void {
  const { counters, slots } = shape;
  for (let i = 0; i < counters.length; i++) {
    const value = state[counters[i]];
    if (value === undefined) continue;
    if (!(value instanceof Tensor) || value._numel !== 1 || value._dtype !== float32) {
      throw new TypeError(
        `step: state ${counters[i]}: expected a float32 tensor of one element, got ${describe(value)}`,
      );
    }
  }
  for (const name of shape.numbers ?? []) {
    if (state[name] === undefined || typeof state[name] === 'number') continue;
    throw new TypeError(`step: state ${name}: expected a number, got ${describe(state[name])}`);
  }
  for (let i = 0; i < slots.length; i++) {
    const value = state[slots[i]];
    if (value == null) continue;
    const dims = shape.dimsOf?.(slots[i], param) ?? param._dims;
    if (!(value instanceof Tensor) || !sameDims(value._dims, dims) || value._dtype !== param._dtype) {
      const expected = `a tensor of shape [${dims.join(', ')}] and dtype ${param._dtype.name}`;
      throw new RangeError(`step: state ${slots[i]}: expected ${expected}, got ${describe(value)}`);
    }
  }
}

/** Refuses a step that could not be done for all parameters. */
export function checkUpdate<O>(
  name: string,
  groups: readonly ParamGroup[],
  states: ReadonlyMap<Tensor, ParamState>,
  algorithm: Algorithm<O> | ByOps<O>,
): void {
  for (const { params } of groups) {
    for (const param of params) {
      if (param._grad === null) continue;
      checkParam(param, param._grad);
      checkLayout(name, algorithm, param._grad);
      const state = states.get(param);
      if (state !== undefined) checkState(state, param, algorithm);
    }
  }
}

/** Reads the options for the parameters with sparse gradients, and returns what updates them. */
export function sparseUpdates<O>(
  groups: readonly ParamGroup<O>[],
  algorithm: Traits<O>,
  stateOf: (param: Tensor) => ParamState,
): () => void {
  const updates: (() => void)[] = [];
  for (const group of groups) {
    let update: ReturnType<NonNullable<typeof algorithm.sparse>> | undefined;
    for (const param of group.params) {
      if (!param._grad?.is_sparse) continue;
      const own = (update ??= algorithm.sparse!(group));
      updates.push(() => own(param, param._grad as SparseTensor, stateOf(param)));
    }
  }
  return () => updates.forEach((update) => update());
}

/** A gradient as the kernels take it: contiguous, and in the parameter's dtype. */
export function flatGradient(grad: Tensor, param: Tensor): Tensor {
  if (grad._dtype === param._dtype && grad._strides === null) return grad;
  return contiguous(to(detach(grad), param._dtype));
}

/** What a kernel multiplies a group's gradients by. */
export function factorOf(group: object, scale: number): number {
  return (group as { maximize?: boolean }).maximize ? -scale : scale;
}

/** A gradient times a factor, for updates made of ops. */
export function scaled(grad: Tensor, factor: number): Tensor {
  return factor === 1 ? grad : mul(grad, factor);
}

/** Runs a step's kernel. The second operand is the gradient; the others change. */
export function runRows(kernel: KernelId, rows: ListRow[]): void {
  const copies: [Tensor, Tensor][] = [];
  for (let r = 0; r < rows.length; r++) {
    const { scalars, operands } = rows[r];
    let flat = true;
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i];
      if (operand === null || i === 1) continue;
      operand._storage.version++;
      if (operand._strides !== null) flat = false;
    }
    if (!flat) rows[r] = { scalars, operands: operands.map((t) => flatCopy(t, copies)) };
  }
  callList(kernel, rows);
  if (copies.length > 0) no_grad(() => copies.forEach(([original, copy]) => copy_(original, copy)));
}

/** A contiguous stand-in for an operand, noted in `copies` to be written back. */
function flatCopy(operand: Tensor | null, copies: [Tensor, Tensor][]): Tensor | null {
  if (operand === null || operand._strides === null) return operand;
  const copy = contiguous(detach(operand));
  copies.push([operand, copy]);
  return copy;
}
