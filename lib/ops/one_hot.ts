import { K } from '../backend/kernels.js';
import { int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { zeros } from './creation.js';
import { scatter } from './indexing.js';
import { readDims, reduceInto } from './reduction.js';
import { unsqueeze } from './view.js';

/**
 * A last dimension that is 1 at the class and 0 elsewhere, int64. PyTorch: `torch.nn.functional.one_hot`.
 * @param input Classes, int64.
 * @param num_classes -1: one more than the greatest class.
 * @throws RangeError for a class that is negative or not below `num_classes`.
 */
export function one_hot(input: Tensor, num_classes: number | { num_classes?: number } = -1): Tensor {
  checkTensor('one_hot', 'input', input);
  if (input._dtype !== int64) throw new TypeError(`one_hot: input: expected dtype int64, got ${describe(input)}`);
  const given = typeof num_classes === 'object' ? (num_classes.num_classes ?? -1) : num_classes;
  if (!Number.isInteger(given) || given === 0 || given < -1)
    throw new RangeError(`one_hot: num_classes: expected a positive integer or -1, got ${describe(given)}`);
  let classes = given;
  if (classes === -1) {
    if (input._numel === 0) throw new RangeError('one_hot: num_classes: cannot be inferred from an empty tensor');
    const greatest = allocate([], int64);
    reduceInto(K.amax, input, readDims('one_hot', null, input._dims.length), [greatest]);
    classes = Math.max(greatest.item() as number, 0) + 1;
  }
  return scatter.inPlace(zeros([...input._dims, classes], { dtype: int64 }), -1, unsqueeze(input, -1), 1);
}
