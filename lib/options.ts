import { closest } from 'fastest-levenshtein';
import { describe, Tensor } from './tensor/tensor.js';

/** The defaults of everything that takes options, by its name under `torch`: a test holds them to PyTorch's. @internal */
export const optionDefaults = new Map<string, object>();

/**
 * States the options of a public function or class.
 * @param path Its name under `torch`, e.g. `optim.Adam`.
 * @param ownKinds Whether the caller checks what kind of value each option is. Else one whose default is a number takes
 *   only numbers, and one whose default is a boolean only booleans.
 * @returns A function that completes given options.
 * @internal
 */
export function defineOptions<T extends object>(
  path: string,
  defaults: T,
  ownKinds = false,
): (given?: Partial<T>) => T {
  optionDefaults.set(path, defaults);
  const name = path.slice(path.lastIndexOf('.') + 1);
  return (given) => {
    if (given === undefined) return defaults;
    checkOptions(name, given, defaults);
    const complete = { ...defaults };
    for (const key in given) {
      if (given[key] === undefined) continue;
      if (!ownKinds) checkKind(name, key, given[key], defaults[key as keyof T]);
      complete[key as keyof T] = given[key] as T[keyof T];
    }
    return complete;
  };
}

function checkKind(name: string, option: string, value: unknown, byDefault: unknown): void {
  const kind = typeof byDefault;
  if ((kind === 'number' || kind === 'boolean') && typeof value !== kind)
    throw new TypeError(`${name}: ${option}: expected a ${kind}, got ${describe(value)}`);
}

/**
 * The value of an option that may also stand by itself: `f(x, 1)` is `f(x, { dim: 1 })`.
 * @param read What {@link defineOptions} gave.
 * @internal
 */
export function optionOrValue<K extends string, V>(
  read: (given?: Partial<Record<K, V>>) => Record<K, V>,
  key: K,
  given: V | Partial<Record<K, V>> | undefined,
): V {
  const named = typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Tensor);
  return named || given === undefined ? read(given as Partial<Record<K, V>> | undefined)[key] : (given as V);
}

/**
 * Refuses options that are not among the known ones.
 * @throws TypeError that names the nearest known option.
 * @internal
 */
export function checkOptions(name: string, given: unknown, known: object): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(`${name}: options: expected an object, got ${describe(given)}`);
  }
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(known, key)) continue;
    const names = Object.keys(known);
    if (names.length === 0) throw new TypeError(`${name}: unknown option '${key}': it takes none`);
    throw new TypeError(
      `${name}: unknown option '${key}'. Did you mean '${nearest(key, names)}'? It takes: ${names.join(', ')}`,
    );
  }
}

/** The likeliest name: the initials of what was written (`learning_rate`: `lr`), else the fewest edits away. */
function nearest(written: string, names: readonly string[]): string {
  const words = written.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
  const initials = words
    .split('_')
    .map((word) => word[0])
    .join('');
  return names.find((name) => name === initials) ?? closest(words, names);
}
