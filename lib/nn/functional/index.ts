export * from './activation.js';
export * from './cross_entropy.js';
export * from './dropout.js';
export * from './linear.js';
export * from './loss.js';
export * from './normalization.js';
export * from './probability.js';
export * from './sparse.js';
