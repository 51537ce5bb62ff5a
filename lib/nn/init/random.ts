import { no_grad } from '../../autograd/mode.js';
import { defineOptions } from '../../options.js';
import { empty, empty_like, tensor as makeTensor } from '../../ops/creation.js';
import { randperm } from '../../ops/random.js';
import type { Generator } from '../../tensor/generator.js';
import { float32, float64 } from '../../tensor/dtype.js';
import { checkTensor, describe, type Tensor } from '../../tensor/tensor.js';
import { calculate_gain, type Nonlinearity } from './gain.js';
import { checkNdim } from './constant.js';

// Initialisers that draw from a generator: from one seed, PyTorch's values. None of them is recorded.

/** Options of every random initialiser. */
export interface InitOptions {
  /** Where the numbers come from. Default: the default generator. */
  generator?: Generator | null;
}

const noGenerator: { generator: Generator | null } = { generator: null };

function uniform(tensor: Tensor, a: number, b: number, generator: Generator | null): Tensor {
  return no_grad(() => tensor.uniform_(a, b, { generator }));
}

function normal(tensor: Tensor, mean: number, std: number, generator: Generator | null): Tensor {
  return no_grad(() => tensor.normal_(mean, std, { generator }));
}

const uniformOptions = defineOptions('nn.init.uniform_', { a: 0, b: 1, ...noGenerator });

/** Fills a tensor from the uniform distribution on [a, b), and returns it. PyTorch: `torch.nn.init.uniform_`. */
export function uniform_(tensor: Tensor, options?: InitOptions & { a?: number; b?: number }): Tensor {
  checkTensor('uniform_', 'tensor', tensor);
  const { a, b, generator } = uniformOptions(options);
  return uniform(tensor, a, b, generator);
}

const normalOptions = defineOptions('nn.init.normal_', { mean: 0, std: 1, ...noGenerator });

/** Fills a tensor from a normal distribution, and returns it. PyTorch: `torch.nn.init.normal_`. */
export function normal_(tensor: Tensor, options?: InitOptions & { mean?: number; std?: number }): Tensor {
  checkTensor('normal_', 'tensor', tensor);
  const { mean, std, generator } = normalOptions(options);
  return normal(tensor, mean, std, generator);
}

const truncNormalOptions = defineOptions('nn.init.trunc_normal_', { mean: 0, std: 1, a: -2, b: 2, ...noGenerator });

/** Options of {@link trunc_normal_}. */
export interface TruncNormalOptions extends InitOptions {
  /** Default 0. */
  mean?: number;
  /** Default 1. */
  std?: number;
  /** The least value, itself and not in units of `std`. Default -2. */
  a?: number;
  /** The greatest value. Default 2. */
  b?: number;
}

/** Fills a tensor from a normal distribution cut off at `a` and `b`, and returns it. PyTorch: `torch.nn.init.trunc_normal_`. */
export function trunc_normal_(tensor: Tensor, options?: TruncNormalOptions): Tensor {
  checkTensor('trunc_normal_', 'tensor', tensor);
  const { mean, std, a, b, generator } = truncNormalOptions(options);
  if (mean < a - 2 * std || mean > b + 2 * std) {
    process.emitWarning(
      'trunc_normal_: the mean is more than 2 std from [a, b]: the distribution of values may be incorrect.',
    );
  }
  return no_grad(() => {
    const inside = cumulative((b - mean) / std) - cumulative((a - mean) / std);
    return inside > 0.3
      ? redrawOutside(tensor, mean, std, a, b, generator)
      : acceptUnderCurve(tensor, mean, std, a, b, generator);
  });
}

/** The standard normal distribution function. */
function cumulative(x: number): number {
  const erf = makeTensor(x / Math.SQRT2, { dtype: float64 })
    .erf()
    .item() as number;
  return (1 + erf) / 2;
}

/** Draws until all values are inside. */
function redrawOutside(
  tensor: Tensor,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator | null,
): Tensor {
  const [low, high] = tensor.dtype === float32 ? [Math.fround(a), Math.fround(b)] : [a, b];
  normal(tensor, mean, std, generator);
  for (;;) {
    const outside = tensor.lt(low).logical_or(tensor.gt(high));
    if (!outside.any().item()) return tensor;
    tensor.copy_(normal(empty_like(tensor), mean, std, generator).where(outside, tensor));
  }
}

