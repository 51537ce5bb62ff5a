import * as torch from 'cresset';
import { combinations, type Options } from './options.js';

export type { Options } from './options.js';

const { optim } = torch;

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyOptimizer = torch.optim.Optimizer<any>;

/** An optimizer, and what every test of all optimizers needs to know of it. */
export interface Row {
  name: string;
  make(params: unknown, options?: Options): AnyOptimizer;
  /** Option combinations that work; test/golden/optim.py runs the same. */
  valid: Options[];
  /** Option combinations that do not, with what the error says. */
  invalid: [Options, string][];
  /** The combination under which all its state is kept. */
  fullest: Options;
  /** Learning rates at which it solves the problems of convergence.test.ts. */
  rates?: { rosenbrock: number; quadratic: number; network: number };
  /** When a change of `lr` takes effect. Default: at the next step. */
  lrActs?: 'a step later' | 'never' | 'on z';
  /** Whether state is there before the first step. */
  stateFromStart?: boolean;
}

const common = (name: string): [Options, string][] => [
  [{ lr: -1 }, `${name}: lr: expected a number >= 0, got -1`],
  [{ lr: NaN }, `${name}: lr: expected a number >= 0, got NaN`],
  [{ lr: '0.1' }, `${name}: lr: expected a number >= 0, got "0.1"`],
  [{ lr: torch.ones(2) }, `${name}: lr: expected a number >= 0, got a tensor of shape [2] and dtype float32`],
  [{ weight_decay: -1 }, `${name}: weight_decay: expected a number >= 0, got -1`],
  [{ learning_rate: 0.1 }, `${name}: unknown option 'learning_rate'. Did you mean 'lr'?`],
  [{ weightDecay: 0.1 }, `${name}: unknown option 'weightDecay'. Did you mean 'weight_decay'?`],
  [{ maximize: 1 }, `${name}: maximize: expected a boolean, got 1`],
  [{ foreach: 'yes' }, `${name}: foreach: expected a boolean or null, got "yes"`],
];

const noForeach = (name: string): [Options, string] => [
  { foreach: true, differentiable: true },
  `${name}: foreach: cannot be true together with differentiable`,
];

const momentErrors = (name: string): [Options, string][] => [
  ...common(name),
  noForeach(name),
  [{ betas: [1, 0.9] }, `${name}: betas: expected two numbers in [0, 1), got [1, 0.9]`],
  [{ betas: [0.9, -0.1] }, `${name}: betas: expected two numbers in [0, 1), got [0.9, -0.1]`],
  [{ betas: 0.9 }, `${name}: betas: expected two numbers in [0, 1), got 0.9`],
  [{ eps: -1 }, `${name}: eps: expected a number >= 0, got -1`],
];

const adamErrors = (name: string): [Options, string][] => [
  ...momentErrors(name),
  [{ fused: true, differentiable: true }, `${name}: fused: cannot be true together with differentiable or foreach`],
  ...[{ lr: torch.tensor(0.1) }, { betas: [torch.tensor(0.9), torch.tensor(0.99)] }].map(
    (tensors): [Options, string] => [
      { foreach: true, ...tensors },
      `${name}: foreach: cannot be true with a tensor for lr or betas, unless capturable is`,
    ],
  ),
  [
    { betas: [0.9, torch.tensor(0.99)] },
    `${name}: betas: expected both to be numbers or both tensors, got [0.9, a tensor`,
  ],
];

/** Those of optimizers that PyTorch does not have: without options that only PyTorch has a use for. */
const extraErrors = (name: string): [Options, string][] => [
  ...momentErrors(name).filter(([options]) => !('foreach' in options)),
  [{ foreach: true }, `${name}: unknown option 'foreach'.`],
  [{ differentiable: 1 }, `${name}: differentiable: expected a boolean, got 1`],
];

