import { nodeOf } from '../autograd/node.js';
import { checkTensor, describe, Tensor } from '../tensor/tensor.js';
import { permute, t, transpose } from './view.js';

// What is a property of Tensor rather than a method.

declare module '../tensor/tensor.js' {
  interface Tensor {
    /** The same memory outside the graph; assigning it another tensor's memory keeps the place in the graph. PyTorch: `Tensor.data`. */
    data: Tensor;
    /** The matrix transposed. PyTorch: `Tensor.T`. */
    readonly T: Tensor;
    /** The last two dimensions exchanged. PyTorch: `Tensor.mT`. */
    readonly mT: Tensor;
    /** Whether `retain_grad` was called on a tensor that is not a leaf. PyTorch: `Tensor.retains_grad`. */
    readonly retains_grad: boolean;
  }
}

/** A tensor over the same memory whose changes the graph does not see. PyTorch: `Tensor.data`. */
function dataOf(input: Tensor): Tensor {
  return new Tensor(input._storage.alias(), input._offset, input._dims, input._strides, input._numel, input._dtype);
}

/**
 * Makes `input` another tensor's values and memory, keeping its place in the graph. PyTorch: assigning `Tensor.data`.
 * @throws TypeError if the dtype differs.
 */
function setData(input: Tensor, source: Tensor): void {
  checkTensor('data', 'value', source);
  if (source._dtype !== input._dtype)
    throw new TypeError(`data: expected a tensor of dtype ${input._dtype.name}, got ${describe(source)}`);
  const { version } = input._storage;
  input._storage = source._storage.alias();
  input._storage.version = version;
  input._offset = source._offset;
  input._dims = source._dims;
  input._strides = source._strides;
  input._numel = source._numel;
}

function property(name: string, get: (input: Tensor) => unknown, set?: (input: Tensor, value: Tensor) => void): void {
  Object.defineProperty(Tensor.prototype, name, {
    get(this: Tensor) {
      return get(this);
    },
    set:
      set &&
      function (this: Tensor, value: Tensor) {
        set(this, value);
      },
  });
}

property('data', dataOf, setData);
property('T', (input) => (input._dims.length === 2 ? permute(input, 1, 0) : t(input)));
property('mT', (input) => transpose(input, -2, -1));
property('retains_grad', (input) => nodeOf(input)?.retaining?.get(input._outputNr)?.deref() === input);
