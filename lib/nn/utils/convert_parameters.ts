import { cat } from '../../ops/join.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { readTensors } from './clip_grad.js';

/** All elements of the parameters in one vector. PyTorch: `torch.nn.utils.parameters_to_vector`. */
export function parameters_to_vector(parameters: Iterable<Tensor>): Tensor {
  return cat(readTensors('parameters_to_vector', 'parameters', parameters).map((p) => p.reshape([-1])));
}

/**
 * Makes the parameters views of consecutive parts of one vector. PyTorch: `torch.nn.utils.vector_to_parameters`.
 * @throws RangeError if the vector has fewer elements than the parameters; TypeError if a dtype differs.
 */
export function vector_to_parameters(vec: Tensor, parameters: Iterable<Tensor>): void {
  const name = 'vector_to_parameters';
  const list = readTensors(name, 'parameters', parameters);
  const needed = list.reduce((n, p) => n + p.numel(), 0);
  if (!(vec instanceof Tensor)) throw new TypeError(`${name}: vec: expected a Tensor, got ${describe(vec)}`);
  if (vec.ndim !== 1 || vec.numel() < needed)
    throw new RangeError(`${name}: vec: expected a vector of ${needed} elements, got ${describe(vec)}`);
  const other = list.find((p) => p.dtype !== vec.dtype);
  if (other !== undefined)
    throw new TypeError(`${name}: vec: expected dtype torch.${other.dtype.name}, got ${describe(vec)}`);
  let start = 0;
  for (const p of list) {
    p.data = vec.detach().narrow(0, start, p.numel()).reshape(p.shape);
    start += p.numel();
  }
}
