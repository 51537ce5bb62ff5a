import { checkTensor, type Tensor } from '../tensor/tensor.js';
import { accumulatorOf, addHook, nodeOf, requiresGrad, retain, type GradHook, type RemovableHandle } from './node.js';

// Hooks on tensors, as its methods.

/**
 * Registers a function called with the tensor's gradient in every backward; what it returns replaces the gradient.
 * PyTorch: `Tensor.register_hook`.
 * @throws Error if the tensor requires no gradient.
 */
export function register_hook(input: Tensor, hook: GradHook): RemovableHandle {
  checkTensor('register_hook', 'input', input);
  if (!requiresGrad(input))
    throw new Error("register_hook: cannot register a hook on a tensor that doesn't require gradient");
  const node = nodeOf(input) ?? accumulatorOf(input);
  const hooks = (node.tensorHooks ??= []);
  return addHook((hooks[input._outputNr] ??= []), hook, 'register_hook');
}

/**
 * Registers a function called with a leaf once its `.grad` was accumulated. PyTorch:
 * `Tensor.register_post_accumulate_grad_hook`.
 * @throws Error if the tensor is not a leaf that requires a gradient.
 */
export function register_post_accumulate_grad_hook(input: Tensor, hook: (param: Tensor) => void): RemovableHandle {
  checkTensor('register_post_accumulate_grad_hook', 'input', input);
  if (!requiresGrad(input)) {
    throw new Error(
      "register_post_accumulate_grad_hook: cannot register a hook on a tensor that doesn't require gradient",
    );
  }
  if (nodeOf(input) !== null) {
    throw new Error(
      'register_post_accumulate_grad_hook: post accumulate grad hooks cannot be registered on non-leaf tensors',
    );
  }
  return addHook((accumulatorOf(input).accumulateHooks ??= []), hook, 'register_post_accumulate_grad_hook');
}

/**
 * Makes backward keep the gradient of a tensor that is not a leaf in its `.grad`. PyTorch: `Tensor.retain_grad`.
 * @throws Error if the tensor requires no gradient.
 */
export function retain_grad(input: Tensor): void {
  checkTensor('retain_grad', 'input', input);
  if (!requiresGrad(input)) throw new Error("retain_grad: can't retain_grad on a tensor that has requires_grad=false");
  retain(input);
}
