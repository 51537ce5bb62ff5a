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
export { SparseAdam, type SparseAdamOptions } from './sparse_adam.js';
export { Muon, type MuonOptions } from './muon.js';
export { Adafactor, type AdafactorOptions } from './adafactor.js';
export { LBFGS, type LBFGSOptions } from './lbfgs.js';
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adadelta, type AdadeltaOptions } from './adadelta.js';
export { Adamax, type AdamaxOptions } from './adamax.js';
export { NAdam, type NAdamOptions } from './nadam.js';
export { RAdam, type RAdamOptions } from './radam.js';
export { ASGD, type ASGDOptions } from './asgd.js';
export { Rprop, type RpropOptions } from './rprop.js';
export * as extra from './extra/index.js';
export * as lr_scheduler from './lr_scheduler/index.js';
export * as swa_utils from './swa_utils/index.js';
