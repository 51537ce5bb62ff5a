import type { ListRow } from '../backend/frame.js';
import type { KernelId } from '../backend/kernels.js';
import type { SparseTensor } from '../ops/sparse_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ParamGroup, ParamState } from './optimizer.js';
import type { Rule } from './rules.js';
import type { StateShape } from './state_dict.js';

/** What distinguishes one optimizer from another, its update apart: its options and its state. */
export interface Traits<O> extends StateShape {
  /** What each option may be. */
  readonly rules: { readonly [K in keyof O]: Rule };
  /** Refuses options that do not go together. */
  check?(options: O, name: string): void;
  /** Sets what a group cannot choose. */
  complete?(group: O): void;
  /** Notes in a group that a step was done. */
  stepped?(group: O): void;
  /** Refuses parameters that it has no update for. */
  checkParam?(param: Tensor): void;
  /** The update by sparse gradients, as {@link ByOps.update}'s; absent where they are refused. */
  sparse?(group: O): (param: Tensor, grad: SparseTensor, state: ParamState) => void;
}

/** An optimizer whose update is a kernel. */
export interface Algorithm<O> extends Traits<O> {
  /** Does the update in place, a row for each parameter. */
  readonly kernel: KernelId;
  /**
   * Reads a group's options, and returns what makes the row of one of its parameters.
   * @param factor What the kernel multiplies gradients by.
   */
  rows(group: O, factor: number): (param: Tensor, grad: Tensor, states: Map<Tensor, ParamState>) => ListRow;
  /**
   * The same update with ops, for `differentiable`: returns the new parameter, and puts new tensors in the place of the
   * state's.
   */
  updated(param: Tensor, grad: Tensor, group: O, stateOf: () => ParamState): Tensor;
}

/** An optimizer whose update is made of ops. */
export interface ByOps<O> extends Traits<O> {
  /** Reads a group's options, and returns what updates one of its parameters in place. Absent: dense gradients are refused. */
  update?(group: O): (param: Tensor, grad: Tensor, state: ParamState) => void;
}

/** An optimizer that evaluates the model as often as it needs, and sees all parameters as one vector. */
export interface ByClosure<O> extends Traits<O> {
  /** The whole step: returns what the first call of `closure` returned. The state stands under the first parameter. */
  minimize<T>(closure: () => T, group: ParamGroup<O>, state: ParamState): T;
  /** Refuses a state that does not fit the parameters. */
  checkState(where: string, state: ParamState, params: readonly Tensor[]): void;
}
