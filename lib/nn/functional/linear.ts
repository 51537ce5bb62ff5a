import { linear } from '../../ops/linalg.js';
import { reshape } from '../../ops/view.js';
import { sameDims } from '../../ops/shape.js';
import { checkTensor, describe, type Tensor } from '../../tensor/tensor.js';

export { linear };

/**
 * `x1 A x2 + bias` with a matrix A for each output. PyTorch: `torch.nn.functional.bilinear`.
 * @param input1 [..., in1_features]
 * @param input2 [..., in2_features], its other sizes those of `input1`.
 * @param weight [out_features, in1_features, in2_features]
 * @param bias [out_features]
 * @throws RangeError if the shapes do not fit.
 */
export function bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  checkTensor('bilinear', 'input1', input1);
  checkTensor('bilinear', 'input2', input2);
  checkTensor('bilinear', 'weight', weight);
  if (weight._dims.length !== 3) {
    throw new RangeError(`bilinear: weight: expected a 3-dimensional tensor, got ${describe(weight)}`);
  }
  const [outputs, in1, in2] = weight._dims;
  const batch = input1._dims.slice(0, -1);
  for (const [argument, input, features] of [
    ['input1', input1, in1],
    ['input2', input2, in2],
  ] as const) {
    if (!sameDims(input._dims, [...batch, features])) {
      throw new RangeError(
        `bilinear: ${argument}: expected shape [${[...batch, features].join(', ')}], the weight's being ` +
          `[${weight._dims.join(', ')}], got ${describe(input)}`,
      );
    }
  }
  if (bias !== null) {
    checkTensor('bilinear', 'bias', bias);
    if (!sameDims(bias._dims, [outputs])) {
      throw new RangeError(`bilinear: bias: expected shape [${outputs}], got ${describe(bias)}`);
    }
  }
  // All products with input1 are one: [n, in1] times [in1, outputs * in2].
  const matrices = reshape(weight.permute(1, 0, 2), [in1, outputs * in2]);
  const rows = reshape(reshape(input1, [-1, in1]).mm(matrices), [-1, outputs, in2]);
  const out = reshape(rows.bmm(reshape(input2, [-1, in2, 1])), [...batch, outputs]);
  return bias === null ? out : out.add(bias);
}
