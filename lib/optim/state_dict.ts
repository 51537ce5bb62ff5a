import { clone, contiguous, detach, to } from '../ops/convert.js';
import { tensor } from '../ops/creation.js';
import { sameDims } from '../ops/shape.js';
import { float32 } from '../tensor/dtype.js';
import { describe, Tensor, type Dims } from '../tensor/tensor.js';
import type { ParamGroup, ParamState, StateValue } from './optimizer.js';

/** A parameter group in a state dict: its options, and its parameters' numbers. */
export type PackedGroup = Record<string, unknown> & { params: number[] };

/** PyTorch's shape of an optimizer's state: by the number of each parameter, counted through all groups. */
export interface OptimizerStateDict {
  state: Record<number, ParamState>;
  param_groups: PackedGroup[];
}

/** What an optimizer's state is made of. @internal */
export interface StateShape {
  /** The state tensors that have the parameter's dtype. */
  readonly slots: readonly string[];
  /** Their shapes. Default: the parameter's. */
  dimsOf?(slot: string, param: Tensor): Dims;
  /** The state that is one number each, kept as a float32 tensor whatever the parameter's dtype. */
  readonly counters: readonly string[];
  /** The state that is one JS number each. */
  readonly numbers?: readonly string[];
}

/** The state dict of an optimizer. @internal */
export function packState(state: Map<Tensor, ParamState>, groups: readonly ParamGroup[]): OptimizerStateDict {
  const numbers = new Map<Tensor, number>();
  const param_groups = groups.map((group) => ({
    ...group,
    params: group.params.map((param) => {
      numbers.set(param, numbers.size);
      return numbers.size - 1;
    }),
  }));
  const packed: Record<number, ParamState> = {};
  for (const [param, own] of state) packed[numbers.get(param)!] = { ...own };
  return { state: packed, param_groups };
}

/**
 * New groups and a new state from a state dict.
 * @throws TypeError or RangeError if the dict does not fit `groups`.
 * @internal
 */
export function readState(
  dict: OptimizerStateDict,
  groups: readonly ParamGroup[],
  shape: StateShape,
): { groups: ParamGroup[]; state: Map<Tensor, ParamState> } {
  if (!Array.isArray(dict.param_groups) || !isRecord(dict.state)) {
    throw new TypeError('load_state_dict: state_dict: expected an object with state and param_groups');
  }
  if (dict.param_groups.length !== groups.length) {
    throw new RangeError(
      'load_state_dict: loaded state dict has a different number of parameter groups: ' +
        `expected ${groups.length}, got ${dict.param_groups.length}`,
    );
  }
  const params = new Map<string, Tensor>();
  const loadedGroups = dict.param_groups.map((packed, i) => {
    const own = groups[i];
    if (!isRecord(packed) || !Array.isArray(packed.params)) {
      throw new TypeError(
        `load_state_dict: param_groups[${i}]: expected an object with params, got ${describe(packed)}`,
      );
    }
    if (packed.params.length !== own.params.length) {
      throw new RangeError(
        "load_state_dict: loaded state dict contains a parameter group that doesn't match the size of optimizer's " +
          `group: param_groups[${i}]: expected ${own.params.length} parameters, got ${packed.params.length}`,
      );
    }
    packed.params.forEach((id, k) => params.set(String(id), own.params[k]));
    const options = Object.entries(packed).map(([key, value]) => [key, copyOption(value)]);
    return { ...own, ...Object.fromEntries(options), params: own.params } as ParamGroup;
  });
  const state = new Map<Tensor, ParamState>();
  for (const [id, packed] of Object.entries(dict.state)) {
    const param = params.get(id);
    const where = `load_state_dict: state[${id}]`;
    if (param === undefined) throw new RangeError(`${where}: no parameter of the loaded groups has this number`);
    if (!isRecord(packed)) throw new TypeError(`${where}: expected an object, got ${describe(packed)}`);
    const own: ParamState = {};
    for (const [name, value] of Object.entries(packed)) {
      own[name] = readValue(`${where}.${name}`, name, value, param, shape);
    }
    state.set(param, own);
  }
  return { groups: loadedGroups, state };
}

function readValue(where: string, name: string, value: unknown, param: Tensor, shape: StateShape): StateValue {
  const { slots, counters } = shape;
  if (counters.includes(name)) {
    // Older checkpoints have plain numbers.
    if (typeof value === 'number') return tensor(value, { dtype: float32 });
    if (!(value instanceof Tensor) || value._numel !== 1) {
      throw new TypeError(`${where}: expected a number or a tensor of one element, got ${describe(value)}`);
    }
    return copyAs(value, float32).reshape([]);
  }
  if (shape.numbers?.includes(name) && typeof value !== 'number') {
    throw new TypeError(`${where}: expected a number, got ${describe(value)}`);
  }
  if (slots.includes(name) && value !== null) {
    const dims = shape.dimsOf?.(name, param) ?? param._dims;
    if (!(value instanceof Tensor && sameDims(value._dims, dims))) {
      throw new RangeError(`${where}: expected a tensor of shape [${dims.join(', ')}], got ${describe(value)}`);
    }
  }
  if (value instanceof Tensor) return copyAs(value, param._dtype);
  if (Array.isArray(value)) return value.map((item, i) => readValue(`${where}[${i}]`, '', item, param, shape));
  if (value !== null && typeof value !== 'number') {
    throw new TypeError(`${where}: expected a Tensor, a number, null or an array of those, got ${describe(value)}`);
  }
  return value;
}

/** A contiguous copy outside the graph. */
function copyAs(value: Tensor, dtype: Tensor['_dtype']): Tensor {
  return contiguous(to(detach(value), { dtype, copy: true }));
}

function copyOption(value: unknown): unknown {
  if (value instanceof Tensor) return clone(detach(value));
  return Array.isArray(value) ? value.map(copyOption) : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Tensor);
}
