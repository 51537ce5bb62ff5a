import { no_grad } from '../autograd/mode.js';
import { reshape } from '../ops/view.js';
import { sameDims } from '../ops/shape.js';
import { defineOptions } from '../options.js';
import { describe, Tensor } from '../tensor/tensor.js';
import type { IncompatibleKeys } from './hooks.js';
import type { Module, StateDict } from './module.js';
import { Parameter } from './parameter.js';

const loadOptions = defineOptions('nn.Module.load_state_dict', { strict: true, assign: false });

/** Options of `load_state_dict`. */
export interface LoadOptions {
  /** Refuse a state with other names than the module's. Default true. */
  strict?: boolean;
  /** Take the state's tensors themselves. Default false. */
  assign?: boolean;
}

/** One run of `load_state_dict`: first all is compared, then all is written. */
class Loading {
  readonly missing: string[] = [];
  readonly unexpected: string[] = [];
  readonly errors: string[] = [];
  readonly writes: (() => void)[] = [];
  readonly visited: Module[] = [];

  constructor(readonly options: Required<LoadOptions>) {}

  /** @param state The part of the state under `prefix`. */
  compare(module: Module, prefix: string, state: StateDict): void {
    const { options, missing, unexpected, errors } = this;
    for (const hook of module._hooks?.loadPre ?? []) {
      hook(module, state, prefix, {}, options.strict, missing, unexpected, errors);
    }
    const own = module._ownState();
    for (const [name, target] of own) {
      const key = prefix + name;
      if (Object.hasOwn(state, key)) this.compareTensor(module, name, key, target, state[key]);
      else missing.push(key);
    }
    const children = module._ownModules();
    for (const key of Object.keys(state)) {
      const [name, ...rest] = key.slice(prefix.length).split('.');
      const known: readonly [string, unknown][] = rest.length > 0 ? children : own;
      if (!known.some(([own]) => own === name)) unexpected.push(key);
    }
    for (const [name, child] of children) {
      const start = `${prefix}${name}.`;
      this.compare(child, start, Object.fromEntries(Object.entries(state).filter(([key]) => key.startsWith(start))));
    }
    this.visited.push(module);
  }

  private compareTensor(module: Module, name: string, key: string, target: Tensor, given: Tensor): void {
    if (!(given instanceof Tensor)) {
      this.errors.push(
        `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint but ` +
          `received ${describe(given)}`,
      );
      return;
    }
    // One element in a list counts as a scalar.
    const source = target._dims.length === 0 && sameDims(given._dims, [1]) ? reshape(given.detach(), []) : given;
    if (!sameDims(source._dims, target._dims)) {
      this.errors.push(
        `size mismatch for ${key}: copying a param with shape ${size(source)} from checkpoint, ` +
          `the shape in current model is ${size(target)}.`,
      );
      return;
    }
    if (this.options.assign && target.requires_grad && !source.is_floating_point()) {
      this.errors.push(`dtype mismatch for ${key}: torch.${source.dtype.name} cannot require a gradient.`);
      return;
    }
    this.writes.push(
      this.options.assign
        ? () => Object.assign(module, { [name]: target instanceof Parameter ? asParameter(source, target) : source })
        : () => no_grad(() => target.copy_(source)),
    );
  }

  /** @throws Error that says all that is wrong. */
  check(root: Module): void {
    const messages = this.errors.slice();
    const list = (what: string, keys: readonly string[]) => {
      if (keys.length > 0) messages.unshift(`${what} key(s) in state_dict: ${keys.map((k) => `"${k}"`).join(', ')}. `);
    };
    if (this.options.strict) {
      list('Unexpected', this.unexpected);
      list('Missing', this.missing);
    }
    if (messages.length > 0) {
      throw new Error(`Error(s) in loading state_dict for ${root._get_name()}:\n\t${messages.join('\n\t')}`);
    }
  }
}

function asParameter(source: Tensor, before: Parameter): Parameter {
  return source instanceof Parameter
    ? source.requires_grad_(before.requires_grad)
    : new Parameter(source, before.requires_grad);
}

function size(t: Tensor): string {
  return `torch.Size([${t._dims.join(', ')}])`;
}

/** `Module.load_state_dict`. */
export function loadState(root: Module, state_dict: StateDict, options?: LoadOptions): IncompatibleKeys {
  if (typeof state_dict !== 'object' || state_dict === null || Array.isArray(state_dict)) {
    throw new TypeError(`load_state_dict: state_dict: expected an object of tensors, got ${describe(state_dict)}`);
  }
  const loading = new Loading(loadOptions(options));
  loading.compare(root, '', { ...state_dict });
  const postHooks = loading.visited.some((module) => (module._hooks?.loadPost.length ?? 0) > 0);
  // Such a hook may still forgive missing and unexpected keys, having seen what was loaded.
  if (!postHooks || loading.errors.length > 0) loading.check(root);
  for (const write of loading.writes) write();
  const result = { missing_keys: loading.missing, unexpected_keys: loading.unexpected };
  for (const module of loading.visited) {
    for (const hook of module._hooks?.loadPost ?? []) hook(module, result);
  }
  loading.check(root);
  return result;
}
