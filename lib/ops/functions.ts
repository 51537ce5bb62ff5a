import { K } from '../backend/kernels.js';
import { defineOptions } from '../options.js';
import { bool } from '../tensor/dtype.js';
import { checkTensor, describe, Tensor } from '../tensor/tensor.js';
import { add, div, mul, pow, sub } from './arithmetic.js';
import { clone } from './convert.js';
import { zeros_like } from './creation.js';
import { eq, gt, le, logical_or, lt } from './comparison.js';
import { fused, unary, withInPlace } from './elementwise.js';
import { where } from './where.js';

// Functions of one tensor, element by element. Each is its kernel and its gradient. Those that make no sense for
// integers convert them to floating point first.

/** The negative. PyTorch: `torch.neg`. */
export const neg = unary({ name: 'neg', integers: 'compute', gradient: (g) => neg(g) });
/** The absolute value. PyTorch: `torch.abs`. */
export const abs = unary({ name: 'abs', integers: 'compute', saves: 'input', gradient: (g, x) => mul(g, sign(x)) });

const signs = unary({ name: 'sign', integers: 'compute', gradient: (g) => zeros_like(g) });
/** -1, 0 or 1. PyTorch: `torch.sign`. */
export const sign = withInPlace('sign', (input: Tensor): Tensor => (isBool(input) ? clone(input) : signs(input)));

function isBool(input: Tensor): boolean {
  return input instanceof Tensor && input._dtype === bool;
}

/** The tensor itself. PyTorch: `torch.positive`. @throws TypeError for booleans. */
export function positive(input: Tensor): Tensor {
  checkTensor('positive', 'input', input);
  if (isBool(input)) throw new TypeError('positive: not supported for bool tensors');
  return input;
}

/** The next integer below. PyTorch: `torch.floor`. */
export const floor = unary({ name: 'floor', integers: 'keep', gradient: (g) => zeros_like(g) });
/** The next integer above. PyTorch: `torch.ceil`. */
export const ceil = unary({ name: 'ceil', integers: 'keep', gradient: (g) => zeros_like(g) });
/** The next integer towards zero. PyTorch: `torch.trunc`. */
export const trunc = unary({ name: 'trunc', integers: 'keep', gradient: (g) => zeros_like(g) });
/** What {@link trunc} takes off. PyTorch: `torch.frac`. */
export const frac = unary({ name: 'frac', integers: 'compute', gradient: (g) => g });

const rounding = unary({ name: 'round', integers: 'keep', gradient: (g) => zeros_like(g) });
const roundOptions = defineOptions('round', { decimals: 0 });
/** The nearest integer, of two the even one; or the nearest number of `decimals` digits. PyTorch: `torch.round`. */
export const round = withInPlace('round', (input: Tensor, options?: { decimals?: number }): Tensor => {
  const { decimals } = roundOptions(options);
  if (!Number.isInteger(decimals))
    throw new TypeError(`round: decimals: expected an integer, got ${describe(decimals)}`);
  if (decimals === 0) return rounding(input);
  const scale = 10 ** Math.abs(decimals);
  return decimals > 0 ? div(rounding(mul(input, scale)), scale) : mul(rounding(div(input, scale)), scale);
});

/** e to the power of each element. PyTorch: `torch.exp`. */
export const exp = unary({ name: 'exp', saves: 'output', gradient: (g, y) => mul(g, y) });
/** 2 to the power of each element. PyTorch: `torch.exp2`. */
export const exp2 = unary({ name: 'exp2', saves: 'output', gradient: (g, y) => mul(mul(g, y), Math.LN2) });
/** e to the power of each element, less 1; exact near 0. PyTorch: `torch.expm1`. */
export const expm1 = unary({ name: 'expm1', saves: 'output', gradient: (g, y) => mul(g, add(y, 1)) });
/** The natural logarithm. PyTorch: `torch.log`. */
export const log = unary({ name: 'log', saves: 'input', gradient: (g, x) => div(g, x) });
/** The logarithm to base 2. PyTorch: `torch.log2`. */
export const log2 = unary({ name: 'log2', saves: 'input', gradient: (g, x) => div(g, mul(x, Math.LN2)) });
/** The logarithm to base 10. PyTorch: `torch.log10`. */
export const log10 = unary({ name: 'log10', saves: 'input', gradient: (g, x) => div(g, mul(x, Math.LN10)) });
/** log(1 + x), exact near 0. PyTorch: `torch.log1p`. */
export const log1p = unary({ name: 'log1p', saves: 'input', gradient: (g, x) => div(g, add(x, 1)) });

