import { zeros } from './ops.js';
import { mode, withGradMode } from './mode.js';
import { recordingAny, recordAll, requiresGrad, type Node, type Op } from './node.js';
import { adopt, checkFollowed, checkInPlace } from './view.js';
import { describe, Tensor, type Dims } from '../tensor/tensor.js';
import type { DType } from '../tensor/dtype.js';
import { sum_to_size } from './ops.js';

/** What a {@link Function}'s forward leaves for its backward. PyTorch: `torch.autograd.function.FunctionCtx`. */
export class FunctionCtx {
  /** Whether each argument of `forward` that is a tensor wants a gradient; false for what is no tensor. */
  needs_input_grad: boolean[] = [];
  /** @internal */ _toSave: (Tensor | null)[] = [];
  /** @internal */ _node: Node | null = null;
  /** @internal */ _dirty = new Set<Tensor>();
  /** @internal */ _nonDifferentiable = new Set<Tensor>();
  /** @internal */ _materialize = true;
  /** Whatever else forward wants to keep. */
  [name: string]: unknown;

  /** Saves inputs or outputs for the backward. PyTorch: `save_for_backward`. */
  save_for_backward(...tensors: (Tensor | null)[]): void {
    for (const t of tensors) {
      if (t !== null && !(t instanceof Tensor)) {
        throw new TypeError(`save_for_backward: expected Tensors or null, got ${describe(t)}`);
      }
    }
    this._toSave = tensors;
  }

  /**
   * What {@link save_for_backward} saved. PyTorch: `ctx.saved_tensors`.
   * @throws Error if the graph was freed, or a saved tensor was modified in place.
   */
  get saved_tensors(): (Tensor | null)[] {
    if (this._node === null) return this._toSave;
    return Array.from({ length: this._node.savedCount }, (_, i) => this._node!.unpackOptional(i));
  }

  /** States which inputs forward changed in place; it returns them too. PyTorch: `mark_dirty`. */
  mark_dirty(...tensors: Tensor[]): void {
    tensors.forEach((t) => this._dirty.add(t));
  }

  /** States which outputs have no gradient. PyTorch: `mark_non_differentiable`. */
  mark_non_differentiable(...tensors: Tensor[]): void {
    tensors.forEach((t) => this._nonDifferentiable.add(t));
  }

  /** Whether backward gets zeros (default) or null for outputs without a gradient. PyTorch: `set_materialize_grads`. */
  set_materialize_grads(value: boolean): void {
    this._materialize = value;
  }
}

/** What a subclass of {@link Function} states. */
interface FunctionClass<Args extends unknown[], Result extends Tensor | readonly Tensor[]> {
  readonly name: string;
  forward(ctx: FunctionCtx, ...args: Args): Result;
  backward(ctx: FunctionCtx, ...grads: (Tensor | null)[]): Tensor | null | readonly (Tensor | null)[];
}

/**
 * An op with a backward of the user's own. PyTorch: `torch.autograd.Function`. Subclasses have static methods
 * `forward(ctx, …args)` and `backward(ctx, …grads)`, which returns a gradient (or null) for each argument of forward;
 * they are called by `Subclass.apply(…args)`.
 */
