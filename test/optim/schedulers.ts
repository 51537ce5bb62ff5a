import { readFileSync } from 'node:fs';
import * as torch from 'cresset';
import type { AnyOptimizer, Options } from './database.js';

const { optim } = torch;
const { lr_scheduler } = optim;

export type Scheduler = torch.optim.lr_scheduler.LRScheduler;

/** A scheduler, and what every test of all schedulers needs to know of it. */
export interface Row {
  name: string;
  /** Makes one of options as test/optim/schedules.json has them, or of others. */
  make(optimizer: AnyOptimizer, options?: Options): Scheduler;
  /** Option combinations that work; test/golden/lr_scheduler.py runs the same. */
  valid: Options[];
  /** Option combinations that do not, with what the error says. For an optimizer of two groups. */
  invalid: [Options, string][];
  /** Changes of a state dict that make it one that is refused, with what the error says. */
  misfits: [Options, string][];
  /** Whether `step` takes a metric. */
  metrics: boolean;
  /** Whether it cycles momentum too, unless `cycle_momentum` is false. */
  cyclesMomentum: boolean;
}

const valid = JSON.parse(readFileSync(new URL('./schedules.json', import.meta.url), 'utf8')) as Record<
  string,
  Options[]
>;

/** The functions that schedules name. */
const functions: Record<string, (x: number) => number> = {
  hyperbola: (x) => 1 / (1 + 0.05 * x),
  stairs: (x) => 1 / (1 + Math.floor(x / 10)),
  wave: (x) => (x % 2 === 0 ? 0.75 : 1.5),
};

/** Puts functions and schedulers in the place of their names. */
function resolve(value: unknown, optimizer: AnyOptimizer): unknown {
  if (typeof value === 'string') return functions[value] ?? value;
  if (!Array.isArray(value)) return value;
  const [name, options] = value as [unknown, Options];
  const named = typeof name === 'string' && typeof options === 'object';
  return named ? rowOf(name).make(optimizer, options) : value.map((item) => resolve(item, optimizer));
}

export function rowOf(name: string): Row {
  return schedulers.find((row) => row.name === name)!;
}

type Class = new (...args: unknown[]) => Scheduler;

function row(name: string, invalid: [Options, string][], misfits: [Options, string][], metrics = false): Row {
  const cls = ({ ...lr_scheduler, SWALR: optim.swa_utils.SWALR } as unknown as Record<string, Class>)[name];
  return {
    name,
    make(optimizer, options) {
      const entries = Object.entries(options ?? {}).map(([key, value]) => [key, resolve(value, optimizer)]);
      return new cls(optimizer, options === undefined ? undefined : Object.fromEntries(entries));
    },
    valid: valid[name],
    invalid: invalid.map(([options, message]) => [options, `${name}: ${message}`]),
    misfits: [
      ...misfits,
      [{ T_maximum: 3 }, `state_dict: ${name} has no "T_maximum"`],
      [{ _last_lr: [0.1] }, '_last_lr: expected an array of 2, one a parameter group, each a finite number, got [0.1]'],
      [{ _last_lr: [0.1, NaN] }, '_last_lr: expected an array of 2'],
    ],
    metrics,
    cyclesMomentum: name === 'CyclicLR' || name === 'OneCycleLR',
  };
}

/** For schedulers that have epochs. */
const epochErrors: [Options, string][] = [
  [{ last_epoch: -2 }, 'last_epoch: expected an integer >= -1, got -2'],
  [{ last_epoch: 1.5 }, 'last_epoch: expected an integer >= -1, got 1.5'],
  [{ last_epoch: '3' }, 'last_epoch: expected an integer >= -1, got "3"'],
  [{ last_epoch: 3 }, "param 'initial_lr' is not specified in param_groups[0]"],
  [{ lastEpoch: 3 }, "unknown option 'lastEpoch'. Did you mean 'last_epoch'?"],
];
const epochMisfits: [Options, string][] = [
  [{ last_epoch: NaN }, 'last_epoch: expected an integer, got NaN'],
  [{ _step_count: -1 }, '_step_count: expected an integer >= 0, got -1'],
  [{ _is_initial: 0 }, '_is_initial: expected a boolean, got 0'],
  [{ base_lrs: [0.1, '1'] }, 'base_lrs: expected an array of 2, one a parameter group, each a finite number'],
];

function epochRow(name: string, required: Options, invalid: [Options, string][], misfits: [Options, string][]): Row {
  const all = [...invalid, ...epochErrors].map(
    ([options, message]) => [{ ...required, ...options }, message] as [Options, string],
  );
  return row(name, all, [...misfits, ...epochMisfits]);
}

/** Values that are not what `rule` wants. */
function refuse(option: string, rule: string, ...values: unknown[]): [Options, string][] {
  return values.map((value) => [{ [option]: value }, `${option}: expected ${rule}, got`]);
}

const count = 'an integer >= 0';
const positiveInteger = 'an integer >= 1';
const real = 'a finite number';
const badCounts = [-1, 1.5, NaN, '3', null];
const badReals = [NaN, Infinity, '0.1', null];
const values = `${real}, or an array of 2, one a parameter group, each ${real}`;
const badValues = [NaN, '0.1', [0.1], [0.1, 0.2, 0.3], [0.1, null], null];

