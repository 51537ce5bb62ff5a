import { callList } from '../../backend/frame.js';
import { K } from '../../backend/kernels.js';
import { no_grad } from '../../autograd/mode.js';
import { contiguous } from '../../ops/convert.js';
import { tensor } from '../../ops/creation.js';
import { cat } from '../../ops/join.js';
import { defineOptions } from '../../options.js';
import { float32, type DType } from '../../tensor/dtype.js';
import { allocate, describe, Tensor } from '../../tensor/tensor.js';

const normDefaults = { norm_type: 2, error_if_nonfinite: false, foreach: null as boolean | null };
const foreachDefaults = { foreach: null as boolean | null };
const optionsOf = {
  clip_grad_norm_: defineOptions('nn.utils.clip_grad_norm_', normDefaults),
  get_total_norm: defineOptions('nn.utils.get_total_norm', normDefaults),
  clip_grads_with_norm_: defineOptions('nn.utils.clip_grads_with_norm_', foreachDefaults),
  clip_grad_value_: defineOptions('nn.utils.clip_grad_value_', foreachDefaults),
};

/** Options of {@link clip_grad_norm_} and {@link get_total_norm}. */
export interface TotalNormOptions {
  /** The p of the norm; `Infinity` for the greatest absolute value. Default 2. */
  norm_type?: number;
  /** Throw if the norm is infinite or NaN. Default false. */
  error_if_nonfinite?: boolean;
  /** Without effect: there is one implementation. */
  foreach?: boolean | null;
}

/** Tensors, of which a single one may stand without its array. @internal */
export function readTensors(name: string, argument: string, given: Tensor | Iterable<Tensor>): Tensor[] {
  if (given instanceof Tensor) return [given];
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given))
    throw new TypeError(`${name}: ${argument}: expected a Tensor or an iterable of them, got ${describe(given)}`);
  const tensors = Array.from(given);
  for (const t of tensors) {
    if (!(t instanceof Tensor)) {
      throw new TypeError(`${name}: ${argument}: expected a Tensor or an iterable of them, got one of ${describe(t)}`);
    }
  }
  return tensors;
}

/** The gradients of tensors that have one. @internal */
export function gradsOf(name: string, tensors: readonly Tensor[]): Tensor[] {
  const grads = tensors.map((t) => t._grad).filter((grad) => grad !== null);
  grads.forEach((grad) => checkDense(name, grad));
  return grads;
}

function checkDense(name: string, t: Tensor): void {
  if (t.is_sparse) throw new TypeError(`${name}: not implemented for sparse gradients; to_dense() gives dense ones`);
}

