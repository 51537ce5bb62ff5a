import { tensor } from '../ops/creation.js';
import { toTypedArray } from '../ops/convert.js';
import { dtypes, type TypedArray } from '../tensor/dtype.js';
import { describe, Tensor } from '../tensor/tensor.js';

// Nested data as JSON, with the tensors beside it. What JSON has no form for is an object with the single key `$`: its
// kind and what it is made of.

/** What `save` takes and `load` gives back. */
export type Saveable =
  | Tensor
  | TypedArray
  | number
  | string
  | boolean
  | bigint
  | null
  | readonly Saveable[]
  | { readonly [key: string]: Saveable };

const TAG = '$';
/** Deeper nesting than this is taken for a circle. */
const MAX_DEPTH = 500;

/** Splits data into JSON and tensors, named by their path. @throws TypeError for what cannot be saved. */
export function encode(data: unknown): { json: string; tensors: Map<string, Tensor> } {
  const tensors = new Map<string, Tensor>();
  const put = (path: string, t: Tensor): string => {
    let key = path === '' ? 'value' : path;
    // Two paths may read alike, and one name means something else to the format.
    while (tensors.has(key) || key === '__metadata__' || key === '__proto__') key += "'";
    tensors.set(key, t);
    return key;
  };
  const walk = (value: unknown, path: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) throw new TypeError(`save: obj: nested deeper than ${MAX_DEPTH} levels, or in a circle`);
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tagged('number', Object.is(value, -0) ? '-0' : String(value));
    }
    if (typeof value === 'bigint') return tagged('bigint', String(value));
    if (value instanceof Tensor) {
      const key = put(path, value);
      return value.requires_grad ? tagged('tensor', key, true) : tagged('tensor', key);
    }
    if (ArrayBuffer.isView(value) && dtypes.some((dtype) => value.constructor === dtype.array)) {
      return tagged('array', put(path, tensor(value as TypedArray)));
    }
    const at = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (Array.isArray(value)) return value.map((item, i) => walk(item, at(i), depth + 1));
    const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
    if (prototype !== Object.prototype && prototype !== null) {
      const where = path === '' ? 'obj' : `obj.${path}`;
      throw new TypeError(`save: ${where}: expected plain data (objects, arrays, tensors, …), got ${describe(value)}`);
    }
    const entries = Object.entries(value as object).map(([key, item]) => {
      if (key === '__proto__') throw new TypeError(`save: ${at(key)}: not a name that can be saved`);
      return [key, walk(item, at(key), depth + 1)];
    });
    const object: unknown = Object.fromEntries(entries);
    return Object.hasOwn(value as object, TAG) ? tagged('object', object) : object;
  };
  return { json: JSON.stringify(walk(data, '', 0)), tensors };
}

function tagged(...content: unknown[]): unknown {
  return { [TAG]: content };
}

/**
 * Puts JSON and tensors together again.
 * @param fail Makes the error for a file that is damaged.
 */
export function decode(json: string, tensors: ReadonlyMap<string, Tensor>, fail: (message: string) => Error): Saveable {
  const walk = (value: unknown, depth: number): Saveable => {
    if (depth > MAX_DEPTH + 1) throw fail(`the structure is nested deeper than ${MAX_DEPTH} levels`);
    if (typeof value !== 'object' || value === null) return value as Saveable;
    if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1));
    const content = (value as Record<string, unknown>)[TAG];
    return Array.isArray(content) ? untag(content, depth) : object(value, depth);
  };
  const object = (value: object, depth: number): Saveable => {
    const entries = Object.entries(value).map(([key, item]) => {
      if (key === '__proto__') throw fail('the structure is damaged: "__proto__" is not a name');
      return [key, walk(item, depth + 1)] as const;
    });
    return Object.fromEntries(entries);
  };
  const untag = ([kind, content, grad]: unknown[], depth: number): Saveable => {
    if (kind === 'number' && typeof content === 'string') return Number(content);
    if (kind === 'bigint' && typeof content === 'string' && /^-?\d+$/.test(content)) return BigInt(content);
    if (kind === 'object' && typeof content === 'object' && content !== null) return object(content, depth);
    const t = typeof content === 'string' ? tensors.get(content) : undefined;
    if (t !== undefined && kind === 'array') return toTypedArray(t);
    if (t !== undefined && kind === 'tensor') return grad === true && t.is_floating_point() ? t.requires_grad_() : t;
    throw fail(`the structure is damaged: there is no ${describe(kind)} ${describe(content)}`);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw fail('the structure is damaged: it is not JSON');
  }
  return walk(parsed, 0);
}
