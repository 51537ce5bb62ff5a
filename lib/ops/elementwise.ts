import { pointwise1, pointwise2 } from '../backend/frame.js';
import type { KernelName } from '../backend/kernels.js';
import { mode } from '../autograd/mode.js';
import { record, recording, requiresGrad, type Grads, type Node, type Op } from '../autograd/node.js';
import { checkInPlace, inPlaceRecorded } from '../autograd/view.js';
import { bool, can_cast, type DType } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { broadcastDims, floatingPoint, result_type, sameDims } from './shape.js';
import { to } from './convert.js';
import { sum_to_size } from './reduce.js';
import { tensor } from './creation.js';

// How every elementwise op is made: shapes, promotion, the kernel call, the record, and the in-place form.

/** A tensor to write an elementwise result to: with the strides of `like` where those are dense, as PyTorch does. */
export function allocateLike(dims: Dims, dtype: DType, like: Tensor): Tensor {
  const out = allocate(dims, dtype);
  if (like._strides !== null && sameDims(like._dims, dims) && isDense(like)) out._strides = like._strides;
  return out;
}

/** Whether a tensor's elements lie in one run without gaps or sharing, in whatever order of dimensions. */
export function isDense(t: Tensor): boolean {
  if (t._strides === null) return true;
  const strides = t._strides;
  const order = t._dims.map((_, i) => i).filter((i) => t._dims[i] !== 1);
  order.sort((i, j) => strides[i] - strides[j]);
  let step = 1;
  for (const i of order) {
    if (strides[i] !== step) return false;
    step *= t._dims[i];
  }
  return true;
}

/** What a function of one tensor saves for its backward. */
type Save = 'input' | 'output' | 'nothing';

/** A function of one tensor, element by element, and its in-place form. */
export interface Unary {
  (input: Tensor): Tensor;
  inPlace(input: Tensor): Tensor;
}

/**
 * A function of one tensor with a kernel of its own.
 * @param gradient The gradient of the input; `saved` is the input or the output as `save` says.
 */
export function unary(
  kernel: KernelName,
  nodeName: string,
  save: Save,
  gradient: (grad: Tensor, saved: Tensor, node: Node) => Tensor,
  kind: 'float' | 'number' = 'float',
): Unary {
  const op: Op = {
    name: nodeName,
    backward: (grad, node) => gradient(grad, save === 'nothing' ? grad : node.unpack(0), node),
  };
  const saved = (input: Tensor, out: Tensor): Tensor[] => (save === 'input' ? [input] : save === 'output' ? [out] : []);
  const forward = (input: Tensor): Tensor => {
    checkTensor(kernel, 'input', input);
    if (kind === 'float' && !input._dtype.is_floating_point) input = to(input, floatingPoint(input._dtype));
    const out = allocateLike(input._dims, input._dtype, input);
    pointwise1(kernel, out, input);
    if (recording(input)) record(op, out, [input], saved(input, out));
    return out;
  };
  const inPlace = (input: Tensor): Tensor => {
    checkTensor(`${kernel}_`, 'input', input);
    if (kind === 'float' && !input._dtype.is_floating_point)
      throw castError(`${kernel}_`, floatingPoint(input._dtype), input._dtype);
    return writeInPlace(`${kernel}_`, input, [], (out) => pointwise1(kernel, out, out), forward);
  };
  return Object.assign(forward, { inPlace });
}

/** The error for a result that does not fit the tensor it is to be written to. */
export function castError(name: string, from: DType, to: DType): TypeError {
  return new TypeError(`${name}: result type ${from.label} can't be cast to the desired output type ${to.label}`);
}

/**
 * The in-place form of an op.
 * @param direct Writes the result straight into its argument.
 * @param recorded The op itself, for when a graph is being built.
 */
export function writeInPlace(
  name: string,
  t: Tensor,
  others: readonly Tensor[],
  direct: (out: Tensor) => void,
  recorded: (input: Tensor) => Tensor,
): Tensor {
  checkInPlace(name, t);
  if (mode.enabled && (requiresGrad(t) || others.some(requiresGrad))) return inPlaceRecorded(t, recorded);
  direct(t);
  t._storage.version++;
  return t;
}

