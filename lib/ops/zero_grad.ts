import { dropGrad, type Tensor } from '../tensor/tensor.js';
import { detach_ } from './convert.js';

/** What `zero_grad` does with each parameter's gradient: drops it, or takes it out of its graph and makes it zero. @internal */
export function zeroGrad(param: Tensor, set_to_none: boolean): void {
  const grad = param._grad;
  if (set_to_none || grad === null) {
    dropGrad(param);
    return;
  }
  if (grad.grad_fn !== null) detach_(grad);
  else grad.requires_grad_(false);
  grad.zero_();
}