export class Function {
  /**
   * Calls `forward` and records it.
   * @throws TypeError if forward returns something else than tensors; Error, in backward, for gradients that do not fit.
   */
  static apply<Args extends unknown[], Result extends Tensor | readonly Tensor[]>(
    this: FunctionClass<Args, Result>,
    ...args: Args
  ): Result {
    const ctx = new FunctionCtx();
    const inputs = args.map((arg) => (arg instanceof Tensor ? arg : null));
    const tensors = inputs.filter((t) => t !== null);
    const recorded = recordingAny(tensors);
    ctx.needs_input_grad = inputs.map((t) => mode.enabled && t !== null && requiresGrad(t));
    const result = withGradMode(false, () => this.forward(ctx, ...args));
    const outputs = (Array.isArray(result) ? result : [result]) as Tensor[];
    for (const out of outputs) {
      if (!(out instanceof Tensor)) {
        throw new TypeError(`${this.name}.forward: expected a Tensor or an array of Tensors, got ${describe(out)}`);
      }
    }
    for (const t of ctx._dirty) {
      t._storage.version++;
      if (!outputs.includes(t))
        throw new Error(`${this.name}.forward: a tensor that was marked dirty was not returned`);
      if (!recorded) continue;
      checkInPlace(this.name, t);
      checkFollowed(this.name, t);
    }
    if (!recorded) return result;
    // An input that is returned becomes a tensor of its own, else it would be its own predecessor.
    const outs = outputs.map((out) => (tensors.includes(out) ? aliasOf(out) : out));
    const shapes = outs.map((out) => ({ dims: out._dims, dtype: out._dtype }));
    recordAll(
      operation(this, ctx, inputs, shapes),
      outs.map((out) => (ctx._nonDifferentiable.has(out) ? null : out)),
      inputs,
      ctx._toSave.map((t) => (t === null ? null : (outs[outputs.indexOf(t)] ?? t))),
    );
    ctx._node = outs.find((out) => out._node?.op.external)?._node ?? null;
    const returned = outs.map((out, i) => {
      if (!ctx._dirty.has(outputs[i])) return out;
      adopt(outputs[i], out);
      return outputs[i];
    });
    return (Array.isArray(result) ? returned : returned[0]) as Result;
  }
}

function aliasOf(t: Tensor): Tensor {
  return new Tensor(t._storage, t._offset, t._dims, t._strides, t._numel, t._dtype);
}

function operation(
  owner: Pick<FunctionClass<never[], Tensor>, 'name' | 'backward'>,
  ctx: FunctionCtx,
  inputs: readonly (Tensor | null)[],
  outputs: readonly { dims: Dims; dtype: DType }[],
): Op {
  const wanted = inputs.map((t) => (t === null ? null : { dims: t._dims, dtype: t._dtype }));
  const name = `${owner.name}Backward`;
  return {
    name,
    external: true,
    backward(_grad, node, grads) {
      ctx._node = node;
      const given = grads.map(
        (g, i) => g ?? (ctx._materialize ? zeros(outputs[i].dims, { dtype: outputs[i].dtype }) : null),
      );
      const returned = owner.backward(ctx, ...given);
      const list = (Array.isArray(returned) ? returned : [returned]) as readonly (Tensor | null | undefined)[];
      if (list.length > wanted.length && list.slice(wanted.length).some((g) => g != null)) {
        throw new Error(
          `${name}: returned an incorrect number of gradients (expected ${wanted.length}, got ${list.length})`,
        );
      }
      return wanted.map((input, i) => {
        const g = list[i] ?? null;
        if (list.length < wanted.length) {
          throw new Error(
            `${name}: returned an incorrect number of gradients (expected ${wanted.length}, got ${list.length})`,
          );
        }
        if (g === null) return null;
        if (!(g instanceof Tensor))
          throw new TypeError(`${name}: expected Tensors or null as gradients, got ${describe(g)} at index ${i}`);
        if (input === null)
          throw new Error(
            `${name}: returned a gradient different from null at index ${i}, but forward's argument there is no Tensor`,
          );
        return fit(name, i, g, input.dims, input.dtype);
      });
    },
  };
}

/** A gradient in the shape and dtype of its input, where it can be brought to it. */
function fit(name: string, i: number, grad: Tensor, dims: Dims, dtype: DType): Tensor {
  const shaped =
    grad._dims.length === dims.length && grad._dims.every((d, j) => d === dims[j])
      ? grad
      : reduced(name, i, grad, dims);
  return shaped._dtype === dtype ? shaped : shaped.to(dtype);
}

function reduced(name: string, i: number, grad: Tensor, dims: Dims): Tensor {
  try {
    return sum_to_size(grad, dims);
  } catch (cause) {
    throw new Error(
      `${name}: returned an invalid gradient at index ${i}: got [${grad._dims.join(', ')}] but expected shape compatible with [${dims.join(', ')}]`,
      { cause },
    );
  }
}
