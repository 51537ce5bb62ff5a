import { readFileSync } from 'node:fs';
import * as torch from 'cresset';

const { optim } = torch;

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Options = Record<string, any>;
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
}

const valid = JSON.parse(readFileSync(new URL('./options.json', import.meta.url), 'utf8')) as Record<string, Options[]>;

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

const adamErrors = (name: string): [Options, string][] => [
  ...common(name),
  [{ betas: [1, 0.9] }, `${name}: betas: expected two numbers in [0, 1), got [1, 0.9]`],
  [{ betas: [0.9, -0.1] }, `${name}: betas: expected two numbers in [0, 1), got [0.9, -0.1]`],
  [{ betas: 0.9 }, `${name}: betas: expected two numbers in [0, 1), got 0.9`],
  [{ eps: -1 }, `${name}: eps: expected a number >= 0, got -1`],
  [{ fused: true, differentiable: true }, `${name}: fused: cannot be true together with differentiable or foreach`],
];

export const database: Row[] = [
  {
    name: 'SGD',
    make: (params, options) => new optim.SGD(params as torch.Tensor[], options),
    valid: valid.SGD,
    invalid: [
      ...common('SGD'),
      [{ momentum: -0.5 }, 'SGD: momentum: expected a number >= 0, got -0.5'],
      [{ nesterov: true }, 'SGD: nesterov: Nesterov momentum requires a momentum and zero dampening'],
      [{ nesterov: true, momentum: 0.9, dampening: 0.1 }, 'SGD: nesterov: Nesterov momentum requires'],
    ],
    fullest: { lr: 0.1, momentum: 0.9 },
  },
  {
    name: 'Adam',
    make: (params, options) => new optim.Adam(params as torch.Tensor[], options),
    valid: valid.Adam,
    invalid: adamErrors('Adam'),
    fullest: { lr: 0.1, amsgrad: true },
  },
  {
    name: 'AdamW',
    make: (params, options) => new optim.AdamW(params as torch.Tensor[], options),
    valid: valid.AdamW,
    invalid: [
      ...adamErrors('AdamW'),
      [{ decoupled_weight_decay: true }, "AdamW: unknown option 'decoupled_weight_decay'"],
    ],
    fullest: { lr: 0.1, amsgrad: true },
  },
  {
    name: 'RMSprop',
    make: (params, options) => new optim.RMSprop(params as torch.Tensor[], options),
    valid: valid.RMSprop,
    invalid: [
      ...common('RMSprop'),
      [{ alpha: -1 }, 'RMSprop: alpha: expected a number >= 0, got -1'],
      [{ momentum: -1 }, 'RMSprop: momentum: expected a number >= 0, got -1'],
      [{ eps: -1 }, 'RMSprop: eps: expected a number >= 0, got -1'],
    ],
    fullest: { lr: 0.1, momentum: 0.9, centered: true },
  },
];
