import { pool } from '../backend/index.js';
import type { Storage } from '../tensor/storage.js';
import { describe } from '../tensor/tensor.js';

/** Whether ops record what their backward needs. Read on every op, so a plain field. @internal */
export const mode = { enabled: true };

/** Runs `fn` with gradient mode set, and restores it whatever happens. @internal */
export function withGradMode<T>(enabled: boolean, fn: () => T): T {
  if (typeof fn !== 'function') {
    throw new TypeError(`${enabled ? 'enable_grad' : 'no_grad'}: fn: expected a function, got ${describe(fn)}`);
  }
  const before = mode.enabled;
  mode.enabled = enabled;
  let result: T;
  try {
    result = fn();
  } finally {
    mode.enabled = before;
  }
  if (result instanceof Promise) {
    throw new TypeError(
      `${enabled ? 'enable_grad' : 'no_grad'}: expected a synchronous function, got one that returns a Promise: ` +
        'the mode would be restored before it is done',
    );
  }
  return result;
}

/** Runs `fn` without recording a graph and returns its result. PyTorch: `torch.no_grad`. @throws TypeError if `fn` is asynchronous. */
export function no_grad<T>(fn: () => T): T {
  return withGradMode(false, fn);
}

/** Runs `fn` recording a graph, also inside {@link no_grad}. PyTorch: `torch.enable_grad`. @throws TypeError if `fn` is asynchronous. */
export function enable_grad<T>(fn: () => T): T {
  return withGradMode(true, fn);
}

/** Runs `fn` with recording on or off. PyTorch: `torch.set_grad_enabled` as a context. @throws TypeError if `fn` is asynchronous. */
export function set_grad_enabled<T>(enabled: boolean, fn: () => T): T {
  if (typeof enabled !== 'boolean')
    throw new TypeError(`set_grad_enabled: mode: expected a boolean, got ${describe(enabled)}`);
  return withGradMode(enabled, fn);
}

/** Whether ops are being recorded. PyTorch: `torch.is_grad_enabled`. */
export function is_grad_enabled(): boolean {
  return mode.enabled;
}

/** What `compute` makes of other ops, recording none; the memory of all it does not return is given back at once. @internal */
export function unrecorded<T extends { _storage: Storage }>(compute: () => T): T {
  const { made, listing: outer } = pool;
  const begin = made.length;
  let result: T | null = null;
  try {
    pool.listing = true;
    result = no_grad(compute);
    return result;
  } finally {
    pool.listing = outer;
    for (const storage of made.splice(begin)) {
      if (storage !== result?._storage) pool.release(storage);
      else if (outer) made.push(storage);
    }
  }
}
