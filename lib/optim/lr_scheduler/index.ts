export { LRScheduler } from './lr_scheduler.js';
export { LambdaLR, MultiplicativeLR, type LambdaLROptions, type LRLambda } from './lambda_lr.js';
export { StepLR, type StepLROptions } from './step_lr.js';
export { MultiStepLR, type MultiStepLROptions } from './multi_step_lr.js';
export { ConstantLR, type ConstantLROptions } from './constant_lr.js';
export { LinearLR, type LinearLROptions } from './linear_lr.js';
export { ExponentialLR, type ExponentialLROptions } from './exponential_lr.js';
export { PolynomialLR, type PolynomialLROptions } from './polynomial_lr.js';
export { CosineAnnealingLR, type CosineAnnealingLROptions } from './cosine_annealing_lr.js';
export {
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from './cosine_annealing_warm_restarts.js';
export { SequentialLR, type SequentialLROptions, ChainedScheduler } from './composed.js';
export { CyclicLR, type CyclicLROptions, type ScaleFn } from './cyclic_lr.js';
export { OneCycleLR, type OneCycleLROptions } from './one_cycle_lr.js';
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './reduce_lr_on_plateau.js';
