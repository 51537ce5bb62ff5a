import { clone, detach } from '../../ops/convert.js';
import { Tensor } from '../../tensor/tensor.js';
import { integer, type Hyper, type Rule } from '../rules.js';

// What the options and the fields of schedulers may be, and how rates are computed that may be tensors.

/** What each option or field may be. */
export type Rules = Record<string, Rule>;

export const real: Rule = { expected: 'a finite number', holds: Number.isFinite };
export const positive: Rule = { expected: 'a finite number > 0', holds: (x) => real.holds(x) && (x as number) > 0 };
export const nonNegativeReal: Rule = {
  expected: 'a finite number >= 0',
  holds: (x) => real.holds(x) && (x as number) >= 0,
};
export const unitInterval: Rule = {
  expected: 'a number in [0, 1]',
  holds: (x) => typeof x === 'number' && x >= 0 && x <= 1,
};
export const wholeNumber: Rule = { expected: 'an integer', holds: Number.isSafeInteger };
export const count = integer(0);
export const positiveInteger = integer(1);
export const epoch = integer(-1);

/** One of some words. */
export function oneOf(...words: readonly string[]): Rule {
  return { expected: words.map((word) => `'${word}'`).join(' or '), holds: (x) => words.includes(x as string) };
}

/** What `rule` allows, or null. */
export function orNull(rule: Rule): Rule {
  return { expected: `${rule.expected} or null`, holds: (x) => x === null || rule.holds(x) };
}

/** A list with one item a parameter group. */
export function listOf(rule: Rule, groups: number): Rule {
  return {
    expected: `an array of ${groups}, one a parameter group, each ${rule.expected}`,
    holds: (list) => Array.isArray(list) && list.length === groups && list.every(rule.holds),
  };
}

/** One value for all parameter groups, or a list with one for each. */
export function oneOrListOf(rule: Rule, groups: number): Rule {
  const list = listOf(rule, groups);
  return { expected: `${rule.expected}, or ${list.expected}`, holds: (x) => rule.holds(x) || list.holds(x) };
}

/** The values by parameter group of an option that {@link oneOrListOf} allows. */
export function perGroup<T>(value: T | readonly T[], groups: number): T[] {
  return Array.isArray(value) ? [...(value as readonly T[])] : new Array<T>(groups).fill(value as T);
}

/** A value that may be a tensor, whose changes the original does not see. */
export function copyOf(value: Hyper): Hyper {
  return value instanceof Tensor ? clone(detach(value)) : value;
}

/** a * b; where one is a tensor in its dtype, as PyTorch computes it. */
export function times(a: Hyper, b: Hyper): Hyper {
  if (typeof a === 'number') return typeof b === 'number' ? a * b : b.mul(a);
  return a.mul(b);
}

/** a + b; where one is a tensor in its dtype, as PyTorch computes it. */
export function plus(a: Hyper, b: Hyper): Hyper {
  if (typeof a === 'number') return typeof b === 'number' ? a + b : b.add(a);
  return a.add(b);
}

/** a - b; where one is a tensor in its dtype, as PyTorch computes it. */
export function minus(a: Hyper, b: Hyper): Hyper {
  return plus(a, times(b, -1));
}

/** a / b; where a is a tensor in its dtype, as PyTorch computes it. */
export function over(a: Hyper, b: number): Hyper {
  return typeof a === 'number' ? a / b : a.div(b);
}
