import { defineOptions } from '../options.js';
import { float64 } from '../tensor/dtype.js';
import { checkTensor, describe, memoryOf, Tensor } from '../tensor/tensor.js';
import { grad } from './backward.js';
import { no_grad } from './mode.js';
import { requiresGrad } from './node.js';

/** A function of tensors whose gradients are to be checked. */
export type CheckedFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** Options of {@link gradcheck}. */
export interface GradcheckOptions {
  /** The step of the finite differences. Default 1e-6. */
  eps?: number;
  /** Absolute tolerance. Default 1e-5. */
  atol?: number;
  /** Relative tolerance. Default 1e-3. */
  rtol?: number;
  /** Whether a mismatch throws (default) or gives false. */
  raise_exception?: boolean;
}

const defaults = { eps: 1e-6, atol: 1e-5, rtol: 1e-3, raise_exception: true };
const gradcheckOptions = defineOptions('autograd.gradcheck', defaults);
const gradgradcheckOptions = defineOptions('autograd.gradgradcheck', defaults);

class Mismatch extends Error {}

function listOf(result: Tensor | readonly Tensor[]): readonly Tensor[] {
  return (Array.isArray(result) ? result : [result]) as readonly Tensor[];
}

/** Refuses what cannot be checked. */
function readInputs(name: string, fn: unknown, inputs: Tensor | readonly Tensor[]): readonly Tensor[] {
  if (typeof fn !== 'function') throw new TypeError(`${name}: fn: expected a function, got ${describe(fn)}`);
  const list = listOf(inputs);
  list.forEach((t, i) => checkTensor(name, `inputs[${i}]`, t));
  return list;
}

function differentiable(result: Tensor | readonly Tensor[]): Tensor[] {
  return listOf(result).filter((t) => t._dtype.is_floating_point);
}

/** Element `j` of output `o` by element `i` of `input`, from two evaluations at a distance of 2 eps. */
function numericJacobian(fn: CheckedFunction, inputs: readonly Tensor[], input: Tensor, eps: number): Float64Array[][] {
  const memory = memoryOf(input) as Float64Array;
  const values = (): Float64Array[] => differentiable(fn(...inputs)).map((out) => out.toTypedArray() as Float64Array);
  const columns: Float64Array[][] = [];
  for (let i = 0; i < input._numel; i++) {
    const at = input._offset + i;
    const before = memory[at];
    memory[at] = before + eps;
    const above = values();
    memory[at] = before - eps;
    const below = values();
    memory[at] = before;
    columns.push(above.map((a, o) => a.map((x, j) => (x - below[o][j]) / (2 * eps))));
  }
  return columns;
}

/**
 * Compares the gradients of `fn` with finite differences, element by element. PyTorch: `torch.autograd.gradcheck`.
 * @param inputs Those that require a gradient must be contiguous and float64.
 * @returns Whether they agree.
 * @throws Error that names the first element that differs.
 */
export function gradcheck(
  fn: CheckedFunction,
  inputs: Tensor | readonly Tensor[],
  options?: GradcheckOptions,
): boolean {
  const { eps, atol, rtol, raise_exception } = gradcheckOptions(options);
  const all = readInputs('gradcheck', fn, inputs);
  const checked = all.filter(requiresGrad);
  if (checked.length === 0) throw new Error('gradcheck: inputs: expected at least one tensor that requires gradient');
  for (const t of checked) {
    if (t._dtype !== float64 || t._strides !== null)
      throw new TypeError('gradcheck: inputs: expected contiguous tensors of dtype float64');
  }
  try {
    const outputs = differentiable(fn(...all));
    if (!outputs.some(requiresGrad)) throw new Mismatch('gradcheck: no output requires gradient');
    checked.forEach((input, which) => {
      const numeric = numericJacobian(fn, all, input, eps);
      outputs.forEach((out, o) => {
        for (let j = 0; j < out._numel; j++) {
          const row = requiresGrad(out) ? analyticRow(out, j, input) : null;
          for (let i = 0; i < input._numel; i++) {
            const a = row === null ? 0 : row[i];
            const n = numeric[i][o][j];
            if (!(Math.abs(a - n) <= atol + rtol * Math.abs(n))) {
              throw new Mismatch(
                `gradcheck: Jacobian mismatch for output ${o} (element ${j}) with respect to input ${which} (element ${i}): ` +
                  `numerical ${n}, analytical ${a}`,
              );
            }
          }
        }
      });
    });
  } catch (error) {
    if (error instanceof Mismatch && !raise_exception) return false;
    throw error;
  }
  return true;
}

function analyticRow(out: Tensor, j: number, input: Tensor): Float64Array | null {
  const seed = new Float64Array(out._numel);
  seed[j] = 1;
  const gradOutput = no_grad(() => out.detach().clone({ memory_format: 'contiguous' }));
  (memoryOf(gradOutput) as Float64Array).set(seed, gradOutput._offset);
  const [g] = grad(out, input, { grad_outputs: gradOutput, retain_graph: true, allow_unused: true });
  return g === null ? null : (g.toTypedArray() as Float64Array);
}

/**
 * Compares the gradients of `fn`'s gradients with finite differences. PyTorch: `torch.autograd.gradgradcheck`.
 * @returns Whether they agree.
 * @throws Error that names the first element that differs.
 */
export function gradgradcheck(
  fn: CheckedFunction,
  inputs: Tensor | readonly Tensor[],
  options?: GradcheckOptions,
): boolean {
  const complete = gradgradcheckOptions(options);
  const all = readInputs('gradgradcheck', fn, inputs);
  const checked = all.filter(requiresGrad);
  // Other weights for each element of the output, so that no two can be mistaken for each other.
  const weights = no_grad(() =>
    differentiable(fn(...all)).map((out) => {
      const weight = out.detach().clone({ memory_format: 'contiguous' });
      const memory = memoryOf(weight) as Float64Array;
      for (let i = 0; i < weight._numel; i++) memory[weight._offset + i] = 0.5 + Math.sin(i + 1);
      return weight.requires_grad_();
    }),
  );
  const gradient = (...args: Tensor[]): readonly Tensor[] => {
    const outputs = differentiable(fn(...args.slice(0, all.length)));
    return grad(outputs, checked, {
      grad_outputs: args.slice(all.length),
      create_graph: true,
      materialize_grads: true,
    }) as Tensor[];
  };
  return gradcheck(gradient, [...all, ...weights], complete);
}
