import { callList } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { enable_grad } from '../autograd/mode.js';
import { clone, copy_ } from '../ops/convert.js';
import { cat } from '../ops/join.js';
import { narrow } from '../ops/slices.js';
import { to_dense } from '../ops/sparse.js';
import { reshape } from '../ops/view.js';
import { defineOptions } from '../options.js';
import { float32 } from '../tensor/dtype.js';
import { allocate, describe, Tensor } from '../tensor/tensor.js';
import { strongWolfe, type Point } from './line_search.js';
import { Optimizer, type ByClosure, type ParamGroup, type ParamGroupInput, type Params } from './optimizer.js';
import { checkRules, finite, integer, nonNegative, numberOf, type Given, type Rule } from './rules.js';
import { checkParam } from './update.js';

/** Options of {@link LBFGS}. */
export interface LBFGSOptions {
  /** The learning rate: the length of a step, or with a line search that of the first trial. Default 1. */
  lr: number;
  /** At most this many iterations in a call of `step`. Default 20. */
  max_iter: number;
  /** At most about this many evaluations in a call of `step`. Default, or null: 1.25 times `max_iter`. */
  max_eval: number | null;
  /** A step ends once no element of the gradient is greater. Default 1e-7. */
  tolerance_grad: number;
  /** A step ends once neither the loss nor a parameter changes by more. Default 1e-9. */
  tolerance_change: number;
  /** How many changes of the gradient are remembered. Default 100. */
  history_size: number;
  /** How the length of a step is searched for; null not to. Default null. */
  line_search_fn: 'strong_wolfe' | null;
}

const options = defineOptions<LBFGSOptions>(
  'optim.LBFGS',
  {
    lr: 1,
    max_iter: 20,
    max_eval: null,
    tolerance_grad: 1e-7,
    tolerance_change: 1e-9,
    history_size: 100,
    line_search_fn: null,
  },
  true,
);

/** What is kept from one iteration to the next, under PyTorch's names. Absent before the first. */
interface Memory {
  func_evals: number;
  n_iter: number;
  /** The direction, and the length of the last step along it. */
  d: Tensor;
  t: number;
  /** Changes of the gradient y and of the parameters s, the oldest first, and 1 / (y · s). */
  old_dirs: Tensor[];
  old_stps: Tensor[];
  ro: Tensor[];
  /** The scale of the first approximation of the inverse Hessian. */
  H_diag: Tensor | number;
  prev_flat_grad: Tensor;
  prev_loss: number;
  /** The factors of the first loop, for the second. */
  al: (Tensor | null)[];
}

const vectors = ['d', 'prev_flat_grad'] as const;
const numbers = ['func_evals', 'n_iter', 't', 'prev_loss'] as const;
const lists = ['old_dirs', 'old_stps', 'ro'] as const;

const searchRule: Rule = {
  expected: "'strong_wolfe' or null",
  holds: (value) => value === null || value === 'strong_wolfe',
};

