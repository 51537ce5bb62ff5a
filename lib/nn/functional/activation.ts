import * as ops from '../../ops/activation.js';
import { contiguous } from '../../ops/convert.js';
import { withInPlace, type WithInPlace } from '../../ops/elementwise.js';
import { relu as reluOp, sigmoid, tanh } from '../../ops/functions.js';
import * as logits from '../../ops/scan.js';
import { defineOptions } from '../../options.js';
import { empty, ones_like } from '../../ops/creation.js';
import { float64, type DType } from '../../tensor/dtype.js';
import { checkTensor, memoryOf, type Tensor } from '../../tensor/tensor.js';
import { warnOnce } from '../../warnings.js';
import { checkFloat, checkNumber } from './common.js';

// The activations of lib/ops with their parameters as options.

export { sigmoid, tanh };
export { logsigmoid, prelu, softsign, tanhshrink } from '../../ops/activation.js';

/** Options of the activations that have no other. */
export interface InplaceOptions {
  /** Change `input` itself. Default false. */
  inplace?: boolean;
}

/** An activation whose only option is `inplace`. */
function activation(name: string, f: WithInPlace): (input: Tensor, options?: InplaceOptions) => Tensor {
  const optionsOf = defineOptions(`nn.functional.${name}`, { inplace: false });
  return (input, options) => (options !== undefined && optionsOf(options).inplace ? f.inPlace(input) : f(input));
}

/** max(0, x). PyTorch: `torch.nn.functional.relu`. */
export const relu = activation('relu', reluOp);
/** x between 0 and 6. PyTorch: `torch.nn.functional.relu6`. */
export const relu6 = activation('relu6', ops.relu6);
/** {@link elu} with the scale and alpha that keep mean 0 and variance 1. PyTorch: `torch.nn.functional.selu`. */
export const selu = activation('selu', ops.selu);
/** x sigmoid(x). PyTorch: `torch.nn.functional.silu`. */
export const silu = activation('silu', ops.silu);
/** x tanh(softplus(x)). PyTorch: `torch.nn.functional.mish`. */
export const mish = activation('mish', ops.mish);
/** (x + 3) / 6 between 0 and 1. PyTorch: `torch.nn.functional.hardsigmoid`. */
export const hardsigmoid = activation('hardsigmoid', ops.hardsigmoid);
/** x hardsigmoid(x). PyTorch: `torch.nn.functional.hardswish`. */
export const hardswish = activation('hardswish', ops.hardswish);

const optionsOf = {
  leaky_relu: defineOptions('nn.functional.leaky_relu', { negative_slope: 0.01, inplace: false }),
  elu: defineOptions('nn.functional.elu', { alpha: 1, inplace: false }),
  celu: defineOptions('nn.functional.celu', { alpha: 1, inplace: false }),
  hardtanh: defineOptions('nn.functional.hardtanh', { min_val: -1, max_val: 1, inplace: false }),
  threshold: defineOptions('nn.functional.threshold', { inplace: false }),
  rrelu: defineOptions('nn.functional.rrelu', { lower: 1 / 8, upper: 1 / 3, training: false, inplace: false }),
  gelu: defineOptions('nn.functional.gelu', { approximate: 'none' as 'none' | 'tanh' }),
  softplus: defineOptions('nn.functional.softplus', { beta: 1, threshold: 20 }),
  hardshrink: defineOptions('nn.functional.hardshrink', { lambd: 0.5 }),
  softshrink: defineOptions('nn.functional.softshrink', { lambd: 0.5 }),
  glu: defineOptions('nn.functional.glu', { dim: -1 }),
};

const rrelus = withInPlace('rrelu', applyRrelu);

/** Calls `f` or its in-place form. */
function call<Rest extends unknown[]>(f: WithInPlace<Rest>, inplace: boolean, input: Tensor, ...rest: Rest): Tensor {
  return inplace ? f.inPlace(input, ...rest) : f(input, ...rest);
}

