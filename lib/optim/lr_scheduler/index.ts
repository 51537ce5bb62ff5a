export { LRScheduler } from './lr_scheduler.js';
export { StepLR, type StepLROptions } from './step_lr.js';
