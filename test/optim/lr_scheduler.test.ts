import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import * as torch from 'cresset';

const { optim } = torch;
const { lr_scheduler } = optim;

interface Schedule {
  scheduler: 'StepLR';
  options: torch.optim.lr_scheduler.StepLROptions;
  steps: (number | null)[];
  rates: number[][];
  state: Record<string, unknown>;
}

const { schedules } = JSON.parse(readFileSync(new URL('../golden/optim.json', import.meta.url), 'utf8')) as {
  schedules: Schedule[];
};

const sgd = (lr: number | torch.Tensor = 0.5) =>
  new optim.SGD([{ params: [torch.zeros(1)], lr }, { params: [torch.zeros(1)] }], { lr: 0.02 });

const expectRates = (actual: unknown, expected: number[]) =>
  (actual as number[]).forEach((rate, i) => expect(Math.abs(rate - expected[i])).toBeLessThanOrEqual(1e-15));

afterEach(() => vi.restoreAllMocks());

test.each(schedules)('$scheduler $options, epochs $steps', ({ scheduler: name, options, steps, rates, state }) => {
  const optimizer = sgd();
  const scheduler = new lr_scheduler[name](optimizer, options);
  expectRates(scheduler.get_last_lr(), rates[0]);
  steps.forEach((epoch, i) => {
    optimizer.step();
    scheduler.step(epoch);
    expectRates(scheduler.get_last_lr(), rates[i + 1]);
    expectRates(
      optimizer.param_groups.map((group) => group.lr),
      rates[i + 1],
    );
  });
  const { base_lrs, _last_lr, ...rest } = scheduler.state_dict();
  const { base_lrs: expectedBase, _last_lr: expectedLast, ...expectedRest } = state;
  expect(rest).toEqual(expectedRest);
  expectRates(base_lrs, expectedBase as number[]);
  expectRates(_last_lr, expectedLast as number[]);
});

test('a state dict continues', () => {
  const [a, b] = [sgd(), sgd()];
  const first = new lr_scheduler.StepLR(a, { step_size: 2, gamma: 0.5 });
  for (let i = 0; i < 3; i++) {
    a.step();
    first.step();
  }
  const second = new lr_scheduler.StepLR(b, { step_size: 7 });
  second.load_state_dict(first.state_dict());
  b.load_state_dict(a.state_dict());
  a.step();
  b.step();
  first.step();
  second.step();
  expect(second.get_last_lr()).toEqual([0.125, 0.005]);
  expect(second.state_dict()).toEqual(first.state_dict());
});

test('goes on from last_epoch where groups know their initial_lr', () => {
  const optimizer = sgd();
  expect(() => new lr_scheduler.StepLR(optimizer, { step_size: 2, last_epoch: 3 })).toThrow(
    "param 'initial_lr' is not specified in param_groups[0]",
  );
  optimizer.param_groups.forEach((group) => (group.initial_lr = 1));
  const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 2, gamma: 0.5, last_epoch: 3 });
  expect(scheduler.last_epoch).toBe(4);
  expect(scheduler.get_last_lr()).toEqual([0.25, 0.01]);
  expect(scheduler.base_lrs).toEqual([1, 1]);
});

test('a learning rate that is a tensor is written to', () => {
  const lr = torch.tensor(0.5, { dtype: torch.float64 });
  const optimizer = sgd(lr);
  const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 1, gamma: 0.5 });
  optimizer.step();
  scheduler.step();
  expect(optimizer.param_groups[0].lr).toBe(lr);
  expect(lr.item()).toBe(0.25);
});

test('warns once of a step before the first of the optimizer', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const optimizer = sgd();
  const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 1 });
  scheduler.step();
  scheduler.step();
  expect(warn.mock.calls).toEqual([[expect.stringContaining('`lr_scheduler.step()` before `optimizer.step()`')]]);
  scheduler.get_lr();
  expect(warn).toHaveBeenLastCalledWith(expect.stringContaining('please use `get_last_lr()`'));
});

test('refuses what is no optimizer, option or state', () => {
  const optimizer = sgd();
  const make = (options: unknown) => () => new lr_scheduler.StepLR(optimizer, options as never);
  expect(() => new lr_scheduler.StepLR({} as never, { step_size: 1 })).toThrow(
    'StepLR: optimizer: expected an Optimizer, got an object of class Object',
  );
  for (const step_size of [0, -3, 1.5, NaN, '3', undefined]) {
    expect(make({ step_size })).toThrow('StepLR: step_size: expected a positive integer, got');
  }
  expect(make({ step_size: 3, gamma: NaN })).toThrow('StepLR: gamma: expected a finite number, got NaN');
  expect(make({ step_size: 3, last_epoch: -2 })).toThrow('StepLR: last_epoch: expected an integer >= -1, got -2');
  expect(make({ stepSize: 3 })).toThrow("StepLR: unknown option 'stepSize'. Did you mean 'step_size'?");
  const scheduler = new lr_scheduler.StepLR(optimizer, { step_size: 3 });
  const before = scheduler.state_dict();
  expect(() => scheduler.step(1.5)).toThrow('step: epoch: expected an integer, got 1.5');
  for (const [state, message] of [
    [null, 'load_state_dict: state_dict: expected an object, got null'],
    [{ last_epoch: 2, T_max: 3 }, 'load_state_dict: state_dict: StepLR has no "T_max"'],
    [{ last_epoch: 2, gamma: 'x' }, 'load_state_dict: gamma: expected one like 0.1, got "x"'],
    [{ last_epoch: NaN }, 'load_state_dict: last_epoch: expected one like 0, got NaN'],
    [{ base_lrs: [1, 'x'] }, 'load_state_dict: base_lrs: expected one like [0.5, 0.02], got [1, "x"]'],
    [{ last_epoch: 2, step_size: 0.5 }, 'StepLR: step_size: expected a positive integer, got 0.5'],
    [{ last_epoch: 2, base_lrs: [1] }, 'load_state_dict: base_lrs: expected 2 of them'],
  ] as const) {
    expect(() => scheduler.load_state_dict(state as never)).toThrow(message);
  }
  expect(scheduler.state_dict()).toEqual(before);
});