export const database: Row[] = [
  {
    name: 'SGD',
    make: (params, options) => new optim.SGD(params as torch.Tensor[], options),
    valid: combinations(
      'SGD',
      ({ nesterov, momentum, dampening }) => !nesterov || (momentum !== undefined && dampening === undefined),
    ),
    invalid: [
      ...common('SGD'),
      [{ momentum: -0.5 }, 'SGD: momentum: expected a number >= 0, got -0.5'],
      [{ nesterov: true }, 'SGD: nesterov: Nesterov momentum requires a momentum and zero dampening'],
      [{ nesterov: true, momentum: 0.9, dampening: 0.1 }, 'SGD: nesterov: Nesterov momentum requires'],
    ],
    fullest: { lr: 0.1, momentum: 0.9 },
    rates: { rosenbrock: 0.002, quadratic: 0.5, network: 0.2 },
  },
  {
    name: 'Adam',
    make: (params, options) => new optim.Adam(params as torch.Tensor[], options),
    valid: combinations('Adam'),
    invalid: adamErrors('Adam'),
    fullest: { lr: 0.1, amsgrad: true },
    rates: { rosenbrock: 0.5, quadratic: 0.05, network: 0.1 },
  },
  {
    name: 'AdamW',
    make: (params, options) => new optim.AdamW(params as torch.Tensor[], options),
    valid: combinations('AdamW'),
    invalid: [
      ...adamErrors('AdamW'),
      [{ decoupled_weight_decay: true }, "AdamW: unknown option 'decoupled_weight_decay'"],
    ],
    fullest: { lr: 0.1, amsgrad: true },
    rates: { rosenbrock: 0.05, quadratic: 0.05, network: 0.1 },
  },
  {
    name: 'RMSprop',
    make: (params, options) => new optim.RMSprop(params as torch.Tensor[], options),
    valid: combinations('RMSprop'),
    invalid: [
      ...common('RMSprop'),
      noForeach('RMSprop'),
      [{ alpha: -1 }, 'RMSprop: alpha: expected a number >= 0, got -1'],
      [{ momentum: -1 }, 'RMSprop: momentum: expected a number >= 0, got -1'],
      [{ eps: -1 }, 'RMSprop: eps: expected a number >= 0, got -1'],
    ],
    fullest: { lr: 0.1, momentum: 0.9, centered: true },
    rates: { rosenbrock: 0.02, quadratic: 0.02, network: 0.01 },
  },
  {
    name: 'Adagrad',
    make: (params, options) => new optim.Adagrad(params as torch.Tensor[], options),
    valid: combinations('Adagrad'),
    invalid: [
      ...common('Adagrad'),
      noForeach('Adagrad'),
      [{ lr_decay: -1 }, 'Adagrad: lr_decay: expected a number >= 0, got -1'],
      [{ initial_accumulator_value: NaN }, 'Adagrad: initial_accumulator_value: expected a number >= 0, got NaN'],
      [{ eps: -1 }, 'Adagrad: eps: expected a number >= 0, got -1'],
      [{ fused: true, foreach: true }, 'Adagrad: fused: cannot be true together with differentiable or foreach'],
    ],
    fullest: { lr: 0.1, lr_decay: 0.1, initial_accumulator_value: 0.2 },
    rates: { rosenbrock: 1, quadratic: 0.5, network: 0.1 },
    stateFromStart: true,
  },
  {
    name: 'Adadelta',
    make: (params, options) => new optim.Adadelta(params as torch.Tensor[], options),
    valid: combinations('Adadelta'),
    invalid: [
      ...common('Adadelta'),
      noForeach('Adadelta'),
      [{ rho: 1.1 }, 'Adadelta: rho: expected a number in [0, 1], got 1.1'],
      [{ rho: -0.1 }, 'Adadelta: rho: expected a number in [0, 1], got -0.1'],
      [{ eps: -1 }, 'Adadelta: eps: expected a number >= 0, got -1'],
    ],
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.3, quadratic: 2, network: 5 },
  },
  {
    name: 'Adamax',
    make: (params, options) => new optim.Adamax(params as torch.Tensor[], options),
    valid: combinations('Adamax'),
    invalid: momentErrors('Adamax'),
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.5, quadratic: 0.05, network: 0.2 },
  },
  {
    name: 'NAdam',
    make: (params, options) => new optim.NAdam(params as torch.Tensor[], options),
    valid: combinations('NAdam'),
    invalid: [
      ...momentErrors('NAdam'),
      [{ momentum_decay: -1 }, 'NAdam: momentum_decay: expected a number >= 0, got -1'],
      [{ decoupled_weight_decay: 1 }, 'NAdam: decoupled_weight_decay: expected a boolean, got 1'],
    ],
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.1, quadratic: 0.05, network: 0.02 },
  },
  {
    name: 'RAdam',
    make: (params, options) => new optim.RAdam(params as torch.Tensor[], options),
    valid: combinations('RAdam'),
    invalid: [
      ...momentErrors('RAdam'),
      [{ decoupled_weight_decay: null }, 'RAdam: decoupled_weight_decay: expected a boolean, got null'],
    ],
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.001, quadratic: 0.1, network: 0.1 },
  },
  {
    name: 'ASGD',
    make: (params, options) => new optim.ASGD(params as torch.Tensor[], options),
    valid: combinations('ASGD'),
    invalid: [
      ...common('ASGD'),
      noForeach('ASGD'),
      [{ lambd: NaN }, 'ASGD: lambd: expected a number, got NaN'],
      [{ alpha: 'x' }, 'ASGD: alpha: expected a number, got "x"'],
      [{ t0: null }, 'ASGD: t0: expected a number, got null'],
    ],
    fullest: { lr: 0.1, t0: 3 },
    rates: { rosenbrock: 0.002, quadratic: 0.5, network: 0.2 },
    lrActs: 'a step later',
  },
  {
    name: 'Rprop',
    make: (params, options) => new optim.Rprop(params as torch.Tensor[], options),
    valid: combinations('Rprop'),
    invalid: [
      ...common('Rprop').filter(([options]) => !('weight_decay' in options || 'weightDecay' in options)),
      noForeach('Rprop'),
      [{ weight_decay: 0.1 }, "Rprop: unknown option 'weight_decay'."],
      [{ etas: [0.5, 1] }, 'Rprop: etas: expected two numbers, one in (0, 1) and one above 1, got [0.5, 1]'],
      [{ etas: [0, 1.2] }, 'Rprop: etas: expected two numbers, one in (0, 1) and one above 1, got [0, 1.2]'],
      [{ step_sizes: [1e-6, NaN] }, 'Rprop: step_sizes: expected two numbers, got [0.000001, NaN]'],
      [{ step_sizes: 50 }, 'Rprop: step_sizes: expected two numbers, got 50'],
    ],
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.01, quadratic: 0.01, network: 0.01 },
    lrActs: 'never',
  },
  {
    name: 'Lion',
    make: (params, options) => new optim.extra.Lion(params as torch.Tensor[], options),
    valid: [
      {},
      { lr: 0.05, betas: [0.8, 0.95] },
      { lr: 0.05, weight_decay: 0.3 },
      { lr: 0.05, weight_decay: 0.3, maximize: true },
    ],
    invalid: extraErrors('Lion').filter(([options]) => !('eps' in options)),
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.002, quadratic: 0.02, network: 0.005 },
  },
  {
    name: 'LAMB',
    make: (params, options) => new optim.extra.LAMB(params as torch.Tensor[], options),
    valid: [
      {},
      { lr: 0.05, betas: [0.8, 0.9], eps: 1e-3 },
      { lr: 0.05, weight_decay: 0.3 },
      { lr: 0.05, weight_decay: 0.3, maximize: true },
    ],
    invalid: extraErrors('LAMB'),
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.005, quadratic: 0.05, network: 0.02 },
  },
  {
    name: 'ScheduleFreeAdamW',
    make(params, options) {
      const optimizer = new optim.extra.ScheduleFreeAdamW(params as torch.Tensor[], options);
      optimizer.train();
      return optimizer;
    },
    valid: [
      {},
      { lr: 0.05, betas: [0.5, 0.9], eps: 1e-3 },
      { lr: 0.05, weight_decay: 0.3, warmup_steps: 5 },
      { lr: 0.05, weight_decay: 0.3, r: 1.5, weight_lr_power: 1, maximize: true },
      { lr: 0.05, betas: [0.98, 0.99], warmup_steps: 20, weight_lr_power: 0 },
    ],
    invalid: [
      ...extraErrors('ScheduleFreeAdamW').filter(([options]) => !('betas' in options)),
      ...[[0, 0.9], [1, 0.9], [0.9, 1], 0.9].map((betas): [Options, string] => [
        { betas },
        'ScheduleFreeAdamW: betas: expected two numbers, one in (0, 1) and one in [0, 1), got',
      ]),
      [{ warmup_steps: 1.5 }, 'ScheduleFreeAdamW: warmup_steps: expected an integer >= 0, got 1.5'],
      [{ r: NaN }, 'ScheduleFreeAdamW: r: expected a finite number, got NaN'],
      [{ weight_lr_power: -1 }, 'ScheduleFreeAdamW: weight_lr_power: expected a number >= 0, got -1'],
      [{ warmup: 3 }, "ScheduleFreeAdamW: unknown option 'warmup'."],
    ],
    fullest: { lr: 0.1 },
    rates: { rosenbrock: 0.2, quadratic: 0.2, network: 0.1 },
    lrActs: 'on z',
  },
];
