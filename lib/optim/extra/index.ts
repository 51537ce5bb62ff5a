// Optimizers that PyTorch does not have.
export { Lion, type LionOptions } from './lion.js';
export { LAMB, type LAMBOptions } from './lamb.js';
export { ScheduleFreeAdamW, type ScheduleFreeAdamWOptions } from './schedule_free_adamw.js';
