import { defineOptions } from '../../options.js';
import { describe } from '../../tensor/tensor.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** Options of {@link StepLR}. */
export interface StepLROptions {
  /** Epochs between two decays. */
  step_size: number;
  /** What a decay multiplies the learning rate by. Default 0.1. */
  gamma?: number;
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const options = defineOptions('optim.lr_scheduler.StepLR', {
  step_size: undefined as number | undefined,
  gamma: 0.1,
  last_epoch: -1,
});

/**
 * Multiplies each group's learning rate by `gamma` every `step_size` epochs. PyTorch: `torch.optim.lr_scheduler.StepLR`.
 * @throws TypeError or RangeError if `step_size` is not a positive integer or `gamma` not a finite number.
 */
export class StepLR extends LRScheduler {
  step_size: number;
  gamma: number;

  constructor(optimizer: AnyOptimizer, given: StepLROptions) {
    super(optimizer);
    const { step_size, gamma, last_epoch } = options(given);
    this.checkState({ step_size, gamma });
    this.step_size = step_size!;
    this.gamma = gamma;
    this._initial_step(last_epoch);
  }

  protected override checkState({ step_size, gamma }: Record<string, unknown>): void {
    if (!Number.isSafeInteger(step_size) || (step_size as number) < 1) {
      throw new RangeError(`StepLR: step_size: expected a positive integer, got ${describe(step_size)}`);
    }
    if (!Number.isFinite(gamma)) {
      throw new RangeError(`StepLR: gamma: expected a finite number, got ${describe(gamma)}`);
    }
  }

  override get_lr(): number[] {
    this.warnOutsideStep();
    const decays = this.last_epoch !== 0 && this.last_epoch % this.step_size === 0;
    return this.currentRates().map((lr) => (decays ? lr * this.gamma : lr));
  }

  override _get_closed_form_lr(): number[] {
    const factor = this.gamma ** Math.floor(this.last_epoch / this.step_size);
    return this.base_lrs.map((lr) => lr * factor);
  }
}
