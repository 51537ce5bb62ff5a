import { mode } from '../../autograd/mode.js';
import { record, recording, type Op } from '../../autograd/node.js';
import { defineOptions } from '../../options.js';
import { fillNumber } from '../../ops/creation.js';
import { contiguous } from '../../ops/convert.js';
import { sameDims } from '../../ops/shape.js';
import { reshape, unsqueeze } from '../../ops/view.js';
import { int32, int64, uint8, type TypedArray } from '../../tensor/dtype.js';
import { allocate, checkTensor, describe, memoryOf, type Dims, type Tensor } from '../../tensor/tensor.js';
import { checkFloat, checkNumber, checkReduction, type Reduction } from './common.js';

// Losses of classes. A class index costs a read and a write of one element: less than a kernel call with its operands, and
// the indices are checked in the same pass. So these loops stand here.

/** The class of a sample that does not count. */
const IGNORED = -1;

/** Log-probabilities seen as [samples, classes, positions], and the class of each position. */
interface Classes {
  samples: number;
  classes: number;
  positions: number;
  /** [samples, positions] */
  of: Int32Array;
}

interface NllAttrs extends Classes {
  reduction: Reduction;
  /** The sum of the weights of the classes that count. */
  total: number;
}

/**
 * Checks class indices against the shape they are for, and reads them.
 * @throws TypeError for another dtype than int64 or uint8; RangeError for another shape, or a class out of bounds.
 */
function readClasses(name: string, input: Tensor, target: Tensor, ignore_index: number): Classes {
  const dims = input._dims;
  const expected = dims.length === 1 ? [] : [dims[0], ...dims.slice(2)];
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
  const classes = dims[dims.length === 1 ? 0 : 1];
  const flat = contiguous(target.detach());
  const n = flat._numel;
  const of = new Int32Array(n);
  // An int64 is read as its two halves: numbers, several times faster than BigInts.
  const wide = flat._dtype === int64;
  const memory = flat._storage.block.view(wide ? int32.code : uint8.code) as Int32Array | Uint8Array;
  const low = ignore_index | 0;
  const high = Math.floor(ignore_index / 2 ** 32);
  for (let i = 0; i < n; i++) {
    const at = wide ? 2 * (flat._offset + i) : flat._offset + i;
    const c = memory[at];
    const rest = wide ? memory[at + 1] : 0;
    if (c === low && rest === high) of[i] = IGNORED;
    else if (rest === 0 && c >= 0 && c < classes) of[i] = c;
    else {
      throw new RangeError(
        `${name}: target ${memoryOf(flat)[flat._offset + i]} is out of bounds for ${classes} classes`,
      );
    }
  }
  const samples = dims.length === 1 ? 1 : dims[0];
  return { samples, classes, positions: samples === 0 ? 0 : n / samples, of };
}

/** The weights of the classes, or null. */
function readWeight(name: string, weight: Tensor | null, input: Tensor, classes: number): TypedArray | null {
  if (weight === null) return null;
  checkTensor(name, 'weight', weight);
  if (weight._dims.length !== 1 || weight._dims[0] !== classes || weight._dtype !== input._dtype) {
    throw new (weight._dtype === input._dtype ? RangeError : TypeError)(
      `${name}: weight: expected a tensor of shape [${classes}] and dtype ${input._dtype.name}, got ${describe(weight)}`,
    );
  }
  return elements(weight);
}

/** The elements of a tensor in order, to read. */
function elements(t: Tensor): TypedArray {
  const flat = contiguous(t.detach());
  return memoryOf(flat).subarray(flat._offset, flat._offset + flat._numel);
}

/** What a loss of class indices multiplies the log-probabilities by: -scale times the weight, at the classes. */
function coefficients(dims: Dims, like: Tensor, c: Classes, weight: TypedArray | null, scale: number): Tensor {
  const out = allocate(dims, like._dtype);
  fillNumber(out, 0);
  const memory = memoryOf(out) as Float64Array;
  const { classes, positions, of } = c;
  for (let i = 0, start = out._offset; i < of.length; start += classes * positions) {
    for (let j = 0; j < positions; j++, i++) {
      const k = of[i];
      if (k !== IGNORED) memory[start + k * positions + j] = -scale * (weight === null ? 1 : (weight[k] as number));
    }
  }
  return out;
}