const lbfgs: ByClosure<LBFGSOptions> = {
  rules: {
    lr: nonNegative,
    max_iter: integer(0),
    max_eval: integer(0),
    tolerance_grad: finite,
    tolerance_change: finite,
    history_size: integer(1),
    line_search_fn: searchRule,
  },
  slots: [],
  counters: [],
  complete(group) {
    group.max_eval ??= Math.floor((group.max_iter * 5) / 4);
  },
  checkState(where, state, params) {
    const size = params.reduce((sum, p) => sum + p._numel, 0);
    const isVector = (value: unknown): boolean => value instanceof Tensor && value.ndim === 1 && value._numel === size;
    const isNumber = (value: unknown): boolean =>
      typeof value === 'number' || (value instanceof Tensor && value._numel === 1);
    const check = (name: string, value: unknown, holds: (value: unknown) => boolean, expected: string): void => {
      if (value == null || holds(value)) return;
      throw new RangeError(`${where}.${name}: expected ${expected}, got ${describe(value)}`);
    };
    const aVector = `a tensor of shape [${size}]`;
    for (const name of vectors) check(name, state[name], isVector, aVector);
    for (const name of [...numbers, 'H_diag']) check(name, state[name], isNumber, 'a number');
    for (const name of lists) {
      const [holds, each] = name === 'ro' ? [isNumber, 'numbers'] : [isVector, `tensors of shape [${size}]`];
      const count = (state.ro as unknown[] | null | undefined)?.length;
      const fits = (list: unknown): boolean => Array.isArray(list) && list.length === count && list.every(holds);
      check(name, state[name], fits, `as many ${each} as ro has`);
    }
    check('al', state.al, Array.isArray, 'an array');
  },
  minimize(closure, group, state) {
    checkRules('step', group, lbfgs.rules);
    lbfgs.checkState('step: state', state, group.params);
    const memory = state as unknown as Memory;
    for (const name of numbers) if (memory[name] != null) memory[name] = numberOf(name, memory[name]);
    return minimize(closure, group, memory);
  },
};

function minimize<T>(closure: () => T, group: ParamGroup<LBFGSOptions>, memory: Memory): T {
  const { params, max_iter, tolerance_grad, tolerance_change, history_size, line_search_fn } = group;
  const lr = numberOf('lr', group.lr);
  const max_eval = group.max_eval!;
  memory.func_evals ??= 0;
  memory.n_iter ??= 0;
  const value = enable_grad(closure);
  let loss = lossOf(value);
  let gradient = flatGradient(params);
  let evaluations = 1;
  memory.func_evals++;
  let optimal = largest(gradient) <= tolerance_grad;
  for (let n = 1; n <= max_iter && !optimal; n++) {
    memory.n_iter++;
    if (memory.n_iter === 1) start(memory, gradient);
    else turn(memory, gradient, history_size);
    const { d } = memory;
    memory.prev_flat_grad = gradient;
    memory.prev_loss = loss;
    memory.t = memory.n_iter === 1 ? firstLength(gradient) * lr : lr;
    const slope = dot(gradient, d);
    if (slope > -tolerance_change) break;
    const size = largest(d);
    const round = d.dtype === float32 ? Math.fround : Number;
    let used = 0;
    if (line_search_fn !== null) {
      const origin = params.map((p) => clone(p, { memory_format: 'contiguous' }));
      const evaluate = (t: number): Point<Tensor> => {
        try {
          move(params, t, d);
          const f = lossOf(enable_grad(closure));
          const g = flatGradient(params);
          return { t, f, g, slope: dot(g, d) };
        } finally {
          params.forEach((p, i) => copy_(p, origin[i]));
        }
      };
      const found = strongWolfe(evaluate, { t: 0, f: loss, g: gradient, slope }, memory.t, {
        size,
        tolerance_change,
        evaluations: Math.max(0, max_eval - evaluations),
        round,
      });
      ({ f: loss, g: gradient, t: memory.t } = found.point);
      used = found.evaluations;
      move(params, memory.t, d);
    } else {
      move(params, memory.t, d);
      if (n < max_iter) {
        loss = lossOf(enable_grad(closure));
        gradient = flatGradient(params);
        used = 1;
      }
    }
    evaluations += used;
    memory.func_evals += used;
    if (n === max_iter || evaluations >= max_eval) break;
    optimal = largest(gradient) <= tolerance_grad;
    const moved = round(size * Math.abs(memory.t));
    if (moved <= tolerance_change || Math.abs(loss - memory.prev_loss) < tolerance_change) break;
  }
  return value;
}

/** The first direction: down the gradient. */
function start(memory: Memory, gradient: Tensor): void {
  Object.assign(memory, { d: gradient.neg(), old_dirs: [], old_stps: [], ro: [], H_diag: 1 });
}

