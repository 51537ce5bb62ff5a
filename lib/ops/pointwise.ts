import { pointwise2 } from '../backend/frame.js';
import { mode } from '../autograd/mode.js';
import type { Tensor, Scalar } from '../tensor/tensor.js';
import { bool } from '../tensor/dtype.js';
import { allocateLike, binary, unary } from './elementwise.js';
import { defineOptions } from '../options.js';

// Elementwise arithmetic and functions. Each is its kernel and its gradient; all broadcast, promote dtypes and have an
// in-place form with a trailing underscore.

const alphaOptions = {
  add: defineOptions('add', { alpha: 1 }),
  sub: defineOptions('sub', { alpha: 1 }),
};

const adding = binary({
  name: 'add',
  kernel: 'add',
  boolKernel: 'logical_or',
  nodeName: 'AddBackward0',
  gradient: (g, _a, _b, needs, node) => [
    needs[0] ? g : null,
    needs[1] ? scaled(g, (node.attrs as { alpha: number }).alpha) : null,
  ],
});

const subtracting = binary({
  name: 'sub',
  kernel: 'add',
  boolKernel: null,
  nodeName: 'SubBackward0',
  gradient: (g, _a, _b, needs, node) => [
    needs[0] ? g : null,
    needs[1] ? scaled(g, -(node.attrs as { alpha: number }).alpha) : null,
  ],
});

function scaled(g: Tensor, factor: number): Tensor {
  return factor === 1 ? g : factor === -1 ? neg(g) : mul(g, factor);
}

const ONE: readonly number[] = [1];
const MINUS_ONE: readonly number[] = [-1];

/** `input + alpha * other`. PyTorch: `torch.add`. */
export function add(input: Tensor | Scalar, other: Tensor | Scalar, options?: { alpha?: number }): Tensor {
  if (options === undefined) return adding.apply(input, other, ONE, 1);
  const { alpha } = alphaOptions.add(options);
  return adding.apply(input, other, [alpha], alpha);
}

/** {@link add} in place. */
export function add_(input: Tensor, other: Tensor | Scalar, options?: { alpha?: number }): Tensor {
  const { alpha } = alphaOptions.add(options);
  return adding.applyInPlace(input, other, [alpha], alpha);
}

/** `input - alpha * other`. PyTorch: `torch.sub`. */
export function sub(input: Tensor | Scalar, other: Tensor | Scalar, options?: { alpha?: number }): Tensor {
  if (options === undefined) return subtracting.apply(input, other, MINUS_ONE, 1);
  const { alpha } = alphaOptions.sub(options);
  return subtracting.apply(input, other, [-alpha], alpha);
}

/** {@link sub} in place. */
export function sub_(input: Tensor, other: Tensor | Scalar, options?: { alpha?: number }): Tensor {
  const { alpha } = alphaOptions.sub(options);
  return subtracting.applyInPlace(input, other, [-alpha], alpha);
}

/** The product. PyTorch: `torch.mul`. */
export const mul = binary({
  name: 'mul',
  kernel: 'mul',
  boolKernel: 'logical_and',
  nodeName: 'MulBackward0',
  saves: true,
  gradient: (g, a, b, needs) => [needs[0] ? mul(g, b) : null, needs[1] ? mul(g, a) : null],
});

const dividing = binary({
  name: 'div',
  kernel: 'div',
  float: true,
  nodeName: 'DivBackward0',
  saves: true,
  gradient: (g, a, b, needs) => [
    needs[0] ? div(g, b) : null,
    needs[1] ? div(mul(neg(g), div(a as Tensor, b)), b) : null,
  ],
});

/** The negative. PyTorch: `torch.neg`. */
export const neg = unary('neg', 'NegBackward0', 'nothing', (g) => neg(g), 'number');

/** e to the power of each element. PyTorch: `torch.exp`. */
export const exp = unary('exp', 'ExpBackward0', 'output', (g, y) => mul(g, y));

/** The hyperbolic tangent. PyTorch: `torch.tanh`. */
export const tanh = unary(
  'tanh',
  'TanhBackward0',
  'output',
  (g, y) => fused('tanh_backward', g, y) ?? mul(g, sub(1, mul(y, y))),
);

/** max(0, x). PyTorch: `torch.relu`. */
export const relu = unary('relu', 'ReluBackward0', 'output', (g, y) => thresholdBackward(g, y), 'number');

const gtZero = binary({ name: 'gt', kernel: 'gt', out: bool });

function thresholdBackward(g: Tensor, y: Tensor): Tensor {
  return fused('threshold_backward', g, y, [0]) ?? mul(g, gtZero(y, 0));
}

/** The backward of an op in one pass, where no graph is being built; else null. */
function fused(
  kernel: 'tanh_backward' | 'threshold_backward',
  grad: Tensor,
  saved: Tensor,
  scalars?: readonly number[],
): Tensor | null {
  if (mode.enabled) return null;
  const out = allocateLike(grad._dims, grad._dtype, grad);
  pointwise2(kernel, out, grad, saved, scalars);
  return out;
}

/** The quotient. PyTorch: `torch.div`. */
export const div = dividing;