/** Where little of the distribution lies inside: uniform values, kept as often as the density says. */
function acceptUnderCurve(
  tensor: Tensor,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator | null,
): Tensor {
  const peak = -0.5 * ((Math.max(a, Math.min(mean, b)) - mean) / std) ** 2;
  const refused = (candidates: Tensor): Tensor => {
    const distance = candidates.sub(mean).div(std);
    const density = distance.mul(distance).mul(-0.5).sub(peak);
    return uniform(empty_like(tensor), 0, 1, generator).log().gt(density);
  };
  uniform(tensor, a, b, generator);
  let pending = refused(tensor);
  while (pending.any().item()) {
    const candidates = uniform(empty_like(tensor), a, b, generator);
    tensor.copy_(candidates.where(pending, tensor));
    pending = pending.logical_and(refused(candidates));
  }
  return tensor;
}

/** The numbers of inputs and outputs an element of a layer's weight stands between. */
function fans(name: string, tensor: Tensor): { fan_in: number; fan_out: number } {
  checkTensor(name, 'tensor', tensor);
  if (tensor.ndim < 2) {
    throw new RangeError(
      `${name}: tensor: fan in and fan out cannot be computed for fewer than 2 dimensions, got ${describe(tensor)}`,
    );
  }
  const [outputs, inputs, ...field] = tensor.shape;
  const receptive = field.reduce((n, size) => n * size, 1);
  return { fan_in: inputs * receptive, fan_out: outputs * receptive };
}

const xavierOptions = {
  uniform: defineOptions('nn.init.xavier_uniform_', { gain: 1, ...noGenerator }),
  normal: defineOptions('nn.init.xavier_normal_', { gain: 1, ...noGenerator }),
};

/** Options of {@link xavier_uniform_} and {@link xavier_normal_}. */
export interface XavierOptions extends InitOptions {
  /** What the values are multiplied by. Default 1. */
  gain?: number;
}

function xavierStd(name: string, tensor: Tensor, gain: number): number {
  const { fan_in, fan_out } = fans(name, tensor);
  return gain * Math.sqrt(2 / (fan_in + fan_out));
}

/**
 * Fills a weight from the uniform distribution of variance `gain² · 2 / (fan_in + fan_out)`, and returns it. PyTorch:
 * `torch.nn.init.xavier_uniform_`.
 * @throws RangeError if it has fewer than 2 dimensions.
 */
export function xavier_uniform_(tensor: Tensor, options?: XavierOptions): Tensor {
  const { gain, generator } = xavierOptions.uniform(options);
  const bound = Math.sqrt(3) * xavierStd('xavier_uniform_', tensor, gain);
  return uniform(tensor, -bound, bound, generator);
}

/**
 * Fills a weight from the normal distribution of variance `gain² · 2 / (fan_in + fan_out)`, and returns it. PyTorch:
 * `torch.nn.init.xavier_normal_`.
 * @throws RangeError if it has fewer than 2 dimensions.
 */
export function xavier_normal_(tensor: Tensor, options?: XavierOptions): Tensor {
  const { gain, generator } = xavierOptions.normal(options);
  return normal(tensor, 0, xavierStd('xavier_normal_', tensor, gain), generator);
}

const kaimingDefaults: { a: number; mode: 'fan_in' | 'fan_out'; nonlinearity: Nonlinearity } & typeof noGenerator = {
  a: 0,
  mode: 'fan_in',
  nonlinearity: 'leaky_relu',
  ...noGenerator,
};
const kaimingOptions = {
  uniform: defineOptions('nn.init.kaiming_uniform_', kaimingDefaults),
  normal: defineOptions('nn.init.kaiming_normal_', kaimingDefaults),
};

/** Options of {@link kaiming_uniform_} and {@link kaiming_normal_}. */
export interface KaimingOptions extends InitOptions {
  /** The negative slope of the `leaky_relu` that follows. Default 0. */
  a?: number;
  /** Which variance to keep: that of the forward pass (`'fan_in'`, default) or of the backward pass. */
  mode?: 'fan_in' | 'fan_out';
  /** What follows the layer. Default `'leaky_relu'`. */
  nonlinearity?: Nonlinearity;
}

/** The standard deviation, or null for a tensor without elements, of which only a warning is worth. */
function kaimingStd(name: string, tensor: Tensor, options: typeof kaimingDefaults): number | null {
  const { a, mode, nonlinearity } = options;
  checkTensor(name, 'tensor', tensor);
  if (tensor.numel() === 0) {
    process.emitWarning(`${name}: initializing zero-element tensors is a no-op`);
    return null;
  }
  if (mode !== 'fan_in' && mode !== 'fan_out') {
    throw new RangeError(`${name}: mode: expected 'fan_in' or 'fan_out', got ${describe(mode)}`);
  }
  return calculate_gain(nonlinearity, { param: a }) / Math.sqrt(fans(name, tensor)[mode]);
}

