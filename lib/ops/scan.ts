import { callStrided, coalesce, pointwise1 } from '../backend/frame.js';
import { K, type KernelId } from '../backend/kernels.js';
import { mode } from '../autograd/mode.js';
import { record, recording, type Op } from '../autograd/node.js';
import { bool, int64, type DType } from '../tensor/dtype.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, stridesOf, wrapDim, type Tensor } from '../tensor/tensor.js';
import { add, div, mul, sub } from './arithmetic.js';
import { eq } from './comparison.js';
import { contiguous, to } from './convert.js';
import { arange, eye } from './creation.js';
import { composite, withInPlace } from './elementwise.js';
import { abs, exp, log } from './functions.js';
import { index_select } from './indexing.js';
import { any } from './reduce.js';
import { accumulator, readDims, reduced, spread, sumOver, type ReduceAttrs } from './reduction.js';
import { floatingPoint } from './shape.js';
import { transpose, unsqueeze } from './view.js';
import { where } from './where.js';

// Functions along one dimension that keep it: softmax and its relatives, cumulative sums and products.

/**
 * Elements from which rows that lie scattered, and not beside each other either, are first copied together: kernels run up to
 * twenty times as fast on those.
 */
const WORTH_MOVING = 4096;

/**
 * Calls a kernel that works along the last dimension, along dimension `dim`.
 * @param operands All of one shape; the last one is written.
 */
function alongDim(kernel: KernelId, operands: readonly Tensor[], dim: number): void {
  const { _dims: sizes } = operands[0];
  if (dim === sizes.length - 1 && sizes[dim] > 0 && operands.every((t) => t._strides === null)) {
    const [shape, steps] = [
      [operands[0]._numel / sizes[dim], sizes[dim]],
      [sizes[dim], 1],
    ];
    return callStrided(kernel, shape, operands, [steps, steps, steps], [], 0);
  }
  const beside = sizes.length - 1;
  const lieBeside = dim !== beside && operands.every((t) => stridesOf(t)[beside] === 1);
  // A gradient that is the same for a whole row has no stride there.
  const scattered = operands.some((t) => stridesOf(t)[dim] > 1);
  if (operands[0]._numel >= WORTH_MOVING && scattered && !lieBeside) {
    const target = operands[operands.length - 1];
    const rows = operands.slice(0, -1).map((t) => contiguous(transpose(t.detach(), dim, -1)));
    const out = allocate(rows[0]._dims, target._dtype);
    alongDim(kernel, [...rows, out], beside);
    return pointwise1(K.copy, target, transpose(out, dim, -1));
  }
  const rest = sizes.map((_, i) => i).filter((i) => i !== dim);
  const steps = operands.map(stridesOf);
  const outer = coalesce(
    rest.map((i) => sizes[i]),
    steps.map((s) => rest.map((i) => s[i])),
  );
  const [size, last] = sizes.length === 0 ? [1, steps.map(() => 1)] : [sizes[dim], steps.map((s) => s[dim])];
  callStrided(
    kernel,
    [...outer.dims, size],
    operands,
    outer.strides.map((s, i) => [...s, last[i]]),
    [],
    0,
  );
}

/** The dimension a node was told to work along. */
interface Along {
  dim: number;
}

const Softmax: Op = {
  name: 'SoftmaxBackward0',
  backward(grad, node) {
    const y = node.unpack(0);
    const { dim } = node.attrs as Along;
    if (!mode.enabled) return fusedAlong(K.softmax_backward, grad, y, dim);
    const weighted = mul(grad, y);
    return sub(weighted, mul(y, total(weighted, dim)));
  },
};

const LogSoftmax: Op = {
  name: 'LogSoftmaxBackward0',
  backward(grad, node) {
    const y = node.unpack(0);
    const { dim } = node.attrs as Along;
    if (!mode.enabled) return fusedAlong(K.log_softmax_backward, grad, y, dim);
    return sub(grad, mul(exp(y), total(grad, dim)));
  },
};

function fusedAlong(kernel: KernelId, grad: Tensor, y: Tensor, dim: number): Tensor {
  const out = allocate(grad._dims, grad._dtype);
  alongDim(kernel, [grad, y, out], dim);
  return out;
}

/** The sum along `dim`, which stays with size 1. */
function total(t: Tensor, dim: number): Tensor {
  return sumOver(t, readDims('sum', dim, t._dims.length), true);
}

/** Options of {@link softmax} and its relatives. */
export interface SoftmaxOptions {
  /** What the input is converted to first. */
  dtype?: DType | null;
}

const dtypeDefaults = { dtype: null as DType | null };
const softmaxOptions = {
  softmax: defineOptions('softmax', dtypeDefaults),
  log_softmax: defineOptions('log_softmax', dtypeDefaults),
};

function normalized(
  name: 'softmax' | 'log_softmax',
  op: Op,
  input: Tensor,
  dim: number,
  options?: SoftmaxOptions,
): Tensor {
  checkTensor(name, 'input', input);
  const { dtype } = softmaxOptions[name](options);
  const along = wrapDim(name, dim, input._dims.length);
  const x = dtype !== null ? accumulator(name, input, dtype) : input;
  if (!x._dtype.is_floating_point)
    throw new TypeError(`${name}: input: expected a floating-point dtype, got ${x._dtype.name}`);
  const out = allocate(x._dims, x._dtype);
  alongDim(K[name], [x, out], along);
  if (recording(x)) record(op, out, [x], [out], { dim: along } satisfies Along);
  return out;
}

