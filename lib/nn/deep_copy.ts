import { clone } from '../ops/convert.js';
import { withGradMode } from '../autograd/mode.js';
import { DType, uint8 } from '../tensor/dtype.js';
import type { Storage } from '../tensor/storage.js';
import { describe, Tensor } from '../tensor/tensor.js';
import { ModuleHooks } from './hooks.js';
import { Module } from './module.js';
import { Buffer, Parameter } from './parameter.js';

/**
 * A copy that shares no memory with the original. What is there twice, such as a tied weight, is there twice in the copy
 * too. PyTorch: `copy.deepcopy(value)`.
 *
 * Copied are tensors, modules (with their parameters, buffers, hooks and training mode), arrays, plain objects, Maps, Sets
 * and typed arrays, to any depth: so a state dict is, too. Functions, and a module's objects of other classes, are shared.
 * As in PyTorch, a parameter's copy has no gradient yet, a tensor's has a copy of it, and tensors that share memory go on
 * sharing it, but not parameters.
 * @throws TypeError for an object of another class outside a module. Error for a tensor that is not a leaf, and for a
 *   module whose `forward` is a property of its own: an arrow function would still run the original.
 */
export function deepCopy<T>(value: T): T {
  return withGradMode(false, () => new DeepCopy().copy(value, false)) as T;
}

/** One run of {@link deepCopy}. */
class DeepCopy {
  /** The copies of objects copied so far. */
  private readonly copies = new Map<object, object>();

  copy(value: unknown, inModule: boolean): unknown {
    if (typeof value !== 'object' || value === null || value instanceof DType) return value;
    const known = this.copies.get(value);
    if (known !== undefined) return known;
    if (value instanceof Tensor) return this.note(value, this.copyTensor(value));
    if (value instanceof Module) return this.copyModule(value);
    // A copy is noted before its parts are copied: they may refer back to it.
    if (Array.isArray(value)) {
      const array = this.note(value, [] as unknown[]);
      for (const item of value as unknown[]) array.push(this.copy(item, inModule));
      return array;
    }
    if (value instanceof Map) {
      const map = this.note(value, new Map<unknown, unknown>());
      for (const [key, item] of value as Map<unknown, unknown>) {
        map.set(this.copy(key, inModule), this.copy(item, inModule));
      }
      return map;
    }
    if (value instanceof Set) {
      const set = this.note(value, new Set<unknown>());
      for (const item of value as Set<unknown>) set.add(this.copy(item, inModule));
      return set;
    }
    if (ArrayBuffer.isView(value)) return this.note(value, structuredClone(value));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      return this.copyProperties(
        value,
        this.note(value, Object.create(prototype as object | null) as object),
        inModule,
      );
    }
    if (inModule) return value;
    throw new TypeError(`deepCopy: value: expected a Tensor, a Module or plain data, got ${describe(value)}`);
  }

  private note<T extends object>(original: object, copy: T): T {
    this.copies.set(original, copy);
    return copy;
  }

  private copyProperties<T extends object>(original: object, copy: T, inModule: boolean): T {
    const properties = copy as Record<string, unknown>;
    for (const [key, value] of Object.entries(original)) properties[key] = this.copy(value, inModule);
    return copy;
  }

  private copyModule(module: Module): Module {
    const hooks = module._hooks;
    if (hooks?.ownForward || (!hooks?.watching && Object.hasOwn(module, 'forward'))) {
      throw new Error(
        `deepCopy: value: ${module._get_name()} has its forward as a property, which would still run the original: ` +
          'make it a method',
      );
    }
    const copy = this.note(module, Object.create(Object.getPrototypeOf(module) as Module) as Module);
    this.copyProperties(module, copy, true);
    if (hooks) {
      copy._hooks = this.copyProperties(hooks, new ModuleHooks(), true);
      copy._hooks.watching = false; // the wrapped `forward` was not copied
      if (hooks.watching) copy._watchForward();
    }
    return copy;
  }

  private copyTensor(t: Tensor): Tensor {
    if (!t.is_leaf) throw new Error(`deepCopy: value: only leaf tensors can be copied, got the result of an operation`);
    if (t instanceof Parameter) return new (t.constructor as typeof Parameter)(clone(t), t.requires_grad);
    const { itemsize } = t._dtype;
    const storage = this.copyStorage(t._storage);
    const offset = t._offset + (storage.byteOffset - t._storage.byteOffset) / itemsize;
    const data = new Tensor(storage, offset, t._dims, t._strides, t._numel, t._dtype);
    const copy = t instanceof Buffer ? new Buffer(data, { persistent: t.persistent }) : data;
    copy.requires_grad_(t.requires_grad);
    copy.grad = this.copy(t.grad, false) as Tensor | null;
    return copy;
  }

  private copyStorage(storage: Storage): Storage {
    const known = this.copies.get(storage) as Storage | undefined;
    if (known !== undefined) return known;
    const { byteOffset, nbytes } = storage;
    return this.note(storage, clone(new Tensor(storage, byteOffset, [nbytes], null, nbytes, uint8))._storage);
  }
}
