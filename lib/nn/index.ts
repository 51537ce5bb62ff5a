export * from './activation.js';
export * from './container.js';
export * from './dropout.js';
export * from './flatten.js';
export { Bilinear, Identity, Linear, type FactoryOptions, type LinearOptions } from './linear.js';
export * from './loss.js';
export { Module, type NamedOptions, type StateDict } from './module.js';
export type {
  BackwardHook,
  BackwardPreHook,
  ForwardHook,
  ForwardPreHook,
  HookGrads,
  IncompatibleKeys,
  LoadStateDictPostHook,
  LoadStateDictPreHook,
  StateDictPostHook,
  StateDictPreHook,
} from './hooks.js';
export type { LoadOptions } from './state.js';
export * from './normalization.js';
export { Buffer, Parameter } from './parameter.js';
export * from './softmax.js';
export * from './sparse.js';
export * as functional from './functional/index.js';
export * as init from './init/index.js';
export * as utils from './utils/index.js';