/** Whether writing `out` element by element could change what is still to be read of `input`. */
function overlaps(out: Tensor, input: Tensor): boolean {
  if (out._storage.block !== input._storage.block) return false;
  if (out._offset === input._offset && out._strides === null && input._strides === null)
    return out._numel !== input._numel;
  if (
    out._offset === input._offset &&
    sameDims(out._dims, input._dims) &&
    sameDims(out._strides ?? [], input._strides ?? [])
  ) {
    return false;
  }
  return reach(out, 0) < reach(input, 1) && reach(input, 0) < reach(out, 1);
}

/** The first byte of a tensor's elements, or the one behind the last. */
function reach(t: Tensor, end: 0 | 1): number {
  const size = t._dtype.itemsize;
  if (end === 0) return t._offset * size;
  if (t._strides === null) return (t._offset + t._numel) * size;
  return (t._strides.reduce((at, s, i) => at + s * (t._dims[i] - 1), t._offset) + 1) * size;
}

/** An operand that can be read while `out` is written: a copy where they overlap. */
export function apart(out: Tensor, input: Tensor): Tensor {
  if (!overlaps(out, input)) return input;
  const copy = allocate(input._dims, input._dtype);
  pointwise1('copy', copy, input);
  return copy;
}

/** A function of two tensors, or of a tensor and a number, element by element, and its in-place form. */
export interface Binary {
  (input: Tensor, other: Tensor | Scalar): Tensor;
  inPlace(input: Tensor, other: Tensor | Scalar): Tensor;
}

/** The gradients of the two inputs of a {@link binary}; `a` and `b` as they were saved, a number for one that was no tensor. */
type BinaryGradient = (
  grad: Tensor,
  a: Tensor | number,
  b: Tensor | number,
  needs: readonly [boolean, boolean],
  node: Node,
) => readonly [Tensor | null, Tensor | null];

/** What distinguishes one function of two tensors from another. */
interface BinaryRule {
  /** PyTorch's name of the function. */
  name: string;
  kernel: KernelName;
  /** Absent where there is no gradient. */
  nodeName?: string;
  gradient?: BinaryGradient;
  /** Whether the gradient reads the inputs. */
  saves?: boolean;
  /** The dtype of the result where it is not that of the promoted inputs. */
  out?: DType;
  /** Whether integers are first converted to floating point. */
  float?: boolean;
  /** The kernel for booleans, where they need another; null where they are refused. */
  boolKernel?: KernelName | null;
}

/** Puts an operand into dtype `dtype`; numbers stay, except those beyond what the frame's numbers hold. */
function convert(operand: Tensor | Scalar, dtype: DType): Tensor | number {
  if (operand instanceof Tensor) return operand._dtype === dtype ? operand : to(operand, dtype);
  if (typeof operand === 'bigint' && !Number.isSafeInteger(Number(operand))) return tensor(operand, { dtype });
  return Number(operand);
}

