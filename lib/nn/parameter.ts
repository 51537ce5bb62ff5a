import { describe, checkTensor, Tensor } from '../tensor/tensor.js';
import { defineOptions } from '../options.js';

const readOptions = {
  Parameter: defineOptions('nn.Parameter', { requires_grad: true }),
  Buffer: defineOptions('nn.Buffer', { persistent: true }),
};

/** `super(…)` for a tensor over the memory of another. */
function sharing(name: string, data: Tensor): ConstructorParameters<typeof Tensor> {
  checkTensor(name, 'data', data);
  return [data._storage, data._offset, data._dims, data._strides, data._numel, data._dtype];
}

/**
 * A leaf tensor that a module it is assigned to counts among its parameters. It shares the memory of `data`.
 * PyTorch: `torch.nn.Parameter`.
 */
export class Parameter extends Tensor {
  /**
   * @param options Whether it requires a gradient (default true), by itself or as `{ requires_grad }`.
   * @throws Error if it shall require a gradient and its dtype is not a floating-point one.
   */
  constructor(data: Tensor, options: boolean | { requires_grad?: boolean } = true) {
    super(...sharing('Parameter', data));
    this.requires_grad_(typeof options === 'boolean' ? options : readOptions.Parameter(options).requires_grad);
  }

  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }
}

/**
 * A tensor that a module it is assigned to counts among its buffers. It shares the memory of `data`.
 * PyTorch: `torch.nn.Buffer`.
 */
export class Buffer extends Tensor {
  /** Whether it is part of the module's state. */
  readonly persistent: boolean;

  constructor(data: Tensor, options: { persistent?: boolean } = {}) {
    super(...sharing('Buffer', data));
    this.persistent = readOptions.Buffer(options).persistent;
    if (typeof this.persistent !== 'boolean')
      throw new TypeError(`Buffer: persistent: expected a boolean, got ${describe(this.persistent)}`);
  }
}

/** Makes `t` another tensor's values, dtype and memory; it stays the same leaf. @internal */
export function adopt(t: Tensor, source: Tensor): void {
  t._storage = source._storage;
  t._offset = source._offset;
  t._dims = source._dims;
  t._strides = source._strides;
  t._numel = source._numel;
  t._dtype = source._dtype;
}
