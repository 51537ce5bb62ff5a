import { callReduction, pointwise2 } from '../../backend/frame.js';
import { K } from '../../backend/kernels.js';
import { mode } from '../../autograd/mode.js';
import { record, recording, type Node, type Op } from '../../autograd/node.js';
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

interface LossAttrs {
  reduction: Reduction;
  /** Of the losses that have one. */
  parameter: number;
}

/**
 * A loss of each difference of input and target, reduced: one node.
 * @param slope The derivative of a loss by the input, times `scale`.
 */
function differenceLoss(name: string, slope: (node: Node, scale: Tensor | number, parameter: number) => Tensor): Op {
  return {
    name,
    backward(grad, node) {
      const { reduction, parameter } = node.attrs as LossAttrs;
      // A single gradient is a number where no graph is being built: its product with what is constant costs no kernel.
      let scale: Tensor | number = grad;
      if (reduction !== 'none' && !mode.enabled) scale = grad.item() as number;
      const count = node.unpack(0)._numel;
      if (reduction === 'mean') scale = typeof scale === 'number' ? scale / count : scale.div(count);
      const gradient = slope(node, scale, parameter);
      return [node.needs(0) ? gradient : null, node.needs(1) ? gradient.neg() : null];
    },
  };
}

const MINUS_ONE = [-1];
const NONE: readonly number[] = [];

const MseLoss = differenceLoss('MseLossBackward0', (node, scale) => {
  // Unpacked even where their difference does, as that finds out what was changed in place.
  const [input, target] = [node.unpack(0), node.unpack(1)];
  const d = mode.enabled ? input.sub(target) : node.unpack(2);
  if (typeof scale !== 'number') return d.mul(2).mul(scale);
  const gradient = allocate(d._dims, d._dtype);
  pointwise2(K.mul, gradient, d, 2 * scale);
  return gradient;
});

function meanSquare(input: Tensor, target: Tensor, reduction: Reduction): Tensor {
  const d = allocate(input._dims, input._dtype);
  pointwise2(K.add, d, input, target, MINUS_ONE);
  let out: Tensor;
  if (reduction === 'none') {
    out = allocate(d._dims, d._dtype);
    pointwise2(K.mul, out, d, d);
  } else {
    out = allocate(SCALAR, d._dtype);
    callReduction(K.sum_squares, d, 1, 0, d._numel, 1, [out], NONE);
    // One number: written without a call.
    if (reduction === 'mean') (memoryOf(out) as Float64Array)[out._offset] /= d._numel;
  }
  if (recording(input, target)) record(MseLoss, out, [input, target], [input, target, d], { reduction, parameter: 0 });
  return out;
}

/** A loss that is half a square, or a fraction of it, up to its parameter, and from there on the line that continues it. */
function boundedLoss(
  kernel: 'huber' | 'smooth_l1',
  name: string,
  slope: (d: Tensor, parameter: number) => Tensor,
): (input: Tensor, target: Tensor, reduction: Reduction, parameter: number) => Tensor {
  const op = differenceLoss(name, (node, scale, parameter) => {
    const [input, target] = [node.unpack(0), node.unpack(1)];
    if (mode.enabled) return slope(input.sub(target), parameter).mul(scale);
    const gradient = allocate(input._dims, input._dtype);
    const factor = typeof scale === 'number' ? scale : 1;
    pointwise2(K[`${kernel}_backward`], gradient, input, target, [parameter, factor]);
    if (typeof scale !== 'number') pointwise2(K.mul, gradient, gradient, scale);
    return gradient;
  });
  return (input, target, reduction, parameter) => {
    const each = allocate(input._dims, input._dtype);
    pointwise2(K[kernel], each, input, target, [parameter]);
    const out = reduced(each, reduction);
    if (recording(input, target)) record(op, out, [input, target], [input, target], { reduction, parameter });
    return out;
  };
}

const huber = boundedLoss('huber', 'HuberLossBackward0', (d, delta) => d.clamp(-delta, delta));
const smoothL1 = boundedLoss('smooth_l1', 'SmoothL1LossBackward0', (d, beta) => d.div(beta).clamp(-1, 1));

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
  if (weight === null) return meanSquare(a, b, reduction);
  const loss = weighted('mse_loss', meanSquare(a, b, 'none'), weight);
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
  return beta === 0 ? reduced(a.sub(b).abs(), reduction) : smoothL1(a, b, reduction, beta);
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
  if (weight === null) return huber(a, b, reduction, delta);
  return reduced(weighted('huber_loss', huber(a, b, 'none', delta), weight), reduction);
}
