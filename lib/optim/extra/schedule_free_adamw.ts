import { K } from '../../backend/kernels.js';
import { no_grad } from '../../autograd/mode.js';
import { lerp } from '../../ops/arithmetic.js';
import { clone, copy_ } from '../../ops/convert.js';
import { defineOptions } from '../../options.js';
import type { Tensor } from '../../tensor/tensor.js';
import { asTensor, defaultBetas, rest } from '../moments.js';
import {
  Optimizer,
  slot,
  stateOf,
  type Algorithm,
  type ParamGroup,
  type ParamGroupInput,
  type Params,
  type ParamState,
} from '../optimizer.js';
import { finite, flag, integer, nonNegative, numberOf, positiveBetas, type Given } from '../rules.js';

/** Options of {@link ScheduleFreeAdamW}. */
export interface ScheduleFreeAdamWOptions {
  /** The learning rate γ: one to ten times what AdamW has with a schedule. Default 2.5e-3. */
  lr: number;
  /** β₁ in (0, 1), how near to the average x gradients are taken; β₂, the decay rate of squares. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** The weight decay λ, apart from the gradient, at y. Default 0. */
  weight_decay: number;
  /** Over how many steps the learning rate rises to `lr`. Default 0. */
  warmup_steps: number;
  /** The power of the step's number in its weight. Default 0. */
  r: number;
  /** The power of the largest learning rate so far in a step's weight. Default 2. */
  weight_lr_power: number;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
}

/** What a group keeps from step to step, under the names of the authors' package. */
interface Progress {
  /** Whether the parameters are y, for gradients, rather than x. */
  train_mode: boolean;
  /** How many steps were taken. */
  k: number;
  /** The learning rate of the last step, and the largest so far; -1 before the first. */
  scheduled_lr: number;
  lr_max: number;
  /** The sum of the weights of all steps. */
  weight_sum: number;
}

type Group = ScheduleFreeAdamWOptions & Progress;

const options = defineOptions<ScheduleFreeAdamWOptions>(
  'optim.extra.ScheduleFreeAdamW',
  {
    lr: 2.5e-3,
    betas: defaultBetas,
    eps: 1e-8,
    weight_decay: 0,
    warmup_steps: 0,
    r: 0,
    weight_lr_power: 2,
    maximize: false,
    differentiable: false,
  },
  true,
);

const start: Progress = { train_mode: false, k: 0, scheduled_lr: 0, lr_max: -1, weight_sum: 0 };

/** What a group's next step makes of its progress, and the share of the next z in the average. */
function nextOf(group: Group): { progress: Omit<Progress, 'train_mode'>; share: number } {
  const step = group.k + 1;
  const scheduled_lr = numberOf('lr', group.lr) * warmth(group, step);
  const lr_max = Math.max(scheduled_lr, group.lr_max);
  const weight = step ** numberOf('r', group.r) * lr_max ** numberOf('weight_lr_power', group.weight_lr_power);
  const weight_sum = group.weight_sum + weight;
  const share = weight_sum === 0 ? 0 : weight / weight_sum;
  return { progress: { k: step, scheduled_lr, lr_max, weight_sum }, share };
}

/** By how much the learning rate is multiplied while it rises. */
function warmth({ warmup_steps }: Group, step: number): number {
  return step <= warmup_steps ? step / warmup_steps : 1;
}

/** z, which starts from the parameter. */
function zOf(state: ParamState, param: Tensor): Tensor {
  return (state.z ??= clone(param, { memory_format: 'contiguous' })) as Tensor;
}

