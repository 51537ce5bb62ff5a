import { callStrided } from '../../backend/frame.js';
import { K, type KernelId } from '../../backend/kernels.js';
import { mode } from '../../autograd/mode.js';
import { recordingAny, record, type Node, type Op } from '../../autograd/node.js';
import { defineOptions } from '../../options.js';
import { sum_to_size, type ReduceDims } from '../../ops/reduction.js';
import { numelOf, sameDims } from '../../ops/shape.js';
import { float64 } from '../../tensor/dtype.js';
import { allocate, checkTensor, describe, type Dims, type Tensor } from '../../tensor/tensor.js';
import { checkFloat, checkNumber } from './common.js';

// Normalisation over the last dimensions.

interface NormAttrs {
  /** The sizes normalised over: the last of the input. */
  shape: Dims;
  eps: number;
  /** Whether the mean is subtracted. */
  centered: boolean;
}

/** Calls a kernel of normalisation: tensors of the input's shape are matrices to it, those of `shape` their rows. */
function callNorm(kernel: KernelId, input: Tensor, operands: readonly (Tensor | null)[], attrs: NormAttrs): void {
  const { shape, eps, centered } = attrs;
  const n = numelOf(shape);
  const strides = operands.map((t) => (t !== null && t._dims.length > shape.length ? [n, 1] : [0, 1]));
  callStrided(kernel, [input._numel / n, n], operands, strides, [eps, Number(centered)], input._dtype.code);
}

/** The gradients, written with ops. */
function differentiable(grad: Tensor, node: Node): (Tensor | null)[] {
  const { shape, eps, centered } = node.attrs as NormAttrs;
  const input = node.unpack(0);
  const weight = node.unpackOptional(1);
  const dims = shape.map((_, i) => input._dims.length - shape.length + i);
  const d = centered ? input.sub(input.mean(dims, true)) : input;
  const scale = d.mul(d).mean(dims, true).add(eps).rsqrt();
  const x = d.mul(scale);
  let gradInput: Tensor | null = null;
  if (node.needs(0)) {
    const g = weight === null ? grad : grad.mul(weight);
    const rest = centered ? g.sub(g.mean(dims, true)) : g;
    gradInput = rest.sub(x.mul(g.mul(x).mean(dims, true))).mul(scale);
  }
  return [
    gradInput,
    node.needs(1) ? sum_to_size(grad.mul(x), shape) : null,
    node.needs(2) ? sum_to_size(grad, shape) : null,
  ];
}

function backward(grad: Tensor, node: Node): (Tensor | null)[] {
  const input = node.unpack(0);
  if (mode.enabled || input._numel === 0) return differentiable(grad, node);
  const attrs = node.attrs as NormAttrs;
  const weight = node.unpackOptional(1);
  const grads = [input._dims, attrs.shape, attrs.shape].map((dims, i) =>
    node.needs(i) ? allocate(dims, input._dtype) : null,
  );
  const operands = [grad.contiguous(), input.contiguous(), weight === null ? null : weight.contiguous(), ...grads];
  callNorm(K.layer_norm_backward, input, operands, attrs);
  return grads;
}

const LayerNorm: Op = { name: 'NativeLayerNormBackward0', backward };
const RmsNorm: Op = { name: 'FusedRmsNormBackward0', backward };

/** @throws RangeError unless the last sizes of `input` are `normalized_shape`. */
function checkNormalized(name: string, input: Tensor, normalized_shape: number | Dims): Dims {
  checkTensor(name, 'input', input);
  const shape = typeof normalized_shape === 'number' ? [normalized_shape] : normalized_shape;
  if (!Array.isArray(shape) || shape.length === 0) {
    throw new TypeError(`${name}: normalized_shape: expected a size or several, got ${describe(normalized_shape)}`);
  }
  const first = input._dims.length - shape.length;
  if (first < 0 || !sameDims(input._dims.slice(first), shape)) {
    throw new RangeError(
      `${name}: input: expected a shape that ends in normalized_shape [${shape.join(', ')}], got ${describe(input)}`,
    );
  }
  checkFloat(name, 'input', input);
  return shape;
}

function checkAffine(name: string, argument: string, t: Tensor | null, input: Tensor, shape: Dims): void {
  if (t === null) return;
  checkTensor(name, argument, t);
  if (t._dtype !== input._dtype) {
    throw new TypeError(`${name}: ${argument}: expected the input's dtype ${input._dtype.name}, got ${t._dtype.name}`);
  }
  if (!sameDims(t._dims, shape)) {
    throw new RangeError(
      `${name}: ${argument}: expected normalized_shape [${shape.join(', ')}], got shape [${t._dims.join(', ')}]`,
    );
  }
}