/** x, times `negative_slope` where it is negative. PyTorch: `torch.nn.functional.leaky_relu`. */
export function leaky_relu(input: Tensor, options?: InplaceOptions & { negative_slope?: number }): Tensor {
  const { negative_slope, inplace } = optionsOf.leaky_relu(options);
  checkNumber('leaky_relu', 'negative_slope', negative_slope);
  return call(ops.leaky_relu, inplace, input, negative_slope);
}

/** x, where it is negative alpha (exp(x) - 1). PyTorch: `torch.nn.functional.elu`. */
export function elu(input: Tensor, options?: InplaceOptions & { alpha?: number }): Tensor {
  const { alpha, inplace } = optionsOf.elu(options);
  checkNumber('elu', 'alpha', alpha);
  return call(ops.elu, inplace, input, alpha);
}

/** x, where it is negative alpha (exp(x / alpha) - 1). PyTorch: `torch.nn.functional.celu`. @throws RangeError if `alpha` is 0. */
export function celu(input: Tensor, options?: InplaceOptions & { alpha?: number }): Tensor {
  const { alpha, inplace } = optionsOf.celu(options);
  checkNumber('celu', 'alpha', alpha);
  if (alpha === 0) throw new RangeError('celu: alpha: expected a number other than 0, got 0');
  return call(ops.celu, inplace, input, alpha);
}

/** x between `min_val` and `max_val`. PyTorch: `torch.nn.functional.hardtanh`. @throws RangeError if `min_val` is the greater. */
export function hardtanh(input: Tensor, options?: InplaceOptions & { min_val?: number; max_val?: number }): Tensor {
  const { min_val, max_val, inplace } = optionsOf.hardtanh(options);
  checkNumber('hardtanh', 'min_val', min_val);
  checkNumber('hardtanh', 'max_val', max_val);
  if (min_val > max_val) {
    throw new RangeError(`hardtanh: min_val: expected at most max_val (${max_val}), got ${min_val}`);
  }
  return call(ops.hardtanh, inplace, input, min_val, max_val);
}

/** x where it is greater than `threshold`, else `value`. PyTorch: `torch.nn.functional.threshold`. */
export function threshold(input: Tensor, threshold: number, value: number, options?: InplaceOptions): Tensor {
  const { inplace } = optionsOf.threshold(options);
  checkNumber('threshold', 'threshold', threshold);
  checkNumber('threshold', 'value', value);
  return call(ops.threshold, inplace, input, threshold, value);
}

/** Options of {@link rrelu}. */
export interface RReLUOptions extends InplaceOptions {
  /** Default 1/8. */
  lower?: number;
  /** Default 1/3. */
  upper?: number;
  /** Draw the slopes. Default false: their mean. */
  training?: boolean;
}

/**
 * x, where it is negative times a slope drawn from [`lower`, `upper`), or the mean of the two. PyTorch:
 * `torch.nn.functional.rrelu`.
 * @throws RangeError if `lower` is the greater.
 */
export function rrelu(input: Tensor, options?: RReLUOptions): Tensor {
  const { lower, upper, training, inplace } = optionsOf.rrelu(options);
  checkNumber('rrelu', 'lower', lower);
  checkNumber('rrelu', 'upper', upper);
  if (lower > upper) throw new RangeError(`rrelu: lower: expected at most upper (${upper}), got ${lower}`);
  return call(rrelus, inplace, input, lower, upper, training);
}

function applyRrelu(input: Tensor, lower: number, upper: number, training: boolean): Tensor {
  checkTensor('rrelu', 'input', input);
  return training ? input.mul(slopes(input, lower, upper)) : ops.leaky_relu(input, (lower + upper) / 2);
}

/** 1 where the input is positive, elsewhere a slope: as many are drawn as there are such elements, in row-major order. */
function slopes(input: Tensor, lower: number, upper: number): Tensor {
  checkFloat('rrelu', 'input', input);
  const draws = empty(input.le(0).sum().item() as number, { dtype: float64 })
    .uniform_(lower, upper)
    .toTypedArray();
  const flat = contiguous(input.detach());
  const out = ones_like(flat);
  const from = memoryOf(flat);
  const to = memoryOf(out);
  let next = 0;
  for (let i = 0; i < flat._numel; i++) if (from[flat._offset + i] <= 0) to[out._offset + i] = draws[next++];
  return out;
}

