export { calculate_gain, type Nonlinearity } from './gain.js';
export { constant_, ones_, zeros_, eye_, dirac_ } from './constant.js';
export * from './random.js';
