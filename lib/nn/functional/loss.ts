import { callReduction, pointwise2 } from '../../backend/frame.js';
import { K } from '../../backend/kernels.js';
import { mode } from '../../autograd/mode.js';
import { record, recording, type Op } from '../../autograd/node.js';
import { defineOptions } from '../../options.js';
import { allocate, checkTensor, memoryOf, type Dims, type Tensor } from '../../tensor/tensor.js';
import { to } from '../../ops/convert.js';
import { broadcastDims, result_type, sameDims } from '../../ops/shape.js';
import { expand } from '../../ops/view.js';
import { warnOnce } from '../../warnings.js';
import { checkFloat, checkNumber, checkReduction, reduced, type Reduction } from './common.js';

// Losses of the difference of input and target, element by element.

const SCALAR: Dims = [];

/** Input and target in one dtype and shape; where their shapes differ, broadcast, with a warning. */
function comparable(name: string, input: Tensor, target: Tensor): [Tensor, Tensor] {
  checkTensor(name, 'input', input);
  checkTensor(name, 'target', target);
  if (input._dtype !== target._dtype) {
    const dtype = result_type(input, target);
    input = to(input, dtype);
    target = to(target, dtype);
  }
  checkFloat(name, 'input', input);
  if (!sameDims(input._dims, target._dims)) {
    const dims = broadcastDims(name, input._dims, target._dims);
    warnOnce(
      name,
      `${name}: the target's size [${target._dims.join(', ')}] is different to the input's size ` +
        `[${input._dims.join(', ')}]. Broadcasting them is likely to give incorrect results; make their sizes the same.`,
    );
    input = expand(input, dims);
    target = expand(target, dims);
  }
  return [input, target];
}

/** A loss of each difference, reduced: one node. */
interface DifferenceLoss extends Op {
  /** The loss of each difference `d`. */
  value(d: Tensor, parameter: number): Tensor;
}

interface LossAttrs {
  reduction: Reduction;
  parameter: number;
}

/** @param slope The derivative of `value`, times `scale`. */
function differenceLoss(
  name: string,
  value: DifferenceLoss['value'],
  slope: (d: Tensor, scale: Tensor | number, parameter: number) => Tensor,
): DifferenceLoss {
  return {
    name,
    value,
    backward(grad, node) {
      const { reduction, parameter } = node.attrs as LossAttrs;
      const input = node.unpack(0);
      const target = node.unpack(1);
      const d = mode.enabled ? input.sub(target) : node.unpack(2);
      // A single gradient is a number where no graph is being built: its product with what is constant costs no kernel.
      let scale: Tensor | number = grad;
      if (reduction !== 'none' && !mode.enabled) scale = grad.item() as number;
      if (reduction === 'mean') scale = typeof scale === 'number' ? scale / input._numel : scale.div(input._numel);
      const gradient = slope(d, scale, parameter);
      return [node.needs(0) ? gradient : null, node.needs(1) ? gradient.neg() : null];
    },
  };
}

const MINUS_ONE = [-1];

function applyLoss(op: DifferenceLoss, input: Tensor, target: Tensor, reduction: Reduction, parameter: number): Tensor {
  const d = allocate(input._dims, input._dtype);
  pointwise2(K.add, d, input, target, MINUS_ONE);
  let out: Tensor;
  if (op === MseLoss && reduction !== 'none') {
    out = allocate(SCALAR, d._dtype);
    callReduction(K.sum_squares, d, 1, 0, d._numel, 1, [out], NONE);
    // One number: written without a call.
    if (reduction === 'mean') (memoryOf(out) as Float64Array)[out._offset] /= d._numel;
  } else {
    out = reduced(op.value(d, parameter), reduction);
  }
  if (recording(input, target)) record(op, out, [input, target], [input, target, d], { reduction, parameter });
  return out;
}
const NONE: readonly number[] = [];

/** A loss of every element, times its weight. */
function weighted(name: string, loss: Tensor, weight: Tensor): Tensor {
  checkTensor(name, 'weight', weight);
  if (!sameDims(weight._dims, loss._dims)) {
    throw new RangeError(
      `${name}: weight: expected the input's shape [${loss._dims.join(', ')}], got [${weight._dims.join(', ')}]`,
    );
  }
  return loss.mul(weight);
}

/** {@link reduced}, the mean being that of the weights. */
function weightedMean(loss: Tensor, weight: Tensor, reduction: Reduction): Tensor {
  return reduction === 'mean' ? loss.sum().div(weight.sum()) : reduced(loss, reduction);
}

const MseLoss = differenceLoss(
  'MseLossBackward0',
  (d) => d.mul(d),
  (d, scale) => {
    if (typeof scale !== 'number') return d.mul(2).mul(scale);
    const gradient = allocate(d._dims, d._dtype);
    pointwise2(K.mul, gradient, d, 2 * scale);
    return gradient;
  },
);