const scheduleFreeAdamW: Algorithm<Group> = {
  rules: {
    lr: nonNegative,
    betas: positiveBetas,
    eps: nonNegative,
    weight_decay: nonNegative,
    warmup_steps: integer(0),
    r: finite,
    weight_lr_power: nonNegative,
    maximize: flag,
    differentiable: flag,
    train_mode: flag,
    k: integer(0),
    scheduled_lr: nonNegative,
    lr_max: finite,
    weight_sum: nonNegative,
  },
  slots: ['z', 'exp_avg_sq'],
  counters: [],
  kernel: K.schedule_free_adamw,
  rows(group, factor) {
    const { progress, share } = nextOf(group);
    const beta2 = numberOf('betas', group.betas[1]);
    const scalars = [
      progress.scheduled_lr,
      numberOf('betas', group.betas[0]),
      beta2,
      numberOf('eps', group.eps),
      numberOf('weight_decay', group.weight_decay),
      factor,
      share,
      Math.sqrt(1 - beta2 ** progress.k),
    ];
    return (param, grad, states) => {
      const state = stateOf(states, param);
      return { scalars, operands: [param, grad, zOf(state, param), slot(state, 'exp_avg_sq', param)] };
    };
  },
  updated(param, grad, group, stateOf) {
    const state = stateOf();
    const { progress, share } = nextOf(group);
    const step = progress.k;
    const lr = asTensor(group.lr).mul(warmth(group, step));
    const [beta1, beta2] = group.betas.map(asTensor);
    const d = group.maximize ? grad.neg() : grad;
    const z = zOf(state, param);
    const exp_avg_sq = slot(state, 'exp_avg_sq', param)
      .mul(beta2)
      .add(d.mul(d).mul(rest(beta2)));
    const denominator = exp_avg_sq
      .div(rest(beta2.pow(step)))
      .sqrt()
      .add(group.eps);
    const direction = d.div(denominator).add(param.mul(group.weight_decay));
    state.exp_avg_sq = exp_avg_sq;
    state.z = z.sub(direction.mul(lr));
    return lerp(param, z, share).add(direction.mul(lr.mul(beta1.mul(1 - share).sub(1))));
  },
  stepped(group) {
    Object.assign(group, nextOf(group).progress);
  },
};

/**
 * Schedule-free AdamW, whose average of the iterates takes the place of a learning-rate schedule. State: `z`,
 * `exp_avg_sq`; what the groups have in common stands in them. Defazio et al. 2024, "The Road Less Scheduled",
 * arXiv:2405.15682, algorithm 1, as the authors' `schedulefree.AdamWScheduleFree`:
 *
 *     yₜ = (1 - β₁) zₜ + β₁ xₜ, where the gradient gₜ is taken
 *     vₜ = β₂ vₜ₋₁ + (1 - β₂) gₜ²
 *     γₜ = γ min(1, t / warmup_steps)
 *     zₜ₊₁ = zₜ - γₜ gₜ / (√(vₜ / (1 - β₂ᵗ)) + ε) - γₜ λ yₜ
 *     xₜ₊₁ = (1 - cₜ₊₁) xₜ + cₜ₊₁ zₜ₊₁, where cₜ₊₁ = wₜ / (w₁ + … + wₜ) and wₜ = tʳ (max γ₁ … γₜ)²
 *
 * The model's parameters are y in training and x, which is what has been learned, in evaluation: call {@link train} before
 * training, and {@link eval} before evaluating or saving the model, just as the model's own.
 * @throws TypeError or RangeError as {@link Optimizer}.
 */
export class ScheduleFreeAdamW extends Optimizer<Group> {
  constructor(
    params: Params | Iterable<ParamGroupInput<ScheduleFreeAdamWOptions>>,
    given?: Given<ScheduleFreeAdamWOptions>,
  ) {
    super(params, { ...options(given as Partial<ScheduleFreeAdamWOptions>), ...start }, scheduleFreeAdamW);
  }

  /** As {@link Optimizer.add_param_group}; the group comes in the mode of the others. */
  override add_param_group(param_group: ParamGroupInput<ScheduleFreeAdamWOptions>): void {
    super.add_param_group(param_group);
    const { param_groups } = this;
    param_groups[param_groups.length - 1].train_mode = param_groups[0].train_mode;
  }

  /** Makes the parameters y, for training. */
  train(): void {
    this.setMode(true, (beta1) => 1 - beta1);
  }

  /** Makes the parameters x, for evaluation and for saving the model. */
  eval(): void {
    this.setMode(false, (beta1) => 1 - 1 / beta1);
  }

  /** Moves the parameters of groups in the other mode towards z, by a weight that depends on β₁. */
  private setMode(train_mode: boolean, weightOf: (beta1: number) => number): void {
    for (const group of this.param_groups) {
      if (group.train_mode === train_mode) continue;
      const weight = weightOf(numberOf('betas', group.betas[0]));
      no_grad(() => group.params.forEach((param) => this.moveToZ(param, weight)));
      group.train_mode = train_mode;
    }
  }

  private moveToZ(param: Tensor, weight: number): void {
    const z = this.state.get(param)?.z as Tensor | undefined;
    if (z !== undefined) copy_(param, lerp(param, z, weight));
  }

  /**
   * As {@link Optimizer.step}.
   * @throws Error unless {@link train} was called.
   */
  override step(): null;
  override step<T>(closure: (() => T) | null): T;
  override step<T>(closure: (() => T) | null = null): T | null {
    if (this.param_groups.some((group: ParamGroup<Group>) => !group.train_mode)) {
      throw new Error(
        'step: ScheduleFreeAdamW is not in training mode: call its train() before training, eval() after it',
      );
    }
    return super.step(closure);
  }
}
