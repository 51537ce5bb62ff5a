export { Optimizer } from './optimizer.js';
export type {
  OptimizerHook,
  ParamGroup,
  ParamGroupInput,
  Params,
  ParamState,
  StateValue,
  StateDictHook,
  StepPostHook,
  StepPreHook,
} from './optimizer.js';
export type { OptimizerStateDict, PackedGroup } from './state_dict.js';
export { SGD, type SGDOptions } from './sgd.js';
export { Adam, type AdamOptions } from './adam.js';
export { AdamW, type AdamWOptions } from './adamw.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { LBFGS, type LBFGSOptions } from './lbfgs.js';
export * as lr_scheduler from './lr_scheduler/index.js';
export * as swa_utils from './swa_utils/index.js';
