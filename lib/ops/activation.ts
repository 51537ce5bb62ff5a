import { pointwise2 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { mode } from '../autograd/mode.js';
import type { Op } from '../autograd/node.js';
import { allocate, checkTensor, describe, wrapDim, type Tensor } from '../tensor/tensor.js';
import { add, div, mul, sub } from './arithmetic.js';
import { gt, le, logical_and, logical_or, lt } from './comparison.js';
import { composite, fused, unary, withInPlace } from './elementwise.js';
import { abs, erf, exp, neg, sigmoid, tanh } from './functions.js';
import { cat } from './join.js';
import { narrow } from './slices.js';
import { reshape } from './view.js';
import { where } from './where.js';

// The activation functions that `torch.nn.functional` wraps options around; see there for what they are.

const gelus = {
  none: unary({
    name: 'gelu',
    saves: 'input',
    gradient: (g, x) => fused(K.gelu_backward, g, x) ?? mul(g, geluSlope(x)),
  }),
  tanh: unary({
    name: 'gelu',
    kernel: 'gelu_tanh',
    saves: 'input',
    gradient: (g, x) => fused(K.gelu_tanh_backward, g, x) ?? mul(g, geluTanhSlope(x)),
  }),
};

/** Φ(x) + x φ(x). */
function geluSlope(x: Tensor): Tensor {
  const cdf = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const pdf = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(cdf, mul(x, pdf));
}

const CUBIC = 0.044715;
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

function geluTanhSlope(x: Tensor): Tensor {
  const squared = mul(x, x);
  const t = tanh(mul(mul(x, add(mul(squared, CUBIC), 1)), SQRT_2_OVER_PI));
  const inner = mul(add(mul(squared, 3 * CUBIC), 1), SQRT_2_OVER_PI);
  return mul(add(add(t, 1), mul(mul(x, sub(1, mul(t, t))), inner)), 0.5);
}

/** x Φ(x), or its tanh approximation. */
export function gelu(input: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor {
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new RangeError(`gelu: approximate: expected 'none' or 'tanh', got ${describe(approximate)}`);
  return gelus[approximate](floating('gelu', input));
}

/** Refuses what is not floating point, as PyTorch's activations do. */
function floating(name: string, input: Tensor): Tensor {
  checkTensor(name, 'input', input);
  if (!input._dtype.is_floating_point)
    throw new TypeError(`${name}: input: expected a floating-point dtype, got ${input._dtype.name}`);
  return input;
}

const silus = unary({
  name: 'silu',
  saves: 'input',
  gradient(g, x) {
    const whole = fused(K.silu_backward, g, x);
    if (whole !== null) return whole;
    const s = sigmoid(x);
    return mul(g, mul(s, add(mul(x, sub(1, s)), 1)));
  },
});
/** x sigmoid(x). */
export const silu = withInPlace('silu', (input: Tensor): Tensor => silus(floating('silu', input)));

const mishes = unary({
  name: 'mish',
  saves: 'input',
  gradient(g, x) {
    const whole = fused(K.mish_backward, g, x);
    if (whole !== null) return whole;
    const t = tanh(softplus(x, 1, 20));
    return mul(g, add(t, mul(mul(x, sigmoid(x)), sub(1, mul(t, t)))));
  },
});
/** x tanh(softplus(x)). */
export const mish = withInPlace('mish', (input: Tensor): Tensor => mishes(floating('mish', input)));

const softpluses = unary({
  name: 'softplus',
  saves: 'input',
  gradient(g, x, [beta, limit]) {
    const whole = fused(K.softplus_backward, g, x, [beta, limit]);
    if (whole !== null) return whole;
    const scaled = mul(x, beta);
    return where(gt(scaled, limit), g, mul(g, sigmoid(scaled)));
  },
});
/** log(1 + exp(beta x)) / beta; x itself where beta x is beyond `threshold`. */
export function softplus(input: Tensor, beta: number, threshold: number): Tensor {
  return softpluses.apply(floating('softplus', input), [beta, threshold]);
}

/** An {@link elu} under one of its names. */
function eluNamed(name: string): ReturnType<typeof unary> {
  return unary({
    name,
    kernel: 'elu',
    saves: 'input',
    gradient(g, x, scalars) {
      const whole = fused(K.elu_backward, g, x, scalars);
      if (whole !== null) return whole;
      const [alpha, scale, inputScale] = scalars;
      const negative = where(lt(x, 0), x, 0);
      const slope = mul(exp(mul(negative, inputScale)), alpha * scale * inputScale);
      return where(gt(x, 0), mul(g, scale), mul(g, slope));
    },
  });
}
const elus = eluNamed('elu');
const celus = eluNamed('celu');
/** x, or alpha (exp(x) - 1) where that is negative. */
export const elu = withInPlace('elu', (input: Tensor, alpha: number): Tensor =>
  elus.apply(floating('elu', input), [alpha, 1, 1]),
);
/** {@link elu} scaled so that it keeps mean 0 and variance 1. PyTorch: `torch.selu`. */
export const selu = withInPlace('selu', (input: Tensor): Tensor =>
  elus.apply(floating('selu', input), [1.6732632423543772, 1.0507009873554805, 1]),
);
/** {@link elu} with a continuous slope: alpha (exp(x / alpha) - 1) below 0. */
export const celu = withInPlace('celu', (input: Tensor, alpha: number): Tensor =>
  celus.apply(floating('celu', input), [alpha, 1, 1 / alpha]),
);

const leaky = unary({
  name: 'leaky_relu',
  saves: 'input',
  gradient: (g, x, [slope]) => fused(K.leaky_relu_backward, g, x, [slope]) ?? where(gt(x, 0), g, mul(g, slope)),
});
/** x, or a fraction of it where it is negative. */
export const leaky_relu = withInPlace('leaky_relu', (input: Tensor, negative_slope: number): Tensor =>
  leaky.apply(floating('leaky_relu', input), [negative_slope]),
);

/**
 * {@link leaky_relu} with slopes that are learned: one, or one for each channel (dimension 1). PyTorch: `torch.prelu`.
 * @throws RangeError unless `weight` has one element or as many as there are channels.
 */
export function prelu(input: Tensor, weight: Tensor): Tensor {
  floating('prelu', input);
  checkTensor('prelu', 'weight', weight);
  if (weight._dtype !== input._dtype)
    throw new TypeError(`prelu: weight: expected dtype ${input._dtype.name}, got ${weight._dtype.name}`);
  const n = input._dims.length;
  if (weight._dims.length > 1)
    throw new RangeError(`prelu: weight: expected at most one dimension, got ${describe(weight)}`);
  const channels = n > 1 ? input._dims[1] : 1;
  if (weight._numel !== 1 && weight._numel !== channels)
    throw new RangeError(`prelu: weight: expected 1 or ${channels} elements, one a channel, got ${weight._numel}`);
  const slope = weight._numel === 1 ? reshape(weight, []) : reshape(weight, [-1, ...new Array<number>(n - 2).fill(1)]);
  return where(gt(input, 0), input, mul(input, slope));
}

// Unlike clamp's, the gradient is 0 at the bounds themselves.
const hardtanhs = unary({
  name: 'hardtanh',
  kernel: 'clamp',
  integers: 'compute',
  saves: 'input',
  gradient: (g, x, [min, max]) =>
    fused(K.hardtanh_backward, g, x, [min, max]) ?? where(logical_and(gt(x, min), lt(x, max)), g, 0),
});
/** x within [min_val, max_val]. */
export const hardtanh = withInPlace('hardtanh', (input: Tensor, min_val: number, max_val: number): Tensor =>
  hardtanhs.apply(input, [min_val, max_val]),
);
/** x within [0, 6]. */
export const relu6 = withInPlace('relu6', (input: Tensor): Tensor => hardtanhs.apply(input, [0, 6]));

const hardsigmoids = unary({
  name: 'hardsigmoid',
  saves: 'input',
  gradient: (g, x) => fused(K.hardsigmoid_backward, g, x) ?? where(logical_and(gt(x, -3), lt(x, 3)), mul(g, 1 / 6), 0),
});
/** (x + 3) / 6 within [0, 1]. */
export const hardsigmoid = withInPlace('hardsigmoid', (input: Tensor): Tensor =>
  hardsigmoids(floating('hardsigmoid', input)),
);

const hardswishes = unary({
  name: 'hardswish',
  saves: 'input',
  gradient: (g, x) =>
    fused(K.hardswish_backward, g, x) ?? where(le(x, -3), 0, where(lt(x, 3), mul(g, add(div(x, 3), 0.5)), g)),
});
/** x (x + 3) / 6, which is 0 up to -3 and x from 3 on. */
export const hardswish = withInPlace('hardswish', (input: Tensor): Tensor => hardswishes(floating('hardswish', input)));

/** One of the two functions that are 0 within [-lambd, lambd]. */
function shrinking(name: 'hardshrink' | 'softshrink'): ReturnType<typeof unary> {
  return unary({
    name,
    saves: 'input',
    gradient: (g, x, [lambd]) =>
      fused(K.shrink_backward, g, x, [lambd]) ?? where(logical_or(lt(x, -lambd), gt(x, lambd)), g, 0),
  });
}
const hardshrinks = shrinking('hardshrink');
const softshrinks = shrinking('softshrink');

/** x, or 0 within [-lambd, lambd]. PyTorch: `torch.hardshrink`. */
export function hardshrink(input: Tensor, lambd = 0.5): Tensor {
  checkNumber('hardshrink', 'lambd', lambd);
  return hardshrinks.apply(floating('hardshrink', input), [lambd]);
}

/** x brought closer to 0 by lambd. */
export function softshrink(input: Tensor, lambd = 0.5): Tensor {
  const x = floating('softshrink', input);
  if (!(lambd >= 0)) throw new RangeError(`softshrink: lambd: expected a number of at least 0, got ${describe(lambd)}`);
  return softshrinks.apply(x, [lambd]);
}

/** x - tanh(x). */
export const tanhshrink = (input: Tensor): Tensor => sub(input, tanh(input));
/** x / (1 + |x|). */
export const softsign = (input: Tensor): Tensor => div(input, add(abs(input), 1));

const logSigmoids = unary({
  name: 'logsigmoid',
  kernel: 'log_sigmoid',
  node: 'LogSigmoidBackward0',
  saves: 'input',
  gradient: (g, x) => fused(K.log_sigmoid_backward, g, x) ?? mul(g, sigmoid(neg(x))),
});
/** log(sigmoid(x)), without overflow. */
export const logsigmoid = (input: Tensor): Tensor => logSigmoids(floating('logsigmoid', input));

const thresholds = unary({
  name: 'threshold',
  integers: 'compute',
  saves: 'input',
  gradient: (g, x, [limit]) => fused(K.threshold_backward, g, x, [limit]) ?? where(le(x, limit), 0, g),
});
/** x where it is beyond `threshold`, else `value`. PyTorch: `torch.threshold`. */
export const threshold = withInPlace('threshold', (input: Tensor, threshold: number, value: number): Tensor => {
  checkNumber('threshold', 'threshold', threshold);
  checkNumber('threshold', 'value', value);
  return thresholds.apply(input, [threshold, value]);
});

function checkNumber(name: string, argument: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${name}: ${argument}: expected a number, got ${describe(value)}`);
}

const Glu: Op = {
  name: 'GluBackward0',
  backward(g, node) {
    const x = node.unpack(0);
    const dim = node.attrs as number;
    const [a, b] = halves(x, dim);
    const s = sigmoid(b);
    if (mode.enabled) return cat([mul(g, s), mul(mul(g, a), mul(sub(1, s), s))], dim);
    const out = allocate(x._dims, x._dtype);
    const [first, second] = halves(out, dim);
    pointwise2(K.mul, first, g, s);
    pointwise2(K.mul, second, g, a);
    pointwise2(K.sigmoid_backward, second, second, s);
    return out;
  },
};

function halves(x: Tensor, dim: number): [Tensor, Tensor] {
  const half = x._dims[dim] / 2;
  return [narrow(x, dim, 0, half), narrow(x, dim, half, half)];
}

/** The first half along `dim` times the sigmoid of the second. @throws RangeError for an odd size. */
export function glu(input: Tensor, dim = -1): Tensor {
  const x = floating('glu', input);
  if (x._dims.length === 0) throw new RangeError('glu: input: expected at least one dimension, got none');
  const along = wrapDim('glu', dim, x._dims.length);
  const size = x._dims[along];
  if (size % 2 !== 0) throw new RangeError(`glu: dim: expected an even size, got ${size} along dimension ${along}`);
  return composite(
    Glu,
    [x],
    () => {
      const [a, b] = halves(x, along);
      const out = sigmoid(b);
      pointwise2(K.mul, out, a, out);
      return out;
    },
    along,
  );
}
