import { record, recording, type Op } from '../../autograd/node.js';
import { no_grad } from '../../autograd/mode.js';
import { defineOptions } from '../../options.js';
import { logsigmoid } from '../../ops/activation.js';
import { sub } from '../../ops/arithmetic.js';
import { broadcastDims, sameDims } from '../../ops/shape.js';
import { checkTensor, type Tensor } from '../../tensor/tensor.js';
import { warnOnce } from '../../warnings.js';
import { checkFloat, checkReduction, reduced, type Reduction } from './common.js';

// Losses of probabilities.

/** @throws TypeError or RangeError unless both are tensors of one floating-point dtype and one shape. */
function checkPair(name: string, input: Tensor, target: Tensor): void {
  checkTensor(name, 'input', input);
  checkTensor(name, 'target', target);
  checkFloat(name, 'input', input);
  if (target._dtype !== input._dtype) {
    throw new TypeError(`${name}: target: expected the input's dtype ${input._dtype.name}, got ${target._dtype.name}`);
  }
  if (!sameDims(input._dims, target._dims)) {
    throw new RangeError(
      `${name}: target: expected the input's shape [${input._dims.join(', ')}], got [${target._dims.join(', ')}]`,
    );
  }
}

/** @throws TypeError or RangeError unless a weight has the input's dtype and broadcasts to its shape. */
function checkWeight(name: string, argument: string, weight: Tensor | null, input: Tensor): void {
  if (weight === null) return;
  checkTensor(name, argument, weight);
  if (weight._dtype !== input._dtype) {
    throw new TypeError(
      `${name}: ${argument}: expected the input's dtype ${input._dtype.name}, got ${weight._dtype.name}`,
    );
  }
  if (!sameDims(broadcastDims(name, weight._dims, input._dims), input._dims)) {
    throw new RangeError(
      `${name}: ${argument}: expected a shape that broadcasts to the input's [${input._dims.join(', ')}], ` +
        `got [${weight._dims.join(', ')}]`,
    );
  }
}

function checkProbabilities(name: string, argument: string, t: Tensor): void {
  if (t._numel === 0) return;
  const [least, greatest] = no_grad(() => [t.min().item(), t.max().item()] as number[]);
  if (!(least >= 0 && greatest <= 1)) {
    throw new RangeError(
      `${name}: ${argument}: expected all elements between 0 and 1, got elements from ${least} to ${greatest}`,
    );
  }
}

/** The gradient of each element's loss, of which the result was reduced. */
function eachGrad(grad: Tensor, weight: Tensor | null, reduction: Reduction, numel: number): Tensor {
  const each = reduction === 'mean' ? grad.div(numel) : grad;
  return weight === null ? each : each.mul(weight);
}

/** The least x (1 - x) divided by: PyTorch's, whose precision is float32 in every dtype. */
const LEAST = Math.fround(1e-12);

const BinaryCrossEntropy: Op = {
  name: 'BinaryCrossEntropyBackward0',
  backward(grad, node) {
    const x = node.unpack(0);
    const target = node.unpack(1);
    const g = eachGrad(grad, node.unpackOptional(2), node.attrs as Reduction, x._numel);
    return [
      node.needs(0) ? g.mul(x.sub(target)).div(x.mul(x.neg().add(1)).clamp(LEAST)) : null,
      node.needs(1) ? g.mul(x.neg().log1p().sub(x.log())) : null,
    ];
  },
};

/** Options of {@link binary_cross_entropy}. */
export interface BinaryCrossEntropyOptions {
  /** A weight for each element, broadcast. Default null. */
  weight?: Tensor | null;
  /** Default `'mean'`. */
  reduction?: Reduction;
}

const bceOptions = defineOptions('nn.functional.binary_cross_entropy', {
  weight: null as Tensor | null,
  reduction: 'mean' as Reduction,
});

/**
 * The cross-entropy of probabilities of two classes; logarithms stop at -100. PyTorch:
 * `torch.nn.functional.binary_cross_entropy`.
 * @throws RangeError if the shapes differ, or a value is not in [0, 1]; TypeError if the dtypes differ.
 */
export function binary_cross_entropy(input: Tensor, target: Tensor, options?: BinaryCrossEntropyOptions): Tensor {
  const name = 'binary_cross_entropy';
  const { weight, reduction } = bceOptions(options);
  checkReduction(name, reduction);
  checkPair(name, input, target);
  checkWeight(name, 'weight', weight, input);
  checkProbabilities(name, 'input', input);
  checkProbabilities(name, 'target', target);
  const out = no_grad(() => {
    const one = target.sub(1).mul(input.neg().log1p().clamp(-100));
    const loss = one.sub(target.mul(input.log().clamp(-100)));
    return reduced(weight === null ? loss : loss.mul(weight), reduction);
  });
  if (recording(input, target)) {
    record(BinaryCrossEntropy, out, [input, target], [input, target, weight], reduction);
  }
  return out;
}

