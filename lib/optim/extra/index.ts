// What PyTorch does not have: optimizers, and a step that clips.
export { Lion, type LionOptions } from './lion.js';
export { LAMB, type LAMBOptions } from './lamb.js';
export { ScheduleFreeAdamW, type ScheduleFreeAdamWOptions } from './schedule_free_adamw.js';
export { clippedStep, type ClippedStepOptions } from './clipped_step.js';