/** Options of the losses of differences. */
export interface WeightedLossOptions {
  /** Default `'mean'`. */
  reduction?: Reduction;
  /** A weight for each element; a mean is then divided by their sum (of huber_loss, by their number). Default null. */
  weight?: Tensor | null;
}

const mseOptions = defineOptions('nn.functional.mse_loss', {
  reduction: 'mean' as Reduction,
  weight: null as Tensor | null,
});

/**
 * The squared differences. PyTorch: `torch.nn.functional.mse_loss`. Warns where the sizes differ.
 * @throws RangeError if the shapes do not broadcast.
 */
export function mse_loss(input: Tensor, target: Tensor, options?: WeightedLossOptions): Tensor {
  const { reduction, weight } = mseOptions(options);
  checkReduction('mse_loss', reduction);
  const [a, b] = comparable('mse_loss', input, target);
  if (weight === null) return applyLoss(MseLoss, a, b, reduction, 0);
  const loss = weighted('mse_loss', applyLoss(MseLoss, a, b, 'none', 0), weight);
  return weightedMean(loss, weight, reduction);
}

const l1Options = defineOptions('nn.functional.l1_loss', {
  reduction: 'mean' as Reduction,
  weight: null as Tensor | null,
});

/**
 * The absolute differences. PyTorch: `torch.nn.functional.l1_loss`. Warns where the sizes differ.
 * @throws RangeError if the shapes do not broadcast.
 */
export function l1_loss(input: Tensor, target: Tensor, options?: WeightedLossOptions): Tensor {
  const { reduction, weight } = l1Options(options);
  checkReduction('l1_loss', reduction);
  const [a, b] = comparable('l1_loss', input, target);
  const loss = a.sub(b).abs();
  if (weight === null) return reduced(loss, reduction);
  return weightedMean(weighted('l1_loss', loss, weight), weight, reduction);
}

/** Half the square up to `delta`, and from there on the line that continues it. */
function huber(d: Tensor, delta: number): Tensor {
  const a = d.abs();
  const q = a.clamp(null, delta);
  return q.mul(a.sub(q.mul(0.5)));
}

const HuberLoss = differenceLoss('HuberLossBackward0', huber, (d, scale, delta) => d.clamp(-delta, delta).mul(scale));

const SmoothL1Loss = differenceLoss(
  'SmoothL1LossBackward0',
  (d, beta) => huber(d, beta).div(beta),
  (d, scale, beta) => d.div(beta).clamp(-1, 1).mul(scale),
);

const smoothL1Options = defineOptions('nn.functional.smooth_l1_loss', { reduction: 'mean' as Reduction, beta: 1 });

/**
 * The absolute differences less `beta / 2`, below `beta` half their squares over `beta`. PyTorch:
 * `torch.nn.functional.smooth_l1_loss`. Warns where the sizes differ.
 * @throws RangeError if the shapes do not broadcast, or `beta` is negative.
 */
export function smooth_l1_loss(
  input: Tensor,
  target: Tensor,
  options?: { reduction?: Reduction; beta?: number },
): Tensor {
  const { reduction, beta } = smoothL1Options(options);
  checkReduction('smooth_l1_loss', reduction);
  checkNumber('smooth_l1_loss', 'beta', beta);
  if (beta < 0) throw new RangeError(`smooth_l1_loss: beta: expected a number >= 0, got ${beta}`);
  const [a, b] = comparable('smooth_l1_loss', input, target);
  return beta === 0 ? reduced(a.sub(b).abs(), reduction) : applyLoss(SmoothL1Loss, a, b, reduction, beta);
}

const huberOptions = defineOptions('nn.functional.huber_loss', {
  reduction: 'mean' as Reduction,
  delta: 1,
  weight: null as Tensor | null,
});

/**
 * Half the squared differences, beyond `delta` the line that continues them. PyTorch: `torch.nn.functional.huber_loss`.
 * Warns where the sizes differ.
 * @throws RangeError if the shapes do not broadcast, or `delta` is not positive.
 */
export function huber_loss(input: Tensor, target: Tensor, options?: WeightedLossOptions & { delta?: number }): Tensor {
  const { reduction, delta, weight } = huberOptions(options);
  checkReduction('huber_loss', reduction);
  checkNumber('huber_loss', 'delta', delta);
  if (!(delta > 0)) throw new RangeError(`huber_loss: delta: expected a number > 0, got ${delta}`);
  const [a, b] = comparable('huber_loss', input, target);
  if (weight === null) return applyLoss(HuberLoss, a, b, reduction, delta);
  return reduced(weighted('huber_loss', applyLoss(HuberLoss, a, b, 'none', delta), weight), reduction);
}
