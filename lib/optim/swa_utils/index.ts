export { AveragedModel, type AveragedModelOptions } from './averaged_model.js';
export {
  get_ema_avg_fn,
  get_ema_multi_avg_fn,
  get_swa_avg_fn,
  get_swa_multi_avg_fn,
  type AvgFn,
  type MultiAvgFn,
} from './averages.js';
export { SWALR, type SWALROptions } from './swa_lr.js';
export { update_bn } from './update_bn.js';
