import { defineOptions } from '../options.js';
import { adam, sharedDefaults, type AdamOptions } from './adam.js';
import { Optimizer, type Algorithm, type ParamGroupInput, type Params } from './optimizer.js';
import type { Given } from './rules.js';

/** Options of {@link AdamW}: those of Adam, with a `weight_decay` of 1e-2 by default, which is always decoupled. */
export type AdamWOptions = Omit<AdamOptions, 'decoupled_weight_decay'>;

const options = defineOptions<AdamWOptions>('optim.AdamW', { ...sharedDefaults, weight_decay: 1e-2 }, true);

const adamw: Algorithm<AdamOptions> = {
  ...adam,
  complete(group) {
    group.decoupled_weight_decay = true;
  },
};

/**
 * Adam with weight decay apart from the gradient. State as Adam's. PyTorch: `torch.optim.AdamW`.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class AdamW extends Optimizer<AdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<AdamWOptions>>, given?: Given<AdamWOptions>) {
    super(params, { ...options(given as Partial<AdamWOptions>), decoupled_weight_decay: true }, adamw);
  }
}