/** exp(x) divided by its sum along `dim`. PyTorch: `torch.softmax`. @throws TypeError for integers. */
export function softmax(input: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
  return normalized('softmax', Softmax, input, dim, options);
}

/** The logarithm of {@link softmax}. PyTorch: `torch.log_softmax`. @throws TypeError for integers. */
export function log_softmax(input: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
  return normalized('log_softmax', LogSoftmax, input, dim, options);
}

const LogSumExp: Op = {
  name: 'LogsumexpBackward0',
  backward(grad, node) {
    const x = node.unpack(0);
    const y = node.unpack(1);
    const { dims } = node.attrs as ReduceAttrs;
    // Where everything is -inf, so is the sum: 0 in its place gives weights of 0, not NaN.
    const finite = where(eq(y, -Infinity), 0, y);
    return mul(spread(grad, x._dims, dims), exp(sub(x, spread(finite, x._dims, dims))));
  },
};

/** The logarithm of the sum of exp(x) over `dim`, without overflow. PyTorch: `torch.logsumexp`. */
export function logsumexp(input: Tensor, dim: number | readonly number[], keepdim = false): Tensor {
  checkTensor('logsumexp', 'input', input);
  const x = input._dtype.is_floating_point ? input : to(input, floatingPoint(input._dtype));
  const dims = readDims('logsumexp', dim, x._dims.length);
  return composite(
    LogSumExp,
    [x],
    () => {
      if (x._numel === 0) return log(sumOver(exp(x), dims, keepdim));
      const greatest = reduced(K.amax, x, dims, true);
      const shift = where(eq(abs(greatest), Infinity), 0, greatest);
      return add(log(sumOver(exp(sub(x, shift)), dims, keepdim)), sumOver(shift, keepdim ? [] : dims, keepdim));
    },
    { dims } satisfies ReduceAttrs,
  );
}

/** What stands at the end of a dimension first. */
function flipped(t: Tensor, dim: number): Tensor {
  if (t._dims.length === 0) return t;
  const n = t._dims[dim];
  return index_select(t, dim, arange(n - 1, -1, -1, { dtype: int64 }));
}

const Cumsum: Op = {
  name: 'CumsumBackward0',
  backward(grad, node) {
    const { dim } = node.attrs as Along;
    return flipped(cumsum(flipped(grad, dim), dim), dim);
  },
};

const cumOptions = { cumsum: defineOptions('cumsum', dtypeDefaults), cumprod: defineOptions('cumprod', dtypeDefaults) };

function cumulative(
  name: 'cumsum' | 'cumprod',
  input: Tensor,
  dim: number,
  options?: SoftmaxOptions,
): { x: Tensor; out: Tensor; attrs: Along } {
  checkTensor(name, 'input', input);
  const { dtype } = cumOptions[name](options);
  const along = wrapDim(name, dim, input._dims.length);
  const x = accumulator(name, input, dtype);
  const out = allocate(x._dims, x._dtype);
  alongDim(K[name], [x, out], along);
  return { x, out, attrs: { dim: along } };
}

/** The sums of all elements up to each along `dim`. PyTorch: `torch.cumsum`. */
export const cumsum = withInPlace('cumsum', (input: Tensor, dim: number, options?: SoftmaxOptions): Tensor => {
  const { x, out, attrs } = cumulative('cumsum', input, dim, options);
  if (recording(x)) record(Cumsum, out, [x], [], attrs);
  return out;
});

const Cumprod: Op = {
  name: 'CumprodBackward0',
  backward(grad, node) {
    const x = node.unpack(0);
    const { dim } = node.attrs as Along;
    if (x._dims.length === 0) return mul(grad, 1);
    if (!(any(eq(x.detach(), 0)).item() as boolean)) {
      const weighted = mul(grad, node.unpack(1));
      return div(flipped(cumsum(flipped(weighted, dim), dim), dim), x);
    }
    // With a zero there is nothing to divide by: row i of `others` has the products without element i.
    const last = x._dims.length - 1;
    const n = x._dims[dim];
    const rows = unsqueeze(transpose(x, dim, last), -2);
    const others = cumprod(where(eye(n, { dtype: bool }), 1, rows), -1);
    const upper = eq(cumsum(eye(n, { dtype: int64 }), 1), 1);
    const weighted = mul(unsqueeze(transpose(grad, dim, last), -2), where(upper, others, 0));
    return transpose(sumOver(weighted, [last + 1], false), dim, last);
  },
};

/** The products of all elements up to each along `dim`. PyTorch: `torch.cumprod`. */
export const cumprod = withInPlace('cumprod', (input: Tensor, dim: number, options?: SoftmaxOptions): Tensor => {
  const { x, out, attrs } = cumulative('cumprod', input, dim, options);
  if (recording(x)) record(Cumprod, out, [x], [x, out], attrs);
  return out;
});