function checkOperand(name: string, argument: string, value: unknown): void {
  if (value instanceof Tensor || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return;
  throw new TypeError(`${name}: ${argument}: expected a Tensor or a number, got ${describe(value)}`);
}

const NONE: readonly number[] = [];

/** Makes a function of two tensors from its rule. */
export function binary(rule: BinaryRule): Binary & {
  /** With the kernel's scalars, and what the gradient is to know of them. */
  apply(a: Tensor | Scalar, b: Tensor | Scalar, scalars: readonly number[], alpha?: unknown): Tensor;
  applyInPlace(a: Tensor, b: Tensor | Scalar, scalars: readonly number[], alpha?: unknown): Tensor;
} {
  const { name, kernel, gradient } = rule;
  const saves = rule.saves ?? false;
  const op: Op | null =
    gradient === undefined
      ? null
      : {
          name: rule.nodeName!,
          backward(grad, node): Grads {
            const numbers = node.attrs as BinaryAttrs;
            const a = numbers.a ?? (saves ? node.unpack(0) : 0);
            const b = numbers.b ?? (saves ? node.unpack(1) : 0);
            const [ga, gb] = gradient(grad, a, b, [node.needs(0), node.needs(1)], node);
            return [
              ga === null ? null : sum_to_size(ga, node.inDims[0]),
              gb === null ? null : sum_to_size(gb, node.inDims[1]),
            ];
          },
        };
  const dtypeOf = (a: Tensor | Scalar, b: Tensor | Scalar): DType => {
    const dtype = result_type(a, b);
    return rule.float ? floatingPoint(dtype) : dtype;
  };
  const kernelOf = (dtype: DType): KernelName => {
    if (dtype !== bool || rule.boolKernel === undefined) return kernel;
    if (rule.boolKernel === null)
      throw new TypeError(`${name}: not implemented for booleans; use logical_xor or bitwise_not`);
    return rule.boolKernel;
  };
  const apply = (
    input: Tensor | Scalar,
    other: Tensor | Scalar,
    scalars: readonly number[],
    alpha?: unknown,
  ): Tensor => {
    checkOperand(name, 'input', input);
    checkOperand(name, 'other', other);
    const dtype = dtypeOf(input, other);
    const a = convert(input, dtype);
    const b = convert(other, dtype);
    const tensorA = a instanceof Tensor ? a : null;
    const tensorB = b instanceof Tensor ? b : null;
    const dims =
      tensorA === null
        ? tensorB!._dims
        : tensorB === null
          ? tensorA._dims
          : broadcastDims(name, tensorA._dims, tensorB._dims);
    const like = tensorA !== null && tensorA._dims.length === dims.length ? tensorA : (tensorB ?? tensorA!);
    const out = allocateLike(dims, rule.out ?? dtype, like);
    const k = kernelOf(dtype);
    pointwise2(k, out, a, b, k === kernel ? scalars : NONE);
    if (op !== null && recording((tensorA ?? tensorB)!, tensorB)) {
      const attrs: BinaryAttrs = {
        a: tensorA === null ? (a as number) : null,
        b: tensorB === null ? (b as number) : null,
        alpha,
      };
      record(op, out, [tensorA, tensorB], saves ? [tensorA, tensorB] : [], attrs);
    }
    return out;
  };
  const applyInPlace = (input: Tensor, other: Tensor | Scalar, scalars: readonly number[], alpha?: unknown): Tensor => {
    checkTensor(`${name}_`, 'input', input);
    checkOperand(`${name}_`, 'other', other);
    const dtype = dtypeOf(input, other);
    if (!can_cast(rule.out ?? dtype, input._dtype)) throw castError(`${name}_`, rule.out ?? dtype, input._dtype);
    if (other instanceof Tensor && !sameDims(broadcastDims(`${name}_`, input._dims, other._dims), input._dims)) {
      throw new RangeError(
        `${name}_: output with shape [${input._dims.join(', ')}] doesn't match the broadcast shape of it and [${other._dims.join(', ')}]`,
      );
    }
    const compute = (t: Tensor): Tensor => apply(t, other, scalars, alpha);
    return writeInPlace(
      `${name}_`,
      input,
      other instanceof Tensor ? [other] : [],
      (out) => {
        // Integer kernels may stop at a division by zero: compute beside, so that a failure changes nothing.
        const b = convert(other, dtype);
        if (dtype !== out._dtype || rule.out !== undefined || !dtype.is_floating_point)
          pointwise1('copy', out, compute(out));
        else pointwise2(kernelOf(dtype), out, out, b instanceof Tensor ? apart(out, b) : b, scalars);
      },
      (before) => {
        const result = compute(before);
        return result._dtype === input._dtype ? result : to(result, input._dtype);
      },
    );
  };
  const forward = (input: Tensor, other: Tensor | Scalar): Tensor => apply(input, other, NONE);
  return Object.assign(forward, {
    apply,
    inPlace: (input: Tensor, other: Tensor | Scalar) => applyInPlace(input, other, NONE),
    applyInPlace,
  });
}

/** What a {@link binary}'s node keeps: the inputs that were numbers, and `alpha` of add and sub. @internal */
export interface BinaryAttrs {
  a: number | null;
  b: number | null;
  alpha: unknown;
}
