import { mode } from '../autograd/mode.js';
import { record, requiresGrad, type Op } from '../autograd/node.js';
import { checkInPlace, inPlaceRecorded } from '../autograd/view.js';
import { checkTensor, describe, Tensor, type Scalar } from '../tensor/tensor.js';
import { copy_, to } from './convert.js';
import { fillScalar, zeros_like } from './creation.js';
import { allocateLike } from './elementwise.js';
import { sumOver } from './reduction.js';

const Fill: Op = {
  name: 'FillBackward0',
  backward: (grad, node) => [
    node.needs(0) ? zeros_like(grad) : null,
    node.needs(1)
      ? sumOver(
          grad,
          grad._dims.map((_, i) => i),
          false,
        )
      : null,
  ],
};

const Zero: Op = { name: 'ZeroBackward0', backward: Fill.backward };

/** Sets every element to a number, or to that of a tensor without dimensions. PyTorch: `Tensor.fill_`. */
export function fill_(input: Tensor, value: Scalar | Tensor): Tensor {
  checkTensor('fill_', 'input', input);
  if (value instanceof Tensor) {
    if (value._dims.length !== 0)
      throw new RangeError(`fill_: value: expected a number or a tensor without dimensions, got ${describe(value)}`);
    value = to(value, input._dtype);
  }
  return overwrite('fill_', input, value, Fill);
}

function overwrite(name: string, input: Tensor, value: Scalar | Tensor, op: Op): Tensor {
  checkInPlace(name, input);
  const source = value instanceof Tensor ? value : null;
  const write = (out: Tensor): void => {
    if (value instanceof Tensor) copy_(out, value.detach());
    else fillScalar(name, out, value);
  };
  if (mode.enabled && (requiresGrad(input) || (source !== null && requiresGrad(source)))) {
    return inPlaceRecorded(name, input, (before) => {
      const out = allocateLike(before._dims, before._dtype, before);
      write(out);
      return record(op, out, [before, source]);
    });
  }
  write(input);
  if (source === null) input._storage.version++;
  return input;
}

/** Sets every element to 0. PyTorch: `Tensor.zero_`. */
export function zero_(input: Tensor): Tensor {
  checkTensor('zero_', 'input', input);
  return overwrite('zero_', input, 0, Zero);
}