/** The length of the first step, before lr: no longer than 1, so that no parameter moves by more. */
function firstLength(gradient: Tensor): number {
  const inverse: number = gradient.abs().sum().reciprocal().item();
  return inverse < 1 ? inverse : 1;
}

/** Remembers the last change, and turns `d` to the inverse Hessian, as far as it is known, times the gradient. */
function turn(memory: Memory, gradient: Tensor, history_size: number): void {
  const { old_dirs, old_stps, ro } = memory;
  const y = gradient.sub(memory.prev_flat_grad);
  const s = memory.d.mul(memory.t);
  const ys = y.dot(s);
  if (ys.item() > 1e-10) {
    if (old_dirs.length === history_size) for (const list of [old_dirs, old_stps, ro]) list.shift();
    old_dirs.push(y);
    old_stps.push(s);
    ro.push(ys.reciprocal());
    memory.H_diag = ys.div(y.dot(y));
  }
  const al = (memory.al ??= new Array<null>(history_size).fill(null));
  const d = gradient.neg();
  for (let i = old_dirs.length - 1; i >= 0; i--) {
    const factor = (al[i] = old_stps[i].dot(d).mul(ro[i]));
    d.add_(old_dirs[i], { alpha: -factor.item<number>() });
  }
  d.mul_(memory.H_diag);
  for (let i = 0; i < old_dirs.length; i++) {
    const change = al[i]!.sub(old_dirs[i].dot(d).mul(ro[i]));
    d.add_(old_stps[i], { alpha: change.item<number>() });
  }
  memory.d = d;
}

function dot(a: Tensor, b: Tensor): number {
  return a.dot(b).item();
}

/** The greatest absolute value: without a vector of the absolute values, as `norm` would make. */
function largest(t: Tensor): number {
  const out = allocate([], t._dtype);
  callList(K.list_norm, [{ scalars: [Infinity], operands: [t, out] }]);
  return out.item();
}

/** All gradients as one vector, zeros where there is none. */
function flatGradient(params: readonly Tensor[]): Tensor {
  return cat(
    params.map((p) => {
      if (p._grad === null) return p.new_zeros([p._numel]);
      checkParam(p, p._grad);
      return reshape(to_dense(p._grad.detach()), [-1]);
    }),
  );
}

/** Moves the parameters by `t` times their part of the direction. */
function move(params: readonly Tensor[], t: number, d: Tensor): void {
  let offset = 0;
  for (const p of params) {
    p.add_(reshape(narrow(d, 0, offset, p._numel), p._dims), { alpha: t });
    offset += p._numel;
  }
}

/** The loss that a closure returned. */
function lossOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value instanceof Tensor && value._numel === 1) return Number(value.item());
  throw new TypeError(
    `step: closure: expected it to return the loss, a number or a tensor of one element, got ${describe(value)}`,
  );
}

/**
 * L-BFGS: the direction of each iteration comes from the last changes of the gradient. `step` needs a closure that
 * zeroes the gradients, evaluates the loss, calls `backward` and returns the loss; it calls it several times. There is one
 * parameter group only. State, under the first parameter: `func_evals`, `n_iter`, `d`, `t`, `old_dirs`, `old_stps`, `ro`,
 * `H_diag`, `al`, `prev_flat_grad` and `prev_loss`. PyTorch: `torch.optim.LBFGS`.
 * @throws TypeError or RangeError as {@link Optimizer}, for a second group, and for a `step` without a closure.
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<LBFGSOptions>>, given?: Given<LBFGSOptions>) {
    super(params, { ...options(given as Partial<LBFGSOptions>) }, lbfgs);
  }

  override add_param_group(param_group: ParamGroupInput<LBFGSOptions>): void {
    if (this.param_groups.length > 0) {
      throw new RangeError("LBFGS: params: LBFGS doesn't support per-parameter options (parameter groups)");
    }
    super.add_param_group(param_group);
  }
}