const lambdaErrors = [
  ...refuse('lr_lambda', 'a function, or an array of 2, one a parameter group, each a function', undefined, 0.9, [
    () => 1,
  ]),
  [{ lr_lambda: () => NaN }, 'lr_lambda: expected it to return a finite number, got NaN'],
  [{ lr_lambda: () => '1' }, 'lr_lambda: expected it to return a finite number, got "1"'],
] as [Options, string][];
const lambdaMisfits: [Options, string][] = [
  [{ lr_lambdas: [null] }, 'lr_lambdas: expected an array of 2'],
  [{ lr_lambdas: [null, 3] }, "each null or an object of a function's properties, got [null, 3]"],
];

const other = new torch.optim.SGD([torch.zeros(1)]);
const composedErrors: [Options, string][] = [
  [{ schedulers: [] }, 'schedulers: expected at least one scheduler, got []'],
  [{ schedulers: 3 }, 'schedulers: expected an array of schedulers, got 3'],
  [{ schedulers: [3] }, 'schedulers[0]: expected a scheduler, got 3'],
  [{ schedulers: [['ReduceLROnPlateau', {}]] }, 'schedulers[0]: expected a scheduler whose step takes no metrics'],
  [
    { schedulers: [['StepLR', { step_size: 2 }], new lr_scheduler.StepLR(other, { step_size: 2 })] },
    "schedulers[1]: expected all schedulers to belong to the same optimizer, got another one's",
  ],
];
const composedMisfits: [Options, string][] = [
  [{ _schedulers: [] }, 'state dicts, got []'],
  [{ _schedulers: 3 }, 'state dicts, got 3'],
];

