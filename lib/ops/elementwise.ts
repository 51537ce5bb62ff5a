import { pointwise1, pointwise2 } from '../backend/frame.js';
import { K, type KernelId, type KernelName } from '../backend/kernels.js';
import { mode, unrecorded } from '../autograd/mode.js';
import { record, recording, recordingAny, requiresGrad, type Grads, type Op } from '../autograd/node.js';
import { checkInPlace, inPlaceRecorded } from '../autograd/view.js';
import { bool, can_cast, type DType } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';
import { broadcastDims, common_dtype, floatingPoint, result_type, sameDims } from './shape.js';
import { clone, to } from './convert.js';
import { sum_to_size } from './reduction.js';
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

/** A function whose first argument is a tensor, with its in-place form. */
export interface WithInPlace<Rest extends unknown[] = []> {
  (input: Tensor, ...rest: Rest): Tensor;
  inPlace(input: Tensor, ...rest: Rest): Tensor;
}

/** What distinguishes one function of one tensor from another. */
interface UnaryRule {
  /** PyTorch's name of the function. */
  name: string;
  /** Default: the name. */
  kernel?: KernelName;
  /** PyTorch's name of the node, where it is not the function's with a 0. */
  node?: string;
  /** What the backward reads. */
  saves?: 'input' | 'output';
  /** The gradient of the input. `saved` is the input or the output, as `saves` says; `scalars` are the kernel's. */
  gradient(grad: Tensor, saved: Tensor, scalars: readonly number[]): Tensor;
  /** What happens to integers: they are converted to floating point (default), computed with, or returned as they are. */
  integers?: 'convert' | 'compute' | 'keep';
}

/** Makes a function of one tensor from its rule; its further arguments are the kernel's scalars. */
export function unary(rule: UnaryRule): WithInPlace & {
  apply(input: Tensor, scalars: readonly number[]): Tensor;
  applyInPlace(input: Tensor, scalars: readonly number[]): Tensor;
} {
  const { name, saves, integers = 'convert' } = rule;
  const kernel = K[rule.kernel ?? (name as KernelName)];
  const op: Op = {
    name: rule.node ?? nodeName(name),
    backward: (grad, node) =>
      rule.gradient(grad, saves === undefined ? grad : node.unpack(0), node.attrs as readonly number[]),
  };
  const apply = (input: Tensor, scalars: readonly number[]): Tensor => {
    checkTensor(name, 'input', input);
    const dtype = input._dtype;
    if (!dtype.is_floating_point && integers !== 'compute') {
      if (integers === 'keep' && dtype !== bool) return clone(input);
      input = to(input, floatingPoint(dtype));
    }
    const out = allocateLike(input._dims, input._dtype, input);
    pointwise1(kernel, out, input, scalars);
    if (recording(input)) {
      record(op, out, [input], saves === 'input' ? [input] : saves === 'output' ? [out] : NOTHING, scalars);
    }
    return out;
  };
  const applyInPlace = (input: Tensor, scalars: readonly number[]): Tensor => {
    checkTensor(`${name}_`, 'input', input);
    const dtype = input._dtype;
    if (!dtype.is_floating_point && integers !== 'compute') {
      if (integers === 'keep' && dtype !== bool) return input;
      throw castError(`${name}_`, floatingPoint(dtype), dtype);
    }
    return writeInPlace(
      `${name}_`,
      input,
      NOTHING,
      (out) => pointwise1(kernel, out, out, scalars),
      (before) => apply(before, scalars),
    );
  };
  return Object.assign((input: Tensor) => apply(input, NONE), {
    apply,
    applyInPlace,
    inPlace: (input: Tensor) => applyInPlace(input, NONE),
  });
}

/** PyTorch's name of the node of a function. */
export function nodeName(name: string): string {
  const camel = name.replace(/(^|_|\d)([a-z])/g, (_, before: string, letter: string) =>
    before === '_' ? letter.toUpperCase() : before + letter.toUpperCase(),
  );
  return `${camel}Backward0`;
}

/**
 * Gives a function an in-place form that computes beside its input and copies the result.
 * @param name The function's name in PyTorch.
 * @param direct Writes the result straight into its argument, unless it returns that it cannot.
 */
export function withInPlace<Rest extends unknown[]>(
  name: string,
  f: (input: Tensor, ...rest: Rest) => Tensor,
  direct?: (out: Tensor, ...rest: Rest) => boolean,
): WithInPlace<Rest> {
  const inPlace = (input: Tensor, ...rest: Rest): Tensor => {
    checkTensor(`${name}_`, 'input', input);
    const compute = (t: Tensor): Tensor => {
      const result = f(t, ...rest);
      if (!can_cast(result._dtype, t._dtype)) throw castError(`${name}_`, result._dtype, t._dtype);
      checkResultDims(name, t._dims, result._dims);
      return result._dtype === t._dtype ? result : to(result, t._dtype);
    };
    const others = rest.filter((value) => value instanceof Tensor);
    const write = (out: Tensor): void => {
      if (direct === undefined || !direct(out, ...rest)) pointwise1(K.copy, out, compute(out));
    };
    return writeInPlace(`${name}_`, input, others, write, compute);
  };
  return Object.assign((input: Tensor, ...rest: Rest) => f(input, ...rest), { inPlace });
}

