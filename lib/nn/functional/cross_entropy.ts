import { mode } from '../../autograd/mode.js';
import { record, recording, type Op } from '../../autograd/node.js';
import { callStrided, IndexError } from '../../backend/frame.js';
import { K } from '../../backend/kernels.js';
import { defineOptions } from '../../options.js';
import { to } from '../../ops/convert.js';
import { fillNumber } from '../../ops/creation.js';
import { sameDims } from '../../ops/shape.js';
import { reshape, unsqueeze } from '../../ops/view.js';
import { int64, uint8 } from '../../tensor/dtype.js';
import { allocate, checkTensor, describe, stridesOf, type Dims, type Tensor } from '../../tensor/tensor.js';
import { checkFloat, checkNumber, checkReduction, type Reduction } from './common.js';

/** The dimension of the classes. */
function classDim(dims: Dims): number {
  return dims.length === 1 ? 0 : 1;
}

/** Sizes, or strides, but for those of the classes. */
function withoutClasses(dims: Dims): number[] {
  return dims.filter((_, d) => d !== classDim(dims));
}

/**
 * Checks class indices against the shape they are for.
 * @returns The indices as int64.
 * @throws TypeError for another dtype than int64 or uint8; RangeError for another shape.
 */
function checkClasses(name: string, input: Tensor, target: Tensor, ignore_index: number): Tensor {
  const dims = input._dims;
  const expected = withoutClasses(dims);
  if (target._dtype !== int64 && target._dtype !== uint8) {
    throw new TypeError(`${name}: target: expected class indices of dtype int64 or uint8, got ${describe(target)}`);
  }
  if (!sameDims(target._dims, expected)) {
    throw new RangeError(
      `${name}: target: expected shape [${expected.join(', ')}] for an input of shape [${dims.join(', ')}], ` +
        `got [${target._dims.join(', ')}]`,
    );
  }
  if (!Number.isSafeInteger(ignore_index)) {
    throw new TypeError(`${name}: ignore_index: expected an integer, got ${ignore_index}`);
  }
  return target._dtype === int64 ? target : to(target, int64);
}

/** @throws TypeError or RangeError for weights that do not fit the classes. */
function checkWeight(name: string, weight: Tensor | null, input: Tensor): void {
  if (weight === null) return;
  checkTensor(name, 'weight', weight);
  const classes = input._dims[classDim(input._dims)];
  if (weight._dims.length !== 1 || weight._dims[0] !== classes || weight._dtype !== input._dtype) {
    throw new (weight._dtype === input._dtype ? RangeError : TypeError)(
      `${name}: weight: expected a tensor of shape [${classes}] and dtype ${input._dtype.name}, got ${describe(weight)}`,
    );
  }
}

/** Sizes or strides of a tensor in the order of the kernels' space: the positions, then the classes. */
function classesLast(sizes: Dims): Dims {
  return sizes.length <= 2 ? sizes : [...withoutClasses(sizes), sizes[1]];
}

/** Steps, through the kernels' space of `ndim` dimensions, of what has an element for each class. */
function alongClasses(weight: Tensor | null, ndim: number): Dims {
  const steps = new Array<number>(ndim).fill(0);
  if (weight !== null) steps[ndim - 1] = stridesOf(weight)[0];
  return steps;
}

/** The same of what has an element for each position, or a single one. */
function alongPositions(t: Tensor | number, ndim: number): Dims {
  if (typeof t === 'number' || t._dims.length !== ndim - 1) return new Array<number>(ndim).fill(0);
  return [...stridesOf(t), 0];
}

interface NllAttrs {
  ignore_index: number;
  reduction: Reduction;
}

/** The gradient of log-probabilities of shape `dims`: `grad` is the loss's, or 1 for what that is multiplied by. */
function nllGradient(
  grad: Tensor | number,
  dims: Dims,
  target: Tensor,
  weight: Tensor | null,
  total: Tensor,
  { ignore_index, reduction }: NllAttrs,
): Tensor {
  const out = allocate(dims, total._dtype);
  if (out._numel === 0) return out;
  const n = dims.length;
  const divisor = reduction === 'mean' ? total : 1;
  const steps = [
    alongPositions(grad, n),
    alongPositions(target, n),
    alongClasses(weight, n),
    alongPositions(divisor, n),
    classesLast(stridesOf(out)),
  ];
  const operands = [grad, target, weight, divisor, out];
  callStrided(K.nll_loss_backward, classesLast(dims), operands, steps, [ignore_index], out._dtype.code);
  return out;
}

const backward: Op['backward'] = (grad, node) => {
  const attrs = node.attrs as NllAttrs;
  const dims = node.inDims[0];
  const [target, weight, total] = [node.unpack(0), node.unpackOptional(1), node.unpack(2)];
  if (!mode.enabled) return nllGradient(grad, dims, target, weight, total, attrs);
  const each = attrs.reduction === 'none' && dims.length > 0 ? unsqueeze(grad, classDim(dims)) : grad;
  return each.mul(nllGradient(1, dims, target, weight, total, attrs));
};
const NllLoss: Op = { name: 'NllLossBackward0', backward };
const NllLoss2d: Op = { name: 'NllLoss2DBackward0', backward };