export const schedulers: Row[] = [
  epochRow('LambdaLR', { lr_lambda: 'hyperbola' }, lambdaErrors, lambdaMisfits),
  epochRow('MultiplicativeLR', { lr_lambda: 'hyperbola' }, lambdaErrors.slice(0, 3), lambdaMisfits),
  epochRow(
    'StepLR',
    { step_size: 3 },
    [...refuse('step_size', positiveInteger, 0, undefined, ...badCounts), ...refuse('gamma', real, ...badReals)],
    [...refuse('step_size', positiveInteger, 0), ...refuse('gamma', real, NaN)],
  ),
  epochRow(
    'MultiStepLR',
    { milestones: [3] },
    [...refuse('milestones', 'integers', undefined, 3, '3', [1.5], [null]), ...refuse('gamma', real, ...badReals)],
    refuse('milestones', 'an object of epochs and how often each comes', 3, { x: 1 }, { 3: 0 }),
  ),
  epochRow(
    'ConstantLR',
    {},
    [
      ...refuse('factor', 'a number in [0, 1]', -0.1, 1.1, NaN, '1', null),
      ...refuse('total_iters', count, ...badCounts),
    ],
    refuse('factor', 'a number in [0, 1]', 2),
  ),
  epochRow(
    'LinearLR',
    {},
    [
      ...refuse('start_factor', 'a number in (0, 1]', 0, -0.1, 1.1, NaN, '1'),
      ...refuse('end_factor', 'a number in [0, 1]', -0.1, 1.1, NaN, '1'),
      ...refuse('total_iters', count, ...badCounts),
    ],
    refuse('start_factor', 'a number in (0, 1]', 0),
  ),
  epochRow('ExponentialLR', { gamma: 0.9 }, refuse('gamma', real, undefined, ...badReals), refuse('gamma', real, NaN)),
  epochRow(
    'PolynomialLR',
    {},
    [
      ...refuse('total_iters', count, ...badCounts),
      ...refuse('power', real, ...badReals),
      [{ totalIters: 3 }, "unknown option 'totalIters'. Did you mean 'total_iters'?"],
    ],
    refuse('power', real, '1'),
  ),
  epochRow(
    'CosineAnnealingLR',
    { T_max: 5 },
    [...refuse('T_max', positiveInteger, 0, undefined, ...badCounts), ...refuse('eta_min', real, ...badReals)],
    refuse('T_max', positiveInteger, 0),
  ),
  epochRow(
    'CosineAnnealingWarmRestarts',
    { T_0: 5 },
    [
      ...refuse('T_0', positiveInteger, 0, undefined, ...badCounts),
      ...refuse('T_mult', positiveInteger, 0, ...badCounts),
      ...refuse('eta_min', real, ...badReals),
    ],
    [...refuse('T_i', positiveInteger, 0), ...refuse('T_cur', real, NaN)],
  ),
  row(
    'SequentialLR',
    [
      ...composedErrors.map(([options, message]) => [{ milestones: [2], ...options }, message] as [Options, string]),
      ...[undefined, [], 3, [1.5], [1, 2], ['1']].map(
        (milestones) =>
          [
            {
              milestones,
              schedulers: [
                ['ConstantLR', {}],
                ['ConstantLR', {}],
              ],
            },
            'milestones: expected 1 in order, one less than schedulers, each an integer, got',
          ] as [Options, string],
      ),
      [
        {
          milestones: [5, 3],
          schedulers: [
            ['ConstantLR', {}],
            ['ConstantLR', {}],
            ['ConstantLR', {}],
          ],
        },
        'milestones: expected 2 in order, one less than schedulers, each an integer, got [5, 3]',
      ],
    ],
    [...composedMisfits, ...refuse('_milestones', '1 in order, one less than schedulers, each an integer', 'x')],
  ),
  {
    ...row('ChainedScheduler', composedErrors, composedMisfits),
    make: (optimizer, options) =>
      new lr_scheduler.ChainedScheduler(resolve(options?.schedulers, optimizer) as Scheduler[], { optimizer }),
  },
  epochRow(
    'CyclicLR',
    { base_lr: 0.01, max_lr: 0.1 },
    [
      ...refuse('base_lr', values, undefined, ...badValues),
      ...refuse('max_lr', values, undefined, ...badValues),
      ...refuse('step_size_up', 'a finite number > 0', 0, -1, NaN, '3', null),
      ...refuse('step_size_down', 'a finite number >= 0 or null', -1, NaN, '3'),
      ...refuse('mode', "'triangular' or 'triangular2' or 'exp_range'", 'square', 3),
      ...refuse('gamma', real, ...badReals),
      ...refuse('scale_fn', 'a function or null', 3),
      [{ scale_fn: () => NaN }, 'scale_fn: expected it to return a finite number, got NaN'],
      ...refuse('scale_mode', "'cycle' or 'iterations'", 'steps'),
      ...refuse('cycle_momentum', 'a boolean', 1),
      ...refuse('base_momentum', values, ...badValues),
      ...refuse('max_momentum', values, ...badValues),
    ],
    [
      ...refuse('total_size', 'a finite number > 0', 0),
      ...refuse('max_lrs', `an array of 2, one a parameter group, each ${real}`, [0.1]),
    ],
  ),
  epochRow(
    'OneCycleLR',
    { max_lr: 0.1, total_steps: 10 },
    [
      ...refuse('max_lr', values, undefined, ...badValues),
      ...refuse('total_steps', 'an integer >= 1 or null', 0, -1, 1.5, NaN, '3'),
      ...refuse('epochs', 'an integer >= 1 or null', 0, -1, 1.5, NaN, '3'),
      ...refuse('steps_per_epoch', 'an integer >= 1 or null', 0, -1, 1.5, NaN, '3'),
      [{ total_steps: null }, 'total_steps: expected total_steps, or both epochs and steps_per_epoch, got neither'],
      [{ total_steps: null, epochs: 3 }, 'total_steps: expected total_steps, or both epochs and steps_per_epoch'],
      ...refuse('pct_start', 'a number in [0, 1]', -0.1, 1.1, NaN, '0.3'),
      ...refuse('anneal_strategy', "'cos' or 'linear'", 'sin', null),
      ...refuse('cycle_momentum', 'a boolean', 1),
      ...refuse('base_momentum', values, ...badValues),
      ...refuse('max_momentum', values, ...badValues),
      ...refuse('div_factor', 'a finite number > 0', 0, -1, NaN, '3'),
      ...refuse('final_div_factor', 'a finite number > 0', 0, -1, NaN, '3'),
      ...refuse('three_phase', 'a boolean', 1),
    ],
    [
      ...refuse('total_steps', positiveInteger, 0),
      ...refuse('_anneal_func_type', "'cos' or 'linear'", 'sin'),
      ...refuse('_schedule_phases', 'an array of phases', [], [null], [{ end_step: 1, start_lr: 'params' }]),
    ],
  ),
  row(
    'ReduceLROnPlateau',
    [
      ...refuse('mode', "'min' or 'max'", 'least', null),
      ...refuse('factor', 'a number < 1', 1, 1.5, NaN, '0.1'),
      ...refuse('patience', count, ...badCounts),
      ...refuse('threshold', real, ...badReals),
      ...refuse('threshold_mode', "'rel' or 'abs'", 'relative'),
      ...refuse('cooldown', count, ...badCounts),
      ...refuse('min_lr', values, ...badValues),
      ...refuse('eps', 'a finite number >= 0', -1, NaN, '0'),
      [{ Patience: 3 }, "unknown option 'Patience'. Did you mean 'patience'?"],
    ],
    [
      ...refuse('best', 'a number', null),
      ...refuse('mode', "'min' or 'max'", 'least'),
      ...refuse('num_bad_epochs', count, -1),
      ...refuse('min_lrs', 'an array of finite numbers', [NaN]),
    ],
    true,
  ),
  epochRow(
    'SWALR',
    { swa_lr: 0.1 },
    [
      ...refuse('swa_lr', values, undefined, ...badValues),
      ...refuse('anneal_epochs', count, ...badCounts),
      ...refuse('anneal_strategy', "'cos' or 'linear'", 'sin', null),
    ],
    [...refuse('anneal_epochs', count, -1), ...refuse('_anneal_strategy', "'cos' or 'linear'", 'sin')],
  ),
];
