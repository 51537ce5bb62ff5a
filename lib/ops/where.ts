import { pointwiseStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, recordingAny, type Op } from '../autograd/node.js';
import { bool } from '../tensor/dtype.js';
import { checkTensor, describe, Tensor, type Scalar } from '../tensor/tensor.js';
import { allocateLike, promote } from './elementwise.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, sameDims } from './shape.js';

const Where: Op = {
  name: 'WhereBackward0',
  backward(grad, node) {
    const condition = node.unpack(0);
    return [
      node.needs(0) ? sum_to_size(where(condition, grad, 0), node.inDims[0]) : null,
      node.needs(1) ? sum_to_size(where(condition, 0, grad), node.inDims[1]) : null,
    ];
  },
};

/**
 * The elements of `input` where `condition` holds, else those of `other`. PyTorch: `torch.where`; as a method,
 * `input.where(condition, other)`.
 * @param condition bool
 */
export function where(condition: Tensor, input: Tensor | Scalar, other: Tensor | Scalar): Tensor {
  checkTensor('where', 'condition', condition);
  if (condition._dtype !== bool)
    throw new TypeError(`where: condition: expected a tensor of dtype bool, got ${describe(condition)}`);
  const { dtype, values } = promote('where', { input, other }, false);
  const [a, b] = values;
  let dims = condition._dims;
  for (const operand of values) if (operand instanceof Tensor) dims = broadcastDims('where', dims, operand._dims);
  const like = [a, b, condition].find((t) => t instanceof Tensor && sameDims(t._dims, dims)) as Tensor | undefined;
  const out = allocateLike(dims, dtype, like ?? condition);
  pointwiseStrided(K.where, out, [condition, a, b], [], dtype.code);
  const inputs = values.map((t) => (t instanceof Tensor ? t : null));
  if (recordingAny(inputs.filter((t) => t !== null))) record(Where, out, inputs, [condition]);
  return out;
}