function checkNumber(name: string, argument: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name}: ${argument}: expected a number, got ${describe(value)}`);
}

/** The tensors by their dtypes: a kernel takes one dtype at a time. */
function byDtype(name: string, tensors: readonly Tensor[]): Map<DType, Tensor[]> {
  const groups = new Map<DType, Tensor[]>();
  for (const t of tensors) {
    checkDense(name, t);
    if (!t.is_floating_point())
      throw new TypeError(`${name}: expected tensors of a floating-point dtype, got ${describe(t)}`);
    const group = groups.get(t.dtype);
    if (group === undefined) groups.set(t.dtype, [t]);
    else group.push(t);
  }
  return groups;
}

/** The norm of each tensor of one dtype. */
function norms(tensors: readonly Tensor[], p: number): Tensor {
  const out = allocate([tensors.length], tensors[0].dtype);
  const place = (i: number) => new Tensor(out._storage, out._offset + i, [], null, 1, out._dtype);
  callList(
    K.list_norm,
    tensors.map((t, i) => ({ scalars: [p], operands: [contiguous(t), place(i)] })),
  );
  return out;
}

/** The norm of all tensors together. @internal */
export function totalNorm(
  name: string,
  tensors: readonly Tensor[],
  options: { norm_type: number; error_if_nonfinite: boolean },
): Tensor {
  const { norm_type, error_if_nonfinite } = options;
  checkNumber(name, 'norm_type', norm_type);
  return no_grad(() => {
    if (tensors.length === 0) return tensor(0);
    const each = [...byDtype(name, tensors).values()].map((group) => norms(group, norm_type));
    const total = norms([each.length === 1 ? each[0] : cat(each)], norm_type).reshape([]);
    if (error_if_nonfinite && !Number.isFinite(total.item())) {
      throw new Error(
        `${name}: the total norm of order ${norm_type} for gradients from parameters is non-finite, so it cannot be ` +
          'clipped. To scale the gradients by it anyway, set error_if_nonfinite: false',
      );
    }
    return total;
  });
}

/**
 * The norm of all tensors together, as if they were one vector. PyTorch: `torch.nn.utils.get_total_norm`.
 * @throws Error with `error_if_nonfinite` if it is infinite or NaN.
 */
export function get_total_norm(tensors: Tensor | Iterable<Tensor>, options?: TotalNormOptions): Tensor {
  const name = 'get_total_norm';
  return totalNorm(name, readTensors(name, 'tensors', tensors), optionsOf.get_total_norm(options));
}

/** What brings gradients of a norm down to the greatest norm; 1 for those that have none greater. @internal */
export function clipFactor(total_norm: Tensor, max_norm: number): number {
  // As PyTorch computes it: in the dtype of the norm, the quotient by a reciprocal.
  const round = total_norm.dtype === float32 ? Math.fround : Number;
  const factor = round(round(1 / round(Number(total_norm.item()) + 1e-6)) * max_norm);
  return factor >= 1 ? 1 : factor;
}

function scaleGrads(name: string, grads: readonly Tensor[], max_norm: number, total_norm: Tensor): void {
  no_grad(() => {
    const groups = byDtype(name, grads);
    const factor = clipFactor(total_norm, max_norm);
    if (factor === 1) return;
    for (const [dtype, group] of groups) {
      const own = tensor(factor, { dtype });
      const rows = [];
      for (const grad of group) {
        if (grad.is_contiguous()) {
          rows.push({ scalars: [], operands: [grad, own] });
          grad._storage.version++;
        } else grad.mul_(own);
      }
      callList(K.list_mul, rows);
    }
  });
}

/**
 * Scales the gradients of `parameters` by `max_norm / total_norm` where that is less than 1, in place.
 * PyTorch: `torch.nn.utils.clip_grads_with_norm_`.
 */
export function clip_grads_with_norm_(
  parameters: Tensor | Iterable<Tensor>,
  max_norm: number,
  total_norm: Tensor,
  options?: { foreach?: boolean | null },
): void {
  const name = 'clip_grads_with_norm_';
  optionsOf.clip_grads_with_norm_(options);
  checkNumber(name, 'max_norm', max_norm);
  if (!(total_norm instanceof Tensor) || total_norm.numel() !== 1)
    throw new TypeError(`${name}: total_norm: expected a Tensor with one element, got ${describe(total_norm)}`);
  scaleGrads(name, gradsOf(name, readTensors(name, 'parameters', parameters)), max_norm, total_norm);
}

/**
 * Scales the gradients of `parameters`, in place, so that their norm (as one vector) is at most `max_norm`, and returns the
 * norm they had. PyTorch: `torch.nn.utils.clip_grad_norm_`.
 * @throws Error with `error_if_nonfinite` if the norm is infinite or NaN: nothing is scaled then.
 */
export function clip_grad_norm_(
  parameters: Tensor | Iterable<Tensor>,
  max_norm: number,
  options?: TotalNormOptions,
): Tensor {
  const name = 'clip_grad_norm_';
  const given = optionsOf.clip_grad_norm_(options);
  checkNumber(name, 'max_norm', max_norm);
  const grads = gradsOf(name, readTensors(name, 'parameters', parameters));
  const total = totalNorm(name, grads, given);
  scaleGrads(name, grads, max_norm, total);
  return total;
}

/** Clamps the gradients of `parameters` to [-clip_value, clip_value], in place. PyTorch: `torch.nn.utils.clip_grad_value_`. */
export function clip_grad_value_(
  parameters: Tensor | Iterable<Tensor>,
  clip_value: number,
  options?: { foreach?: boolean | null },
): void {
  const name = 'clip_grad_value_';
  optionsOf.clip_grad_value_(options);
  checkNumber(name, 'clip_value', clip_value);
  const grads = gradsOf(name, readTensors(name, 'parameters', parameters));
  no_grad(() => grads.forEach((grad) => grad.clamp_(-clip_value, clip_value)));
}
