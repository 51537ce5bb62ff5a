export { backward, grad, type BackwardOptions, type GradOptions } from './backward.js';
export { Function, FunctionCtx } from './function.js';
export { gradcheck, gradgradcheck, type CheckedFunction, type GradcheckOptions } from './gradcheck.js';
export { enable_grad, no_grad, set_grad_enabled } from './mode.js';
export { Node, type GradHook, type RemovableHandle } from './node.js';