/** x Φ(x), or with `approximate: 'tanh'` its approximation. PyTorch: `torch.nn.functional.gelu`. */
export function gelu(input: Tensor, options?: { approximate?: 'none' | 'tanh' }): Tensor {
  return ops.gelu(input, optionsOf.gelu(options).approximate);
}

/** log(1 + exp(beta x)) / beta; x itself where beta x is beyond `threshold`. PyTorch: `torch.nn.functional.softplus`. */
export function softplus(input: Tensor, options?: { beta?: number; threshold?: number }): Tensor {
  const { beta, threshold } = optionsOf.softplus(options);
  checkNumber('softplus', 'beta', beta);
  checkNumber('softplus', 'threshold', threshold);
  return ops.softplus(input, beta, threshold);
}

/** x, 0 where its absolute value is at most `lambd`. PyTorch: `torch.nn.functional.hardshrink`. */
export function hardshrink(input: Tensor, options?: { lambd?: number }): Tensor {
  const { lambd } = optionsOf.hardshrink(options);
  checkNumber('hardshrink', 'lambd', lambd);
  return ops.hardshrink(input, lambd);
}

/** x brought towards 0 by `lambd`, at most to 0. PyTorch: `torch.nn.functional.softshrink`. @throws RangeError if `lambd` is negative. */
export function softshrink(input: Tensor, options?: { lambd?: number }): Tensor {
  const { lambd } = optionsOf.softshrink(options);
  checkNumber('softshrink', 'lambd', lambd);
  return ops.softshrink(input, lambd);
}

/** The first half of dimension `dim` times the sigmoid of the second. PyTorch: `torch.nn.functional.glu`. @throws RangeError for an odd size. */
export function glu(input: Tensor, dim?: number | { dim?: number }): Tensor {
  return ops.glu(input, typeof dim === 'number' ? dim : optionsOf.glu(dim).dim);
}

/** Options of {@link softmax}, {@link log_softmax} and {@link softmin}. */
export interface SoftmaxOptions {
  dim?: number | null;
  /** What the input is converted to first. Default: its own. */
  dtype?: DType | null;
}

/** A softmax whose dimension comes by position or as an option, as its dtype does. */
function softmaxOf(name: string, f: (input: Tensor, dim: number, dtype: DType | null) => Tensor) {
  const optionsOf = defineOptions(`nn.functional.${name}`, { dim: null as number | null, dtype: null as DType | null });
  return (input: Tensor, dim?: number | null | SoftmaxOptions, options?: Omit<SoftmaxOptions, 'dim'>): Tensor => {
    checkTensor(name, 'input', input);
    const positional = typeof dim === 'number';
    const given = optionsOf(positional || dim === null ? options : dim);
    return f(input, positional ? dim : (given.dim ?? implicitDim(name, input)), given.dtype);
  };
}

function implicitDim(name: string, input: Tensor): number {
  warnOnce(name, `${name}: implicit dimension choice is deprecated: pass a dim.`);
  return [0, 1, 3].includes(input._dims.length) ? 0 : 1;
}

/** exp(x) over its sum along `dim`. PyTorch: `torch.nn.functional.softmax`. */
export const softmax = softmaxOf('softmax', (input, dim, dtype) => logits.softmax(input, dim, { dtype }));
/** The logarithm of {@link softmax}. PyTorch: `torch.nn.functional.log_softmax`. */
export const log_softmax = softmaxOf('log_softmax', (input, dim, dtype) => logits.log_softmax(input, dim, { dtype }));
/** {@link softmax} of the negative. PyTorch: `torch.nn.functional.softmin`. */
export const softmin = softmaxOf('softmin', (input, dim, dtype) => logits.softmax(input.neg(), dim, { dtype }));
