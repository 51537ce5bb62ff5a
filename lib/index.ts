import './ops/bind.js';
import './ops/methods.js';

export { Tensor } from './tensor/tensor.js';
export * from './tensor/dtype.js';
export * from './ops/creation.js';
export * from './ops/pointwise.js';
export * from './ops/view.js';
export * from './ops/reduce.js';
export * from './ops/linalg.js';
export { no_grad, enable_grad, set_grad_enabled, is_grad_enabled } from './autograd/mode.js';
export * as autograd from './autograd/index.js';
