import { defineOptions } from '../../options.js';
import { checkRules, type Hyper } from '../rules.js';
import { listOf, oneOrListOf, perGroup, times, type Rules } from './fields.js';
import { aFunction, packedFunction, packFunction, resultOf, unpackFunction } from './functions.js';
import { LRScheduler, type AnyOptimizer } from './lr_scheduler.js';

/** A factor for the learning rate at an epoch. */
export type LRLambda = (epoch: number) => Hyper;

/** Options of {@link LambdaLR} and {@link MultiplicativeLR}. */
export interface LambdaLROptions {
  /** What the learning rate is multiplied by, as a function of the epoch; or an array of one for each parameter group. */
  lr_lambda: LRLambda | readonly LRLambda[];
  /** The epoch to go on from; -1, the default, to begin. */
  last_epoch?: number;
}

const defaults: Required<LambdaLROptions> = { lr_lambda: undefined as unknown as LRLambda, last_epoch: -1 };
const lambdaOptions = defineOptions('optim.lr_scheduler.LambdaLR', defaults, true);
const multiplicativeOptions = defineOptions('optim.lr_scheduler.MultiplicativeLR', defaults, true);

/** A scheduler with a function for each group. A state dict holds of functions the properties they have, if any. */
abstract class FunctionLR extends LRScheduler {
  lr_lambdas: LRLambda[];

  protected constructor(optimizer: AnyOptimizer, { lr_lambda, last_epoch }: Required<LambdaLROptions>) {
    super(optimizer);
    const groups = this.paramGroups.length;
    checkRules(this.constructor.name, { lr_lambda }, { lr_lambda: oneOrListOf(aFunction, groups) });
    this.lr_lambdas = perGroup(lr_lambda, groups);
    this.startFrom(last_epoch);
  }

  /** Rates times the factors of this epoch. */
  protected scaled(rates: readonly Hyper[]): Hyper[] {
    const { lr_lambdas, last_epoch } = this;
    return lr_lambdas.map((f, i) => times(rates[i], resultOf(this.constructor.name, 'lr_lambda', f(last_epoch))));
  }

  override state_dict(): Record<string, unknown> {
    return { ...super.state_dict(), lr_lambdas: this.lr_lambdas.map(packFunction) };
  }

  protected override takeState({ lr_lambdas, ...rest }: Record<string, unknown>): void {
    super.takeState(rest);
    (lr_lambdas as (object | null)[] | undefined)?.forEach((own, i) => unpackFunction(this.lr_lambdas[i], own));
  }

  protected override fieldRules(): Rules {
    return { ...super.fieldRules(), lr_lambdas: listOf(packedFunction, this.lr_lambdas.length) };
  }
}

/**
 * Sets each group's learning rate to its first one times a function of the epoch. PyTorch:
 * `torch.optim.lr_scheduler.LambdaLR`.
 * @throws TypeError if `lr_lambda` is not a function or an array of one for each group.
 */
export class LambdaLR extends FunctionLR {
  constructor(optimizer: AnyOptimizer, given: LambdaLROptions) {
    super(optimizer, lambdaOptions(given));
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    return this.scaled(this.base_lrs);
  }
}

/**
 * Multiplies each group's learning rate by a function of the epoch, every epoch. PyTorch:
 * `torch.optim.lr_scheduler.MultiplicativeLR`.
 * @throws TypeError if `lr_lambda` is not a function or an array of one for each group.
 */
export class MultiplicativeLR extends FunctionLR {
  constructor(optimizer: AnyOptimizer, given: LambdaLROptions) {
    super(optimizer, multiplicativeOptions(given));
  }

  override get_lr(): Hyper[] {
    this.warnOutsideStep();
    const rates = this.currentRates();
    return this._is_initial ? rates : this.scaled(rates);
  }
}