/**
 * Fills a weight from the uniform distribution of variance `gain² / fan`, and returns it. PyTorch:
 * `torch.nn.init.kaiming_uniform_`.
 * @throws RangeError if it has fewer than 2 dimensions.
 */
export function kaiming_uniform_(tensor: Tensor, options?: KaimingOptions): Tensor {
  const given = kaimingOptions.uniform(options);
  const std = kaimingStd('kaiming_uniform_', tensor, given);
  if (std === null) return tensor;
  const bound = Math.sqrt(3) * std;
  return uniform(tensor, -bound, bound, given.generator);
}

/**
 * Fills a weight from the normal distribution of variance `gain² / fan`, and returns it. PyTorch:
 * `torch.nn.init.kaiming_normal_`.
 * @throws RangeError if it has fewer than 2 dimensions.
 */
export function kaiming_normal_(tensor: Tensor, options?: KaimingOptions): Tensor {
  const given = kaimingOptions.normal(options);
  const std = kaimingStd('kaiming_normal_', tensor, given);
  return std === null ? tensor : normal(tensor, 0, std, given.generator);
}

const orthogonalOptions = defineOptions('nn.init.orthogonal_', { gain: 1, ...noGenerator });

/**
 * Makes a weight, its dimensions from the second on taken as one, a random matrix with orthonormal rows or columns, times
 * `gain`; returns it. PyTorch: `torch.nn.init.orthogonal_`.
 * @throws RangeError if it has fewer than 2 dimensions.
 */
export function orthogonal_(tensor: Tensor, options?: InitOptions & { gain?: number }): Tensor {
  const { gain, generator } = orthogonalOptions(options);
  checkTensor('orthogonal_', 'tensor', tensor);
  if (tensor.ndim < 2) {
    throw new RangeError(`orthogonal_: tensor: expected 2 or more dimensions, got ${describe(tensor)}`);
  }
  if (tensor.numel() === 0) return tensor;
  const rows = tensor.size(0);
  const columns = tensor.numel() / rows;
  return no_grad(() => {
    const drawn = normal(empty(rows, columns, { dtype: tensor.dtype }), 0, 1, generator).double();
    const q = rows < columns ? orthonormalRows(drawn) : orthonormalRows(drawn.t().contiguous()).t();
    return tensor.copy_(q.reshape(tensor.shape)).mul_(gain);
  });
}

/**
 * Gram and Schmidt's method on the rows of a matrix, in place: the Q of the decomposition whose R has a positive diagonal.
 * Each row is freed of those before it twice: once leaves what rounding brings back.
 */
function orthonormalRows(matrix: Tensor): Tensor {
  for (let i = 0; i < matrix.size(0); i++) {
    const row = matrix.select(0, i);
    const before = matrix.narrow(0, 0, i);
    for (let pass = 0; pass < 2 && i > 0; pass++) row.sub_(before.t().mv(before.mv(row)));
    row.div_(Math.sqrt(row.dot(row).item() as number));
  }
  return matrix;
}

const sparseOptions = defineOptions('nn.init.sparse_', { std: 0.01, ...noGenerator });

/**
 * Fills a matrix from a normal distribution and sets a share `sparsity` of each column to zero; returns it. Which elements
 * are zero, the default generator says, as in PyTorch. PyTorch: `torch.nn.init.sparse_`.
 * @throws RangeError unless it has 2 dimensions and `sparsity` is in [0, 1].
 */
export function sparse_(tensor: Tensor, sparsity: number, options?: InitOptions & { std?: number }): Tensor {
  const { std, generator } = sparseOptions(options);
  checkNdim('sparse_', tensor, [2]);
  if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity <= 1)) {
    throw new RangeError(`sparse_: sparsity: expected a number between 0 and 1, got ${describe(sparsity)}`);
  }
  const [rows, columns] = tensor.shape;
  const zeros = Math.ceil(sparsity * rows);
  return no_grad(() => {
    normal(tensor, 0, std, generator);
    for (let column = 0; column < columns; column++) {
      tensor.select(1, column).index_fill_(0, randperm(rows).narrow(0, 0, zeros), 0);
    }
    return tensor;
  });
}
