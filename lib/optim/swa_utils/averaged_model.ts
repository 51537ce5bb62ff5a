import { no_grad } from '../../autograd/mode.js';
import { add } from '../../ops/arithmetic.js';
import { copy_, detach } from '../../ops/convert.js';
import { tensor } from '../../ops/creation.js';
import { sameDims } from '../../ops/shape.js';
import { deepCopy } from '../../nn/deep_copy.js';
import { Module } from '../../nn/module.js';
import { defineOptions } from '../../options.js';
import { int64, type DType } from '../../tensor/dtype.js';
import { describe, Tensor } from '../../tensor/tensor.js';
import { get_swa_avg_fn, type AvgFn, type MultiAvgFn } from './averages.js';

/** Options of {@link AveragedModel}. */
export interface AveragedModelOptions {
  /** Where the average is kept: `'cpu'`, or null for where the model is. */
  device?: 'cpu' | null;
  /** Gives the new average of one parameter. Default null: the mean of all so far. */
  avg_fn?: AvgFn | null;
  /** Updates the averages of many parameters of one dtype in place. Default null. */
  multi_avg_fn?: MultiAvgFn | null;
  /** Whether buffers are averaged too; else they are the model's of the last update. Default false. */
  use_buffers?: boolean;
}

const readOptions = defineOptions<Required<AveragedModelOptions>>('optim.swa_utils.AveragedModel', {
  device: null,
  avg_fn: null,
  multi_avg_fn: null,
  use_buffers: false,
});

/** A tensor of the average, with the model's. */
type Pair = readonly [averaged: Tensor, current: Tensor];

/**
 * The running average of a model's parameters, in a copy of the model: stochastic weight averaging (Izmailov et al. 2018,
 * arXiv:1803.05407), or an exponential moving average with `multi_avg_fn: get_ema_multi_avg_fn()`. State: that of the copy
 * under `module`, and `n_averaged`. PyTorch: `torch.optim.swa_utils.AveragedModel`.
 *
 * Statistics of batch normalisation are brought up to date by {@link update_bn}, or averaged with `use_buffers`.
 */
export class AveragedModel<M extends Module = Module> extends Module {
  /** The copy that holds the average. */
  readonly module: M;
  /** How many models were averaged so far: an int64 tensor without dimensions. */
  declare n_averaged: Tensor;
  avg_fn: AvgFn | null;
  multi_avg_fn: MultiAvgFn | null;
  use_buffers: boolean;

  /** @throws TypeError if `model` is no module or an option is not of its kind, or for both `avg_fn` and `multi_avg_fn`. */
  constructor(model: M, given?: AveragedModelOptions) {
    super();
    const { device, avg_fn, multi_avg_fn, use_buffers } = readOptions(given);
    checkModel('AveragedModel', model);
    for (const [option, fn] of Object.entries({ avg_fn, multi_avg_fn })) {
      if (fn === null || typeof fn === 'function') continue;
      throw new TypeError(`AveragedModel: ${option}: expected a function or null, got ${describe(fn)}`);
    }
    if (avg_fn !== null && multi_avg_fn !== null) {
      throw new TypeError('AveragedModel: only one of avg_fn and multi_avg_fn should be provided');
    }
    this.module = deepCopy(model).to({ device });
    this.register_buffer('n_averaged', tensor(0, { dtype: int64 }));
    this.avg_fn = avg_fn;
    this.multi_avg_fn = multi_avg_fn;
    this.use_buffers = use_buffers;
  }

  /** What the averaged model computes. */
  override forward(...input: Parameters<M['forward']>): ReturnType<M['forward']> {
    return this.module.forward(...input) as ReturnType<M['forward']>;
  }

  /**
   * Takes the model's parameters into the average; the first time they become the average. PyTorch:
   * `AveragedModel.update_parameters`.
   * @throws TypeError or RangeError unless the model has the parameters and buffers of the one that was copied; nothing is
   *   then changed.
   */
  update_parameters(model: Module): void {
    checkModel('update_parameters', model);
    const parameters = pairs('parameters', this.module.parameters(), model.parameters());
    const buffers = pairs('buffers', this.module.buffers(), model.buffers());
    const averaged = this.use_buffers ? [...parameters, ...buffers] : parameters;
    if (this.n_averaged.item() === 0) copyAll(averaged);
    else this.average(averaged);
    if (!this.use_buffers) copyAll(buffers);
    copyAll([[this.n_averaged, add(this.n_averaged, 1)]]);
  }

  private average(averaged: readonly Pair[]): void {
    const { avg_fn, multi_avg_fn } = this;
    if (multi_avg_fn === null) {
      const average = avg_fn ?? get_swa_avg_fn();
      copyAll(averaged.map(([a, c]) => [a, average(a, c, this.n_averaged)]));
      return;
    }
    for (const group of byDtype(averaged).values()) {
      const lists = [group.map(([a]) => a), group.map(([, c]) => c)] as const;
      multi_avg_fn(...lists, this.n_averaged);
    }
  }
}

function checkModel(name: string, model: unknown): void {
  if (!(model instanceof Module)) throw new TypeError(`${name}: model: expected a Module, got ${describe(model)}`);
}

/** What is averaged with what, outside the graph. */
function pairs(what: string, averaged: readonly Tensor[], current: readonly Tensor[]): Pair[] {
  const fits = averaged.length === current.length && averaged.every((a, i) => sameDims(a._dims, current[i]._dims));
  if (fits) return averaged.map((a, i) => [detach(a), detach(current[i])]);
  const shapes = (tensors: readonly Tensor[]) => describe(tensors.map((t) => t.shape));
  throw new RangeError(
    `update_parameters: model: expected ${what} of the shapes ${shapes(averaged)}, got ${shapes(current)}`,
  );
}

function copyAll(pairs: readonly Pair[]): void {
  no_grad(() => pairs.forEach(([target, source]) => copy_(target, source)));
}

function byDtype(pairs: readonly Pair[]): Map<DType, Pair[]> {
  const groups = new Map<DType, Pair[]>();
  for (const pair of pairs) {
    const { dtype } = pair[0];
    const group = groups.get(dtype);
    if (group === undefined) groups.set(dtype, [pair]);
    else group.push(pair);
  }
  return groups;
}