/** Refuses to write in place what has another shape. */
function checkResultDims(name: string, dims: Dims, result: Dims): void {
  if (sameDims(dims, result)) return;
  throw new RangeError(
    `${name}_: output with shape [${dims.join(', ')}] doesn't match the broadcast shape [${result.join(', ')}]`,
  );
}

/**
 * Runs the forward of an op that is made of others but has a gradient of its own.
 * @param inputs What gradients go to; all of them are saved, with the result last.
 */
export function composite(op: Op, inputs: readonly Tensor[], compute: () => Tensor, attrs: unknown = null): Tensor {
  const out = unrecorded(compute);
  if (recordingAny(inputs)) record(op, out, inputs, [...inputs, out], attrs);
  return out;
}

/** The backward of an op in one pass, where no graph is being built; else null. */
export function fused(kernel: KernelId, grad: Tensor, saved: Tensor, scalars: readonly number[] = NONE): Tensor | null {
  if (mode.enabled) return null;
  const out = allocateLike(grad._dims, grad._dtype, grad);
  pointwise2(kernel, out, grad, saved, scalars);
  return out;
}

/** The operands of a function of several, of which one at least is a tensor, in the dtype they are promoted to. */
export function promote(
  name: string,
  operands: Readonly<Record<string, Tensor | Scalar>>,
  toFloat: boolean,
): { dtype: DType; values: (Tensor | number)[] } {
  const given = Object.values(operands);
  for (const argument in operands) checkOperand(name, argument, operands[argument]);
  const common = common_dtype(given);
  const dtype = toFloat ? floatingPoint(common) : common;
  return { dtype, values: given.map((operand) => convert(operand, dtype)) };
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
  if (mode.enabled && (requiresGrad(t) || others.some(requiresGrad))) return inPlaceRecorded(name, t, recorded);
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
  pointwise1(K.copy, copy, input);
  return copy;
}

/** A function of two tensors, or of a tensor and a number, with its in-place form. */
export interface Binary {
  (input: Tensor | Scalar, other: Tensor | Scalar): Tensor;
  inPlace(input: Tensor, other: Tensor | Scalar): Tensor;
}

/**
 * The gradients of the two inputs of a {@link binary}, before they are summed to the inputs' shapes.
 * @param a The first input, if it is read; it may have been a number.
 * @param attrs What else the call kept.
 */
type BinaryGradient = (
  grad: Tensor,
  a: Tensor,
  b: Tensor,
  needs: readonly [boolean, boolean],
  attrs: unknown,
) => readonly [Tensor | null, Tensor | null];

type Reads = '' | 'a' | 'b' | 'ab';