/** The square root. PyTorch: `torch.sqrt`. */
export const sqrt = unary({ name: 'sqrt', saves: 'output', gradient: (g, y) => div(g, mul(y, 2)) });
/** One over the square root. PyTorch: `torch.rsqrt`. */
export const rsqrt = unary({ name: 'rsqrt', saves: 'output', gradient: (g, y) => mul(mul(g, pow(y, 3)), -0.5) });
/** One over each element. PyTorch: `torch.reciprocal`. */
export const reciprocal = unary({
  name: 'reciprocal',
  saves: 'output',
  gradient: (g, y) => neg(mul(g, mul(y, y))),
});
/** Each element times itself. PyTorch: `torch.square`. */
export const square = withInPlace('square', (input: Tensor): Tensor => pow(input, 2));

/** The sine. PyTorch: `torch.sin`. */
export const sin = unary({ name: 'sin', saves: 'input', gradient: (g, x) => mul(g, cos(x)) });
/** The cosine. PyTorch: `torch.cos`. */
export const cos = unary({ name: 'cos', saves: 'input', gradient: (g, x) => neg(mul(g, sin(x))) });
/** The tangent. PyTorch: `torch.tan`. */
export const tan = unary({ name: 'tan', saves: 'output', gradient: (g, y) => mul(g, add(mul(y, y), 1)) });
/** sin(πx) / (πx), at 0 its limit 1. PyTorch: `torch.sinc`. */
export const sinc = unary({
  name: 'sinc',
  saves: 'input',
  gradient: (g, x) => mul(g, where(eq(x, 0), 0, div(sub(cos(mul(x, Math.PI)), sinc(x)), x))),
});
/** The inverse sine. PyTorch: `torch.asin`. */
export const asin = unary({ name: 'asin', saves: 'input', gradient: (g, x) => mul(g, rsqrt(sub(1, mul(x, x)))) });
/** The inverse cosine. PyTorch: `torch.acos`. */
export const acos = unary({ name: 'acos', saves: 'input', gradient: (g, x) => neg(mul(g, rsqrt(sub(1, mul(x, x))))) });
/** The inverse tangent. PyTorch: `torch.atan`. */
export const atan = unary({ name: 'atan', saves: 'input', gradient: (g, x) => div(g, add(mul(x, x), 1)) });
/** The hyperbolic sine. PyTorch: `torch.sinh`. */
export const sinh = unary({ name: 'sinh', saves: 'input', gradient: (g, x) => mul(g, cosh(x)) });
/** The hyperbolic cosine. PyTorch: `torch.cosh`. */
export const cosh = unary({ name: 'cosh', saves: 'input', gradient: (g, x) => mul(g, sinh(x)) });
/** The hyperbolic tangent. PyTorch: `torch.tanh`. */
export const tanh = unary({
  name: 'tanh',
  saves: 'output',
  gradient: (g, y) => fused(K.tanh_backward, g, y) ?? mul(g, sub(1, mul(y, y))),
});
/** The inverse hyperbolic sine. PyTorch: `torch.asinh`. */
export const asinh = unary({ name: 'asinh', saves: 'input', gradient: (g, x) => mul(g, rsqrt(add(mul(x, x), 1))) });
/** The inverse hyperbolic cosine. PyTorch: `torch.acosh`. */
export const acosh = unary({ name: 'acosh', saves: 'input', gradient: (g, x) => mul(g, rsqrt(sub(mul(x, x), 1))) });
/** The inverse hyperbolic tangent. PyTorch: `torch.atanh`. */
export const atanh = unary({ name: 'atanh', saves: 'input', gradient: (g, x) => div(g, sub(1, mul(x, x))) });

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** The derivative of {@link erf}. */
function bell(x: Tensor): Tensor {
  return mul(exp(neg(mul(x, x))), TWO_OVER_SQRT_PI);
}

