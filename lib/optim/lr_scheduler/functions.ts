import { describe } from '../../tensor/tensor.js';
import { finite, type Hyper, type Rule } from '../rules.js';

// Functions that users give to schedulers. A state dict holds no code: of a function that has properties of its own, what
// in Python would be a callable object, it holds those; of a plain function, null.

/** What a state dict holds of a function. */
export function packFunction(f: object): object | null {
  return Object.keys(f).length > 0 ? { ...f } : null;
}

/** Gives a function the properties that a state dict holds of it. */
export function unpackFunction(f: object, packed: object | null): void {
  if (packed !== null) Object.assign(f, packed);
}

export const packedFunction: Rule = {
  expected: "null or an object of a function's properties",
  holds: (x) => typeof x === 'object' && !Array.isArray(x),
};

export const aFunction: Rule = { expected: 'a function', holds: (x) => typeof x === 'function' };

/** What a function returned. @throws TypeError if that is not a finite number. */
export function resultOf(name: string, option: string, result: unknown): Hyper {
  if (finite.holds(result)) return result as Hyper;
  throw new TypeError(`${name}: ${option}: expected it to return a finite number, got ${describe(result)}`);
}