/** What distinguishes one function of two tensors from another. */
interface BinaryRule {
  /** PyTorch's name of the function. */
  name: string;
  /** Default: the name. */
  kernel?: KernelName;
  /** PyTorch's name of the node, where it is not the function's with a 0. */
  node?: string;
  /** Absent where there is none. */
  gradient?: BinaryGradient;
  /** Which inputs the gradient of the first reads, and which that of the second. Default: none. */
  reads?: readonly [Reads, Reads];
  /** Whether the result is bool, whatever the inputs. */
  toBool?: boolean;
  /** Whether integers are first converted to floating point. */
  float?: boolean;
  /** The kernel for booleans, where they need another. */
  boolKernel?: KernelName;
  /** Kernels of the first input alone, by the number that stands as the second; floating point only. */
  ofNumber?: ReadonlyMap<number, KernelName>;
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

/** Makes a function of two tensors from its rule. */
export function binary(rule: BinaryRule): Binary & {
  /** With the kernel's scalars, and what the gradient is to know of the call. */
  apply(a: Tensor | Scalar, b: Tensor | Scalar, scalars: readonly number[], extra?: unknown): Tensor;
  applyInPlace(a: Tensor, b: Tensor | Scalar, scalars: readonly number[], extra?: unknown): Tensor;
} {
  const { name, gradient } = rule;
  const kernel = K[rule.kernel ?? (name as KernelName)];
  const { reads } = rule;
  const op: Op | null =
    gradient === undefined
      ? null
      : {
          name: rule.node ?? nodeName(name),
          backward(grad, node): Grads {
            const { a, b, extra } = node.attrs as BinaryAttrs;
            const first = a ?? (reads === undefined ? null : node.unpackOptional(0));
            const second = b ?? (reads === undefined ? null : node.unpackOptional(1));
            const needs = [node.needs(0), node.needs(1)] as const;
            const [ga, gb] = gradient(grad, first as Tensor, second as Tensor, needs, extra);
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
  const boolKernel = rule.boolKernel === undefined ? kernel : K[rule.boolKernel];
  const { ofNumber } = rule;
  const compute = (
    dtype: DType,
    out: Tensor,
    a: Tensor | number,
    b: Tensor | number,
    scalars: readonly number[],
  ): void => {
    if (ofNumber !== undefined && typeof b === 'number' && dtype.is_floating_point) {
      const unary = ofNumber.get(b);
      if (unary !== undefined) return pointwise1(K[unary], out, a as Tensor);
    }
    const k = dtype === bool ? boolKernel : kernel;
    pointwise2(k, out, a, b, k === kernel ? scalars : NONE);
  };
  const apply = (
    input: Tensor | Scalar,
    other: Tensor | Scalar,
    scalars: readonly number[],
    extra?: unknown,
  ): Tensor => {
    checkOperand(name, 'input', input);
    checkOperand(name, 'other', other);
    const dtype = dtypeOf(input, other);
    const a = convert(input, dtype);
    const b = convert(other, dtype);
    const tensorA = a instanceof Tensor ? a : null;
    const tensorB = b instanceof Tensor ? b : null;
    if (tensorA === null && tensorB === null)
      throw new TypeError(`${name}: input: expected a Tensor beside a number, got ${describe(input)}`);
    const dims =
      tensorA === null
        ? tensorB!._dims
        : tensorB === null
          ? tensorA._dims
          : broadcastDims(name, tensorA._dims, tensorB._dims);
    const like = tensorA !== null && tensorA._dims.length === dims.length ? tensorA : (tensorB ?? tensorA!);
    const out = allocateLike(dims, rule.toBool ? bool : dtype, like);
    compute(dtype, out, a, b, scalars);
    if (op !== null && recording((tensorA ?? tensorB)!, tensorB)) {
      const attrs: BinaryAttrs = {
        a: tensorA === null ? (a as number) : null,
        b: tensorB === null ? (b as number) : null,
        extra,
      };
      record(op, out, [tensorA, tensorB], reads === undefined ? NOTHING : savedOf(reads, tensorA, tensorB), attrs);
    }
    return out;
  };
  const applyInPlace = (input: Tensor, other: Tensor | Scalar, scalars: readonly number[], extra?: unknown): Tensor => {
    checkTensor(`${name}_`, 'input', input);
    checkOperand(`${name}_`, 'other', other);
    const dtype = dtypeOf(input, other);
    const result = rule.toBool ? bool : dtype;
    if (!can_cast(result, input._dtype)) throw castError(`${name}_`, result, input._dtype);
    if (other instanceof Tensor)
      checkResultDims(name, input._dims, broadcastDims(`${name}_`, input._dims, other._dims));
    const beside = (t: Tensor): Tensor => apply(t, other, scalars, extra);
    return writeInPlace(
      `${name}_`,
      input,
      other instanceof Tensor ? [other] : [],
      (out) => {
        // Integer kernels may stop at a division by zero: compute beside, so that a failure changes nothing.
        const b = convert(other, dtype);
        if (dtype !== out._dtype || rule.toBool || !dtype.is_floating_point) pointwise1(K.copy, out, beside(out));
        else compute(dtype, out, out, b instanceof Tensor ? apart(out, b) : b, scalars);
      },
      (before) => {
        const result = beside(before);
        return result._dtype === input._dtype ? result : to(result, input._dtype);
      },
    );
  };
  const forward = (input: Tensor | Scalar, other: Tensor | Scalar): Tensor => apply(input, other, NONE);
  return Object.assign(forward, {
    apply,
    inPlace: (input: Tensor, other: Tensor | Scalar) => applyInPlace(input, other, NONE),
    applyInPlace,
  });
}

/** The inputs that the gradients to be computed will read. */
function savedOf([first, second]: readonly [Reads, Reads], a: Tensor | null, b: Tensor | null): (Tensor | null)[] {
  const needsA = a !== null && requiresGrad(a);
  const needsB = b !== null && requiresGrad(b);
  const read = (input: 'a' | 'b'): boolean => (needsA && first.includes(input)) || (needsB && second.includes(input));
  return [read('a') ? a : null, read('b') ? b : null];
}

/** What a {@link binary}'s node keeps: the inputs that were numbers, and what the caller gave. */
interface BinaryAttrs {
  a: number | null;
  b: number | null;
  extra: unknown;
}

const NONE: readonly number[] = [];
const NOTHING: readonly Tensor[] = [];
