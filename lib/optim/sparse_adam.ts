import type { SparseTensor } from '../ops/sparse_tensor.js';
import { defineOptions } from '../options.js';
import { describe } from '../tensor/tensor.js';
import { power } from './double.js';
import { Optimizer, slot, type ByOps, type ParamGroupInput, type Params } from './optimizer.js';
import { betas, checkRules, flag, nonNegative, numberOf, positive, type Given } from './rules.js';

/** Options of {@link SparseAdam}. */
export interface SparseAdamOptions {
  /** The learning rate. Default 1e-3. */
  lr: number;
  /** The decay rates of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
}

const options = defineOptions<SparseAdamOptions>(
  'optim.SparseAdam',
  { lr: 1e-3, betas: Object.freeze([0.9, 0.999] as const), eps: 1e-8, maximize: false },
  true,
);

const sparseAdam: ByOps<SparseAdamOptions> = {
  rules: { lr: nonNegative, betas, eps: positive, maximize: flag },
  check({ lr }) {
    // Schedulers may bring it to 0 later.
    checkRules('SparseAdam', { lr }, { lr: positive });
  },
  checkParam(param) {
    if (param.is_sparse) {
      throw new TypeError(`SparseAdam: params: expected dense tensors, got ${describe(param)}`);
    }
  },
  slots: ['exp_avg', 'exp_avg_sq'],
  counters: [],
  numbers: ['step'],
  sparse(group) {
    const lr = numberOf('lr', group.lr);
    const [beta1, beta2] = group.betas.map((beta) => numberOf('betas', beta));
    const eps = numberOf('eps', group.eps);
    return (param, grad, state) => {
      const step = ((state.step as number | undefined) ?? 0) + 1;
      state.step = step;
      const [exp_avg, exp_avg_sq] = [slot(state, 'exp_avg', param), slot(state, 'exp_avg_sq', param)];
      const { places, rows } = grad.coalesce() as SparseTensor;
      if (rows._numel === 0) return;
      const g = group.maximize ? rows.neg() : rows;
      const [average, square] = [exp_avg.index_select(0, places), exp_avg_sq.index_select(0, places)];
      average.add_(g.sub(average).mul_(1 - beta1));
      square.add_(
        g
          .mul(g)
          .sub_(square)
          .mul_(1 - beta2),
      );
      exp_avg.index_copy_(0, places, average);
      exp_avg_sq.index_copy_(0, places, square);
      const size = (lr * Math.sqrt(1 - power(beta2, step))) / (1 - power(beta1, step));
      param.index_add_(0, places, average.div_(square.sqrt_().add_(eps)), { alpha: -size });
    };
  },
};

/**
 * Adam for the sparse gradients of embeddings: rows without a gradient keep their averages and stay. State: `step`, a
 * number, `exp_avg` and `exp_avg_sq`. PyTorch: `torch.optim.SparseAdam`.
 * @throws TypeError or RangeError as {@link Optimizer}, and for dense gradients.
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  constructor(params: Params | Iterable<ParamGroupInput<SparseAdamOptions>>, given?: Given<SparseAdamOptions>) {
    super(params, { ...options(given as Partial<SparseAdamOptions>) }, sparseAdam);
  }
}