/** The loss, and the sum of the weights of the classes that count. */
function nll(
  name: string,
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  ignore_index: number,
  reduction: Reduction,
): { loss: Tensor; total: Tensor } {
  const n = input._dims.length;
  const loss = allocate(reduction === 'none' ? target._dims : [], input._dtype);
  const total = allocate([], input._dtype);
  if (target._numel === 0) {
    fillNumber(loss, reduction === 'mean' ? NaN : 0);
    fillNumber(total, 0);
  } else {
    const steps = [
      classesLast(stridesOf(input)),
      alongPositions(target, n),
      alongClasses(weight, n),
      alongPositions(loss, n),
      alongPositions(total, n),
    ];
    const scalars = [ignore_index, ['none', 'sum', 'mean'].indexOf(reduction)];
    try {
      callStrided(K.nll_loss, classesLast(input._dims), [input, target, weight, loss, total], steps, scalars, 0);
    } catch (error) {
      if (!(error instanceof IndexError)) throw error;
      throw new RangeError(`${name}: target ${error.index} is out of bounds for ${error.size} classes`, {
        cause: error,
      });
    }
  }
  if (recording(input)) {
    const attrs: NllAttrs = { ignore_index, reduction };
    record(n > 2 ? NllLoss2d : NllLoss, loss, [input], [target, weight, total], attrs);
  }
  return { loss, total };
}

/** @throws TypeError or RangeError for what no loss of classes takes. */
function checkInput(name: string, input: Tensor, target: Tensor): void {
  checkTensor(name, 'input', input);
  checkTensor(name, 'target', target);
  checkFloat(name, 'input', input);
  if (input._dims.length === 0) {
    throw new RangeError(`${name}: input: expected shape [C], [N, C] or [N, C, d1, …], got ${describe(input)}`);
  }
}

const nllOptions = defineOptions('nn.functional.nll_loss', {
  weight: null as Tensor | null,
  ignore_index: -100,
  reduction: 'mean' as Reduction,
});

/** Options of {@link nll_loss}. */
export interface NllLossOptions {
  /** [C]: a weight for each class. Default null. */
  weight?: Tensor | null;
  /** A class that does not count. Default -100. */
  ignore_index?: number;
  /** The mean is divided by the sum of the weights. Default `'mean'`. */
  reduction?: Reduction;
}

/**
 * The negative log-likelihood of the classes. PyTorch: `torch.nn.functional.nll_loss`.
 * @param input Log-probabilities: [C], [N, C] or [N, C, d1, …].
 * @param target Class indices of dtype int64 or uint8: [], [N] or [N, d1, …].
 * @throws RangeError if a class is out of bounds, or the shapes do not fit; TypeError for other dtypes.
 */
export function nll_loss(input: Tensor, target: Tensor, options?: NllLossOptions): Tensor {
  const { weight, ignore_index, reduction } = nllOptions(options);
  checkReduction('nll_loss', reduction);
  checkInput('nll_loss', input, target);
  const classes = checkClasses('nll_loss', input, target, ignore_index);
  checkWeight('nll_loss', weight, input);
  return nll('nll_loss', input, classes, weight, ignore_index, reduction).loss;
}

const crossEntropyOptions = defineOptions('nn.functional.cross_entropy', {
  weight: null as Tensor | null,
  ignore_index: -100,
  reduction: 'mean' as Reduction,
  label_smoothing: 0,
});

/** Options of {@link cross_entropy}. */
export interface CrossEntropyLossOptions extends NllLossOptions {
  /** How much of each target is spread evenly over all classes, in [0, 1]. Default 0. */
  label_smoothing?: number;
}

/**
 * The cross-entropy of logits and classes, or the probabilities of classes. PyTorch: `torch.nn.functional.cross_entropy`.
 * @param input Logits: [C], [N, C] or [N, C, d1, …].
 * @param target Class indices of dtype int64 or uint8: [], [N] or [N, d1, …]; or probabilities of the input's shape.
 * @throws RangeError if a class is out of bounds, or the shapes do not fit; TypeError for other dtypes.
 */
export function cross_entropy(input: Tensor, target: Tensor, options?: CrossEntropyLossOptions): Tensor {
  const { weight, ignore_index, reduction, label_smoothing } = crossEntropyOptions(options);
  const name = 'cross_entropy';
  checkReduction(name, reduction);
  checkInput(name, input, target);
  checkNumber(name, 'label_smoothing', label_smoothing);
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
    throw new RangeError(`${name}: label_smoothing: expected a number between 0 and 1, got ${label_smoothing}`);
  }
  const dim = classDim(input._dims);
  const classes = input._dims[dim];
  checkWeight(name, weight, input);
  if (sameDims(input._dims, target._dims)) {
    checkFloat(name, 'target', target);
    if (ignore_index >= 0) {
      throw new RangeError(`${name}: ignore_index: expected none for a target of probabilities, got ${ignore_index}`);
    }
    if (label_smoothing > 0) target = target.mul(1 - label_smoothing).add(label_smoothing / classes);
    const each = weighted(input.log_softmax(dim).mul(target), weight).sum(dim).neg();
    if (reduction === 'none') return each;
    return reduction === 'mean' ? each.sum().div(each._numel) : each.sum();
  }
  const indices = checkClasses(name, input, target, ignore_index);
  const logs = input.log_softmax(dim);
  const { loss, total } = nll(name, logs, indices, weight, ignore_index, reduction);
  if (label_smoothing === 0) return loss;
  const each = weighted(logs, weight).sum(dim).neg().masked_fill(indices.eq(ignore_index), 0);
  const spread = reduction === 'none' ? each : reduction === 'mean' ? each.sum().div(total) : each.sum();
  return loss.mul(1 - label_smoothing).add(spread.mul(label_smoothing / classes));
}

/** Log-probabilities times the weight of each class. */
function weighted(logs: Tensor, weight: Tensor | null): Tensor {
  if (weight === null) return logs;
  return logs.mul(reshape(weight, [-1, ...new Array<number>(logs._dims.length - 1 - classDim(logs._dims)).fill(1)]));
}