function normalizeLast(
  op: Op,
  input: Tensor,
  shape: Dims,
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Tensor {
  const attrs: NormAttrs = { shape, eps, centered: op === LayerNorm };
  const out = allocate(input._dims, input._dtype);
  const inputs = [input, weight, bias];
  if (out._numel > 0)
    callNorm(K.layer_norm, input, [...inputs.map((t) => (t === null ? null : t.contiguous())), out], attrs);
  if (recordingAny(inputs.filter((t) => t !== null))) record(op, out, inputs, [input, weight], attrs);
  return out;
}

const layerNormOptions = defineOptions('nn.functional.layer_norm', {
  weight: null as Tensor | null,
  bias: null as Tensor | null,
  eps: 1e-5,
});

/**
 * The input with mean 0 and variance 1 over its last dimensions, then times `weight` and plus `bias`. PyTorch:
 * `torch.nn.functional.layer_norm`.
 * @param normalized_shape The last sizes of the input, and the shape of `weight` and `bias`.
 * @throws RangeError if the shapes do not fit.
 */
export function layer_norm(
  input: Tensor,
  normalized_shape: number | Dims,
  options?: { weight?: Tensor | null; bias?: Tensor | null; eps?: number },
): Tensor {
  const { weight, bias, eps } = layerNormOptions(options);
  const shape = checkNormalized('layer_norm', input, normalized_shape);
  checkAffine('layer_norm', 'weight', weight, input, shape);
  checkAffine('layer_norm', 'bias', bias, input, shape);
  checkNumber('layer_norm', 'eps', eps);
  return normalizeLast(LayerNorm, input, shape, weight, bias, eps);
}

const rmsNormOptions = defineOptions('nn.functional.rms_norm', {
  weight: null as Tensor | null,
  eps: null as number | null,
});

/**
 * The input over the root of its mean square over the last dimensions, then times `weight`. PyTorch:
 * `torch.nn.functional.rms_norm`.
 * @param normalized_shape The last sizes of the input, and the shape of `weight`.
 * @param options.eps Added to the mean square. Default: the spacing of the dtype's numbers at 1.
 * @throws RangeError if the shapes do not fit.
 */
export function rms_norm(
  input: Tensor,
  normalized_shape: number | Dims,
  options?: { weight?: Tensor | null; eps?: number | null },
): Tensor {
  const { weight, eps } = rmsNormOptions(options);
  const shape = checkNormalized('rms_norm', input, normalized_shape);
  checkAffine('rms_norm', 'weight', weight, input, shape);
  const epsilon = eps ?? (input._dtype === float64 ? 2 ** -52 : 2 ** -23);
  checkNumber('rms_norm', 'eps', epsilon);
  return normalizeLast(RmsNorm, input, shape, weight, null, epsilon);
}

const normalizeOptions = defineOptions('nn.functional.normalize', { p: 2, dim: 1 as ReduceDims, eps: 1e-12 });

/** The input over its `p`-norm over `dim`, which counts as `eps` at least. PyTorch: `torch.nn.functional.normalize`. */
export function normalize(input: Tensor, options?: { p?: number; dim?: ReduceDims; eps?: number }): Tensor {
  checkTensor('normalize', 'input', input);
  const { p, dim, eps } = normalizeOptions(options);
  return input.div(input.norm(p, dim, { keepdim: true }).clamp(eps));
}

const similarityOptions = defineOptions('nn.functional.cosine_similarity', { dim: 1, eps: 1e-8 });

/**
 * The products of two tensors over those of their norms, along `dim`; each norm counts as `eps` at least. PyTorch:
 * `torch.nn.functional.cosine_similarity`.
 */
export function cosine_similarity(x1: Tensor, x2: Tensor, options?: { dim?: number; eps?: number }): Tensor {
  checkTensor('cosine_similarity', 'x1', x1);
  checkTensor('cosine_similarity', 'x2', x2);
  const { dim, eps } = similarityOptions(options);
  const unit = (x: Tensor): Tensor => x.div(x.norm(2, dim, { keepdim: true }).clamp(eps));
  return unit(x1).mul(unit(x2)).sum(dim);
}

const distanceOptions = defineOptions('nn.functional.pairwise_distance', { p: 2, eps: 1e-6, keepdim: false });

/** The `p`-norm of `x1 - x2 + eps` along the last dimension. PyTorch: `torch.nn.functional.pairwise_distance`. */
export function pairwise_distance(
  x1: Tensor,
  x2: Tensor,
  options?: { p?: number; eps?: number; keepdim?: boolean },
): Tensor {
  checkTensor('pairwise_distance', 'x1', x1);
  checkTensor('pairwise_distance', 'x2', x2);
  const { p, eps, keepdim } = distanceOptions(options);
  return x1.sub(x2).add(eps).norm(p, -1, { keepdim });
}
