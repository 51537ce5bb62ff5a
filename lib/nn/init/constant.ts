import { no_grad } from '../../autograd/mode.js';
import { defineOptions } from '../../options.js';
import { as_strided } from '../../ops/slices.js';
import { checkTensor, describe, type Dims, type Scalar, type Tensor } from '../../tensor/tensor.js';

// Initialisers that draw nothing. None of them is recorded.

/** Fills a tensor with `val`, and returns it. PyTorch: `torch.nn.init.constant_`. */
export function constant_(tensor: Tensor, val: Scalar): Tensor {
  checkTensor('constant_', 'tensor', tensor);
  return no_grad(() => tensor.fill_(val));
}

/** Fills a tensor with 1, and returns it. PyTorch: `torch.nn.init.ones_`. */
export function ones_(tensor: Tensor): Tensor {
  checkTensor('ones_', 'tensor', tensor);
  return no_grad(() => tensor.fill_(1));
}

/** Fills a tensor with 0, and returns it. PyTorch: `torch.nn.init.zeros_`. */
export function zeros_(tensor: Tensor): Tensor {
  checkTensor('zeros_', 'tensor', tensor);
  return no_grad(() => tensor.fill_(0));
}

/** @throws RangeError if the tensor has another number of dimensions. @internal */
export function checkNdim(name: string, tensor: Tensor, expected: readonly number[]): void {
  checkTensor(name, 'tensor', tensor);
  if (!expected.includes(tensor.ndim)) {
    throw new RangeError(`${name}: tensor: expected ${expected.join(', ')} dimensions, got ${describe(tensor)}`);
  }
}

/** Zeroes a tensor but for the elements `size` and `stride` reach from `offset` on, which become 1. */
function setOnes(tensor: Tensor, size: Dims, stride: Dims, offset: number): Tensor {
  return no_grad(() => {
    tensor.fill_(0);
    if (!size.includes(0)) as_strided(tensor, size, stride, tensor.storage_offset() + offset).fill_(1);
    return tensor;
  });
}

/** Makes a matrix the identity, as far as it reaches, and returns it. PyTorch: `torch.nn.init.eye_`. @throws RangeError unless it has 2 dimensions. */
export function eye_(tensor: Tensor): Tensor {
  checkNdim('eye_', tensor, [2]);
  const [s0, s1] = tensor.stride();
  return setOnes(tensor, [Math.min(...tensor.shape)], [s0 + s1], 0);
}

const diracOptions = defineOptions('nn.init.dirac_', { groups: 1 });

/**
 * Makes the weight of a convolution keep its input channels, as many as it can, in each of `groups`; returns it. PyTorch:
 * `torch.nn.init.dirac_`.
 * @throws RangeError unless it has 3, 4 or 5 dimensions and its first size is a multiple of `groups`.
 */
export function dirac_(tensor: Tensor, options?: { groups?: number }): Tensor {
  const { groups } = diracOptions(options);
  checkNdim('dirac_', tensor, [3, 4, 5]);
  const [channels, inputs] = tensor.shape;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new RangeError(`dirac_: groups: expected a divisor of the first size ${channels}, got ${describe(groups)}`);
  }
  const perGroup = channels / groups;
  const [s0, s1, ...inner] = tensor.stride();
  const center = inner.reduce((at, s, i) => at + s * Math.floor(tensor.shape[i + 2] / 2), 0);
  return setOnes(tensor, [groups, Math.min(perGroup, inputs)], [perGroup * s0, s0 + s1], center);
}