const backward: Op['backward'] = (grad, node) => {
  const attrs = node.attrs as NllAttrs;
  const weight = node.unpackOptional(0);
  const weights = weight === null ? null : elements(weight);
  const { reduction, total } = attrs;
  const scale = reduction === 'mean' ? 1 / total : 1;
  const dims = node.inDims[0];
  if (reduction !== 'none' && !mode.enabled)
    return coefficients(dims, grad, attrs, weights, (grad.item() as number) * scale);
  const each = reduction === 'none' && dims.length > 0 ? unsqueeze(grad, dims.length === 1 ? 0 : 1) : grad;
  return each.mul(coefficients(dims, grad, attrs, weights, scale));
};
const NllLoss: Op = { name: 'NllLossBackward0', backward };
const NllLoss2d: Op = { name: 'NllLoss2DBackward0', backward };

function nll(
  name: string,
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  ignore_index: number,
  reduction: Reduction,
): Tensor {
  const c = readClasses(name, input, target, ignore_index);
  const weights = readWeight(name, weight, input, c.classes);
  const { classes, positions, of } = c;
  const out = allocate(reduction === 'none' ? target._dims : [], input._dtype);
  const flat = contiguous(input.detach());
  const log = memoryOf(flat);
  const losses = memoryOf(out);
  let sum = 0;
  let total = 0;
  for (let i = 0, start = flat._offset; i < of.length; start += classes * positions) {
    for (let j = 0; j < positions; j++, i++) {
      const k = of[i];
      const w = k === IGNORED ? 0 : weights === null ? 1 : (weights[k] as number);
      const loss = k === IGNORED ? 0 : -w * (log[start + k * positions + j] as number);
      if (reduction === 'none') losses[out._offset + i] = loss;
      sum += loss;
      total += w;
    }
  }
  if (reduction !== 'none') losses[out._offset] = reduction === 'mean' ? sum / total : sum;
  if (recording(input)) {
    const attrs: NllAttrs = { ...c, reduction, total };
    record(input._dims.length > 2 ? NllLoss2d : NllLoss, out, [input], [weight], attrs);
  }
  return out;
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
  return nll('nll_loss', input, target, weight, ignore_index, reduction);
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
  const dim = input._dims.length === 1 ? 0 : 1;
  if (sameDims(input._dims, target._dims)) {
    checkFloat(name, 'target', target);
    if (ignore_index >= 0) {
      throw new RangeError(`${name}: ignore_index: expected none for a target of probabilities, got ${ignore_index}`);
    }
    const classes = input._dims[dim];
    readWeight(name, weight, input, classes);
    if (label_smoothing > 0) target = target.mul(1 - label_smoothing).add(label_smoothing / classes);
    return weightedSum(input, target, weight, dim, reduction, input._numel / classes);
  }
  if (label_smoothing === 0) {
    return nll(name, input.log_softmax(dim), target, weight, ignore_index, reduction);
  }
  const c = readClasses(name, input, target, ignore_index);
  const weights = readWeight(name, weight, input, c.classes);
  const { probabilities, total } = smoothed(input, c, weights, label_smoothing);
  if (reduction === 'mean' && c.of.every((target) => target === IGNORED)) {
    // The mean of nothing is NaN, but nothing learns from it.
    return weightedSum(input, probabilities, null, dim, 'sum', 1).add(NaN);
  }
  return weightedSum(input, probabilities, null, dim, reduction, total);
}

/** -Σ target · weight · log_softmax(input) over the classes. */
function weightedSum(
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  dim: number,
  reduction: Reduction,
  divisor: number,
): Tensor {
  let each = input.log_softmax(dim).mul(target);
  if (weight !== null) each = each.mul(reshape(weight, [-1, ...new Array(input._dims.length - 1 - dim).fill(1)]));
  if (reduction === 'none') return each.sum(dim).neg();
  const sum = each.sum().neg();
  return reduction === 'mean' ? sum.div(divisor) : sum;
}

/** The smoothed targets, times the weights: that of the class for its share, and each its own for what is spread. */
function smoothed(
  input: Tensor,
  c: Classes,
  weights: TypedArray | null,
  smoothing: number,
): { probabilities: Tensor; total: number } {
  const { classes, positions, of } = c;
  const probabilities = allocate(input._dims, input._dtype);
  const memory = memoryOf(probabilities);
  let total = 0;
  for (let i = 0, start = probabilities._offset; i < of.length; start += classes * positions) {
    for (let j = 0; j < positions; j++, i++) {
      const target = of[i];
      for (let k = 0; k < classes; k++) {
        const w = weights === null ? 1 : (weights[k] as number);
        const share = smoothing / classes + (k === target ? 1 - smoothing : 0);
        memory[start + k * positions + j] = target === IGNORED ? 0 : w * share;
      }
      if (target !== IGNORED) total += weights === null ? 1 : (weights[target] as number);
    }
  }
  return { probabilities, total };
}
