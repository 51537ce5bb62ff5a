import { pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { recordAll, recording, type Op } from '../autograd/node.js';
import type { DType } from '../tensor/dtype.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { add, div, mul, pow, sub } from './arithmetic.js';
import { eq, logical_or, ne } from './comparison.js';
import { to } from './convert.js';
import { zeros_like } from './creation.js';
import { composite } from './elementwise.js';
import { abs, sign } from './functions.js';
import {
  accumulator,
  isOptions,
  optionsAmong,
  readDims,
  readKeepdim,
  reduced,
  reducedCount,
  reducedShape,
  reduceInto,
  spread,
  sumOver,
  type ReduceAttrs,
  type ReduceDims,
} from './reduction.js';
import { where } from './where.js';

// Variances, standard deviations and norms.

const varDefaults = {
  dim: null as ReduceDims,
  correction: null as number | null,
  unbiased: null as boolean | null,
  keepdim: false,
};
const varOptions = {
  var: defineOptions('var', varDefaults),
  std: defineOptions('std', varDefaults),
  var_mean: defineOptions('var_mean', varDefaults),
  std_mean: defineOptions('std_mean', varDefaults),
};

/** Options of {@link std} and its relatives. */
export interface VarOptions {
  dim?: ReduceDims;
  /** What is taken off the number of elements. Default 1. */
  correction?: number | null;
  /** True for a correction of 1, false for 0. */
  unbiased?: boolean | null;
  keepdim?: boolean;
}

/** What a node of these keeps. */
interface VarAttrs extends ReduceAttrs {
  correction: number;
}

/** The gradient of the input from that of the variance. */
function varianceGradient(grad: Tensor, x: Tensor, { dims, correction }: VarAttrs): Tensor {
  const n = reducedCount(x._dims, dims);
  const center = div(sumOver(x, dims, true), n);
  return mul(mul(spread(grad, x._dims, dims), 2 / (n - correction)), sub(x, center));
}

/** The gradient of the variance from that of the standard deviation, of which 0 has none. */
function fromDeviation(grad: Tensor, std: Tensor): Tensor {
  return where(eq(std, 0), 0, div(grad, mul(std, 2)));
}

const ops: Record<keyof typeof varOptions, Op> = {
  var: {
    name: 'VarBackward0',
    backward: (grad, node) => varianceGradient(grad, node.unpack(0), node.attrs as VarAttrs),
  },
  std: {
    name: 'StdBackward0',
    backward: (grad, node) =>
      varianceGradient(fromDeviation(grad, node.unpack(1)), node.unpack(0), node.attrs as VarAttrs),
  },
  var_mean: {
    name: 'VarMeanBackward0',
    backward: (_, node, grads) => bothGradients(grads[0], grads[1], node.unpack(0), node.attrs as VarAttrs),
  },
  std_mean: {
    name: 'StdMeanBackward0',
    backward: (_, node, grads) =>
      bothGradients(
        grads[0] === null ? null : fromDeviation(grads[0], node.unpack(1)),
        grads[1],
        node.unpack(0),
        node.attrs as VarAttrs,
      ),
  },
};

function bothGradients(ofVar: Tensor | null, ofMean: Tensor | null, x: Tensor, attrs: VarAttrs): Tensor {
  const first = ofVar === null ? null : varianceGradient(ofVar, x, attrs);
  const second = ofMean === null ? null : spread(div(ofMean, reducedCount(x._dims, attrs.dims)), x._dims, attrs.dims);
  return first === null ? second! : second === null ? first : add(first, second);
}

function moments(
  name: keyof typeof varOptions,
  input: Tensor,
  dim: ReduceDims | VarOptions,
  options: VarOptions | undefined,
): [deviation: Tensor, mean: Tensor] {
  checkTensor(name, 'input', input);
  if (!input._dtype.is_floating_point)
    throw new TypeError(`${name}: input: expected a floating-point dtype, got ${input._dtype.name}`);
  const given = varOptions[name](optionsAmong<VarOptions>(options, dim));
  if (given.correction !== null && given.unbiased !== null)
    throw new TypeError(`${name}: unbiased: expected at most one of 'correction' and 'unbiased'`);
  const correction = given.correction ?? (given.unbiased === false ? 0 : 1);
  if (typeof correction !== 'number')
    throw new TypeError(`${name}: correction: expected a number, got ${describe(correction)}`);
  const dims = readDims(name, isOptions(dim) ? given.dim : (dim as ReduceDims), input._dims.length);
  const shape = reducedShape(input._dims, dims, readKeepdim(name, undefined, given.keepdim));
  const deviation = allocate(shape, input._dtype);
  const mean = allocate(shape, input._dtype);
  reduceInto(K.var_mean, input, dims, [deviation, mean], [correction]);
  if (name.startsWith('std')) pointwise1(K.sqrt, deviation, deviation);
  if (recording(input)) {
    const outs = name.endsWith('mean') ? [deviation, mean] : [deviation];
    recordAll(ops[name], outs, [input], [input, deviation], { dims, correction } satisfies VarAttrs);
  }
  return [deviation, mean];
}

/** The variance over `dim`, or of all elements. PyTorch: `torch.var`. @throws TypeError for integers. */
function variance(input: Tensor, dim?: ReduceDims | VarOptions, options?: VarOptions): Tensor {
  return moments('var', input, dim, options)[0];
}
export { variance as var };

/** The standard deviation over `dim`, or of all elements. PyTorch: `torch.std`. @throws TypeError for integers. */
export function std(input: Tensor, dim?: ReduceDims | VarOptions, options?: VarOptions): Tensor {
  return moments('std', input, dim, options)[0];
}

/** The variance and the mean. PyTorch: `torch.var_mean`. */
export function var_mean(input: Tensor, dim?: ReduceDims | VarOptions, options?: VarOptions): [Tensor, Tensor] {
  return moments('var_mean', input, dim, options);
}

/** The standard deviation and the mean. PyTorch: `torch.std_mean`. */
export function std_mean(input: Tensor, dim?: ReduceDims | VarOptions, options?: VarOptions): [Tensor, Tensor] {
  return moments('std_mean', input, dim, options);
}

const Norm: Op = {
  name: 'LinalgVectorNormBackward0',
  backward(grad, node) {
    const x = node.unpack(0);
    const { dims, p } = node.attrs as NormAttrs;
    if (p === 0) return zeros_like(x);
    const norm = spread(node.unpack(1), x._dims, dims);
    const g = spread(grad, x._dims, dims);
    if (p === 1) return mul(g, sign(x));
    if (p === 2) return where(eq(norm, 0), 0, mul(g, div(x, norm)));
    if (Math.abs(p) === Infinity) {
      const isExtreme = eq(abs(x), norm);
      const count = sumOver(to(isExtreme, x._dtype), dims, true);
      return where(isExtreme, div(mul(g, sign(x)), count), 0);
    }
    const flat = p < 1 ? logical_or(eq(norm, 0), eq(x, 0)) : eq(norm, 0);
    return where(flat, 0, mul(mul(g, sign(x)), pow(div(abs(x), norm), p - 1)));
  },
};

interface NormAttrs extends ReduceAttrs {
  p: number;
}

function normOf(x: Tensor, p: number, dims: readonly number[], keepdim: boolean): Tensor {
  if (p === 2) {
    const out = reduced(K.sum_squares, x, dims, keepdim);
    pointwise1(K.sqrt, out, out);
    return out;
  }
  if (p === 0) return sumOver(to(ne(x, 0), x._dtype), dims, keepdim);
  const size = abs(x);
  if (p === 1) return sumOver(size, dims, keepdim);
  if (p === Infinity)
    return reducedCount(x._dims, dims) === 0 ? sumOver(size, dims, keepdim) : reduced(K.amax, size, dims, keepdim);
  if (p === -Infinity) return reduced(K.amin, size, dims, keepdim);
  return pow(sumOver(pow(size, p), dims, keepdim), 1 / p);
}

type P = number | 'fro';

/** Options of {@link norm}. */
export interface NormOptions {
  /** Any number, ±Infinity, or `'fro'` (default) for 2. */
  p?: P;
  dim?: ReduceDims;
  keepdim?: boolean;
  /** What the input is converted to first. */
  dtype?: DType | null;
}

const normOptions = defineOptions('norm', {
  p: 'fro' as P,
  dim: null as ReduceDims,
  keepdim: false,
  dtype: null as DType | null,
});

/**
 * The p-norm over `dim`, or of all elements. PyTorch: `torch.norm`, with `norm(x, p, dim)` or `norm(x, { p, dim })`.
 * @throws TypeError for integers.
 */
export function norm(
  input: Tensor,
  p?: P | NormOptions,
  dim?: ReduceDims | NormOptions,
  options?: NormOptions,
): Tensor {
  checkTensor('norm', 'input', input);
  const given = normOptions(optionsAmong<NormOptions>(options, p, dim));
  const order = isOptions(p) || p === undefined ? given.p : (p as P);
  if (order !== 'fro' && typeof order !== 'number')
    throw new TypeError(`norm: p: expected a number or 'fro', got ${describe(order)}`);
  const x = given.dtype === null ? input : accumulator('norm', input, given.dtype);
  if (!x._dtype.is_floating_point)
    throw new TypeError(`norm: input: expected a floating-point dtype, got ${x._dtype.name}`);
  const over = isOptions(dim) || dim === undefined ? given.dim : (dim as ReduceDims);
  const dims = readDims('norm', over, x._dims.length);
  const power = order === 'fro' ? 2 : order;
  return composite(Norm, [x], () => normOf(x, power, dims, given.keepdim), { dims, p: power } satisfies NormAttrs);
}

/** The p-norm of the difference. PyTorch: `torch.dist`. */
export function dist(input: Tensor, other: Tensor, options?: { p?: number }): Tensor {
  return norm(sub(input, other), distOptions(options).p);
}

const distOptions = defineOptions('dist', { p: 2 });