/** The error function. PyTorch: `torch.erf`. */
export const erf = unary({ name: 'erf', saves: 'input', gradient: (g, x) => mul(g, bell(x)) });
/** 1 - erf(x), exact where it is small. PyTorch: `torch.erfc`. */
export const erfc = unary({ name: 'erfc', saves: 'input', gradient: (g, x) => neg(mul(g, bell(x))) });
/** The inverse of {@link erf}. PyTorch: `torch.erfinv`. */
export const erfinv = unary({
  name: 'erfinv',
  saves: 'input',
  gradient: (g, x) => mul(mul(g, exp(square(erfinv(x)))), 1 / TWO_OVER_SQRT_PI),
});
/** The logarithm of the absolute value of the gamma function. PyTorch: `torch.lgamma`. */
export const lgamma = unary({ name: 'lgamma', saves: 'input', gradient: (g, x) => mul(g, digamma(x)) });
/** The derivative of {@link lgamma}. PyTorch: `torch.digamma`. */
export const digamma = unary({ name: 'digamma', saves: 'input', gradient: (g, x) => mul(g, trigamma(x)) });

/** The derivative of {@link digamma}: by reflection to x ≥ 1/2, by recurrence beyond 8, there by its asymptotic series. */
function trigamma(x: Tensor): Tensor {
  const reflected = lt(x, 0.5);
  let z = where(reflected, sub(1, x), x);
  let result = zeros_like(x);
  for (let i = 0; i < 8; i++) {
    result = add(result, reciprocal(mul(z, z)));
    z = add(z, 1);
  }
  const w = reciprocal(mul(z, z));
  let series = mul(w, 5 / 66);
  for (const bernoulli of [-1 / 30, 1 / 42, -1 / 30, 1 / 6]) series = mul(add(series, bernoulli), w);
  result = add(result, div(add(add(series, 1), div(0.5, z)), z));
  const sine = sin(mul(where(reflected, x, 0.5), Math.PI));
  return where(reflected, sub(div(Math.PI ** 2, mul(sine, sine)), result), result);
}

/** 1 / (1 + exp(-x)). PyTorch: `torch.sigmoid`. */
export const sigmoid = unary({
  name: 'sigmoid',
  saves: 'output',
  gradient: (g, y) => fused(K.sigmoid_backward, g, y) ?? mul(g, mul(sub(1, y), y)),
});

const NOT_CLAMPED = -1;
const logits = unary({
  name: 'logit',
  saves: 'input',
  gradient(g, x, [eps]) {
    const slope = div(g, mul(x, sub(1, x)));
    const [low, high, beyond] = eps < 0 ? [0, 1, NaN] : [eps, 1 - eps, 0];
    return where(logical_or(lt(x, low), gt(x, high)), beyond, slope);
  },
});
const logitOptions = defineOptions('logit', { eps: null as number | null });
function logitScalars(options?: { eps?: number | null }): [eps: number] {
  const { eps } = logitOptions(options);
  if (eps !== null && typeof eps !== 'number')
    throw new TypeError(`logit: eps: expected a number or null, got ${describe(eps)}`);
  return [eps ?? NOT_CLAMPED];
}
type Logit = (input: Tensor, options?: { eps?: number | null }) => Tensor;
/**
 * log(x / (1 - x)). PyTorch: `torch.logit`.
 * @param options.eps Clamps x to [eps, 1 - eps]; null (default), or a number below 0, does not.
 * @throws TypeError if `eps` is neither a number nor null.
 */
export const logit: Logit & { inPlace: Logit } = Object.assign(
  ((input, options) => logits.apply(input, logitScalars(options))) as Logit,
  { inPlace: ((input, options) => logits.applyInPlace(input, logitScalars(options))) as Logit },
);

/** max(0, x). PyTorch: `torch.relu`. */
export const relu = unary({
  name: 'relu',
  integers: 'compute',
  saves: 'output',
  gradient: (g, y) => thresholdGradient(g, y, 0),
});

/** `grad` where `y` is beyond a threshold, else 0. @internal */
function thresholdGradient(grad: Tensor, y: Tensor, threshold: number): Tensor {
  return fused(K.threshold_backward, grad, y, [threshold]) ?? where(le(y, threshold), 0, grad);
}

export {
  abs as absolute,
  acos as arccos,
  acosh as arccosh,
  asin as arcsin,
  asinh as arcsinh,
  atan as arctan,
  atanh as arctanh,
  neg as negative,
  sign as sgn,
  trunc as fix,
};
