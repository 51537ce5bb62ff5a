import { checkTensor, type Dims, type Scalar, type Tensor } from '../tensor/tensor.js';
import {
  empty,
  full,
  ones,
  splitSizes,
  tensor,
  zeros,
  type NestedArray,
  type SizesAndOptions,
  type TensorOptions,
} from './creation.js';

// Tensors of the dtype of another one.

function sized(name: string, maker: typeof zeros) {
  return (input: Tensor, ...given: SizesAndOptions): Tensor => {
    checkTensor(name, 'input', input);
    const { sizes, options } = splitSizes<TensorOptions>(name, given);
    return maker(sizes, { dtype: input._dtype, ...options });
  };
}

/** {@link zeros} in the dtype of `input`. PyTorch: `Tensor.new_zeros`. */
export const new_zeros = sized('new_zeros', zeros);
/** {@link ones} in the dtype of `input`. PyTorch: `Tensor.new_ones`. */
export const new_ones = sized('new_ones', ones);
/** {@link empty} in the dtype of `input`. PyTorch: `Tensor.new_empty`. */
export const new_empty = sized('new_empty', empty);

/** {@link full} in the dtype of `input`. PyTorch: `Tensor.new_full`. */
export function new_full(input: Tensor, size: Dims, fill_value: Scalar, options?: TensorOptions): Tensor {
  return full(size, fill_value, { dtype: input._dtype, ...options });
}

/** {@link tensor} in the dtype of `input`. PyTorch: `Tensor.new_tensor`. */
export function new_tensor(input: Tensor, data: NestedArray | Tensor, options?: TensorOptions): Tensor {
  return tensor(data, { dtype: input._dtype, ...options });
}
