// Every elementwise op that is a function of `torch` and a method of Tensor, by family.
export * from './arithmetic.js';
export * from './bounds.js';
export * from './comparison.js';
export * from './functions.js';
