import { K } from '../../backend/kernels.js';
import { mode, no_grad } from '../../autograd/mode.js';
import { recordingAny, record, type Node, type Op } from '../../autograd/node.js';
import { defineOptions } from '../../options.js';
import { reduceInto, sum_to_size, type ReduceDims } from '../../ops/reduction.js';
import { sameDims } from '../../ops/shape.js';
import { float64 } from '../../tensor/dtype.js';
import { allocate, checkTensor, describe, type Dims, type Tensor } from '../../tensor/tensor.js';
import { checkFloat, checkNumber } from './common.js';

// Normalisation over the last dimensions.

interface NormAttrs {
  /** The dimensions normalised over. */
  dims: number[];
  eps: number;
  /** Whether the mean is subtracted. */
  centered: boolean;
}

/** The normalised input and what it was multiplied by. */
interface Normalized {
  x: Tensor;
  scale: Tensor;
}

/** Written with ops, for a graph of the backward. */
function normalize_(input: Tensor, { dims, eps, centered }: NormAttrs): Normalized {
  const d = centered ? input.sub(input.mean(dims, true)) : input;
  const scale = d.mul(d).mean(dims, true).add(eps).rsqrt();
  return { x: d.mul(scale), scale };
}

/** The mean and the factor of each slice, in two passes over the input. */
function statistics(input: Tensor, { dims, eps, centered }: NormAttrs): { mean: Tensor | null; scale: Tensor } {
  const shape = input._dims.map((size, i) => (dims.includes(i) ? 1 : size));
  const scale = allocate(shape, input._dtype);
  const mean = centered ? allocate(shape, input._dtype) : null;
  if (mean !== null) reduceInto(K.var_mean, input, dims, [scale, mean], [0]);
  else {
    reduceInto(K.sum_squares, input, dims, [scale]);
    scale.div_(dims.reduce((n, d) => n * input._dims[d], 1));
  }
  return { mean, scale: scale.add_(eps).rsqrt_() };
}

function applyStatistics(input: Tensor, mean: Tensor | null, scale: Tensor): Tensor {
  return mean === null ? input.mul(scale) : input.sub(mean).mul_(scale);
}

function backward(grad: Tensor, node: Node): (Tensor | null)[] {
  const attrs = node.attrs as NormAttrs;
  const input = node.unpack(0);
  const weight = node.unpackOptional(1);
  const { x, scale } = mode.enabled
    ? normalize_(input, attrs)
    : { x: applyStatistics(input, node.unpackOptional(2), node.unpack(3)), scale: node.unpack(3) };
  let gradInput: Tensor | null = null;
  if (node.needs(0)) {
    const g = weight === null ? grad : grad.mul(weight);
    const along = x.mul(g.mul(x).mean(attrs.dims, true));
    const rest = (attrs.centered ? g.sub(g.mean(attrs.dims, true)) : g).sub(along);
    gradInput = rest.mul(scale);
  }
  return [
    gradInput,
    node.needs(1) ? sum_to_size(grad.mul(x), weight!._dims) : null,
    node.needs(2) ? sum_to_size(grad, node.inDims[2]) : null,
  ];
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
  const first = input._dims.length - shape.length;
  const attrs: NormAttrs = { dims: shape.map((_, i) => first + i), eps, centered: op === LayerNorm };
  const { mean, scale, out } = no_grad(() => {
    const { mean, scale } = statistics(input, attrs);
    let out = applyStatistics(input, mean, scale);
    if (weight !== null) out = out.mul_(weight);
    if (bias !== null) out = out.add_(bias);
    return { mean, scale, out };
  });
  const inputs = [input, weight, bias];
  if (recordingAny(inputs.filter((t) => t !== null))) record(op, out, inputs, [input, weight, mean, scale], attrs);
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