const BinaryCrossEntropyWithLogits: Op = {
  name: 'BinaryCrossEntropyWithLogitsBackward0',
  backward(grad, node) {
    const x = node.unpack(0);
    const target = node.unpack(1);
    const pos_weight = node.unpackOptional(3);
    const g = eachGrad(grad, node.unpackOptional(2), node.attrs as Reduction, x._numel);
    let gradInput: Tensor | null = null;
    if (node.needs(0)) {
      const p = x.sigmoid();
      const positive = pos_weight === null ? target : target.mul(pos_weight);
      const slope = pos_weight === null ? p : positive.sub(target).add(1).mul(p);
      gradInput = slope.sub(positive).mul(g);
    }
    let gradTarget: Tensor | null = null;
    if (node.needs(1)) {
      const slope = pos_weight === null ? x : x.add(logsigmoid(x).mul(pos_weight.sub(1)));
      gradTarget = slope.mul(g).neg();
    }
    return [gradInput, gradTarget];
  },
};

/** Options of {@link binary_cross_entropy_with_logits}. */
export interface BCEWithLogitsOptions extends BinaryCrossEntropyOptions {
  /** A weight for the positive examples, broadcast. Default null. */
  pos_weight?: Tensor | null;
}

const bceWithLogitsOptions = defineOptions('nn.functional.binary_cross_entropy_with_logits', {
  weight: null as Tensor | null,
  reduction: 'mean' as Reduction,
  pos_weight: null as Tensor | null,
});

/**
 * The cross-entropy of two classes, of which the input is the logit. PyTorch:
 * `torch.nn.functional.binary_cross_entropy_with_logits`.
 * @throws RangeError if the shapes differ; TypeError if the dtypes do.
 */
export function binary_cross_entropy_with_logits(
  input: Tensor,
  target: Tensor,
  options?: BCEWithLogitsOptions,
): Tensor {
  const name = 'binary_cross_entropy_with_logits';
  const { weight, reduction, pos_weight } = bceWithLogitsOptions(options);
  checkReduction(name, reduction);
  checkPair(name, input, target);
  checkWeight(name, 'weight', weight, input);
  checkWeight(name, 'pos_weight', pos_weight, input);
  const out = no_grad(() => {
    const log = logsigmoid(input);
    const positive = pos_weight === null ? log : log.mul(target.mul(pos_weight.sub(1)).add(1));
    const loss = sub(1, target).mul_(input).sub_(positive);
    return reduced(weight === null ? loss : loss.mul(weight), reduction);
  });
  if (recording(input, target)) {
    record(BinaryCrossEntropyWithLogits, out, [input, target], [input, target, weight, pos_weight], reduction);
  }
  return out;
}

const klDivOptions = defineOptions('nn.functional.kl_div', {
  reduction: 'mean' as Reduction | 'batchmean',
  log_target: false,
});

/**
 * The Kullback-Leibler divergence of distributions: `target * (log(target) - input)`. PyTorch: `torch.nn.functional.kl_div`.
 * @param input Log-probabilities.
 * @param target Probabilities, or with `log_target` their logarithms.
 * @param options.reduction `'mean'` divides by all elements, `'batchmean'` by the first size: the divergence proper.
 */
export function kl_div(
  input: Tensor,
  target: Tensor,
  options?: { reduction?: Reduction | 'batchmean'; log_target?: boolean },
): Tensor {
  const { reduction, log_target } = klDivOptions(options);
  checkReduction('kl_div', reduction, ['batchmean']);
  checkTensor('kl_div', 'input', input);
  checkTensor('kl_div', 'target', target);
  checkFloat('kl_div', 'input', input);
  if (reduction === 'mean') {
    warnOnce(
      'kl_div',
      "kl_div: reduction: 'mean' divides the total loss by both the batch size and the support size; 'batchmean' divides " +
        'by the batch size only, as the definition of the divergence does.',
    );
  }
  const loss = log_target ? target.exp().mul(target.sub(input)) : target.xlogy(target).sub(target.mul(input));
  if (reduction !== 'batchmean') return reduced(loss, reduction);
  return input._dims.length === 0 ? loss.sum() : loss.sum().div(input._dims[0]);
}
