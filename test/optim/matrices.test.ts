import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import type { AnyOptimizer } from './database.js';
import { combinations, type Options } from './options.js';

// Optimizers that treat matrices as such: their state, or what they take, has other shapes than the others'.

interface Case {
  options: Options;
  dtype: 'float32' | 'float64';
  /** After `split` steps: the parameters, the state by parameter, and (with float64) the groups. */
  middle: number[][];
  state: Record<string, Record<string, { shape: number[]; values: number[] }>>;
  groups?: Options[];
  /** The parameters at the end. */
  end: number[][];
}

interface Family {
  optimizer: 'Adafactor' | 'Muon';
  start: number[][];
  shapes: number[][];
  gradients: (number[] | null)[][];
  changes: { step: number; group: number; factor: number }[];
  printed: string;
  cases: Case[];
}

const golden: { split: number; families: Family[] } = JSON.parse(
  readFileSync(new URL('../golden/optim_matrices.json', import.meta.url), 'utf8'),
);
const { split } = golden;

/** What each refuses, and how far it may be from PyTorch's values: `bound` units (see expectClose) and `slack`. */
interface Row {
  invalid: [Options, string][];
  bound: number;
  slack?: (options: Options) => number;
}

const rows: Record<Family['optimizer'], Row> = {
  Adafactor: {
    invalid: [
      [{ lr: -1 }, 'Adafactor: lr: expected a number >= 0, got -1'],
      [{ lr: NaN }, 'Adafactor: lr: expected a number >= 0, got NaN'],
      [{ beta2_decay: 0.8 }, 'Adafactor: beta2_decay: expected a number <= 0, got 0.8'],
      [{ eps: [-1, 1e-3] }, 'Adafactor: eps: expected null or a number >= 0, and a number >= 0, got [-1, 0.001]'],
      [{ eps: [null, null] }, 'Adafactor: eps: expected null or a number >= 0, and a number >= 0, got [null, null]'],
      [{ eps: 1e-3 }, 'Adafactor: eps: expected null or a number >= 0, and a number >= 0, got 0.001'],
      [{ d: 0.5 }, 'Adafactor: d: expected a number >= 1, got 0.5'],
      [{ weight_decay: NaN }, 'Adafactor: weight_decay: expected a number >= 0, got NaN'],
      [{ maximize: 1 }, 'Adafactor: maximize: expected a boolean, got 1'],
      [{ beta2Decay: -1 }, "Adafactor: unknown option 'beta2Decay'. Did you mean 'beta2_decay'?"],
      [{ differentiable: true }, "Adafactor: unknown option 'differentiable'"],
    ],
    bound: 12,
  },
  Muon: {
    invalid: [
      [{ lr: -1 }, 'Muon: lr: expected a number >= 0, got -1'],
      [{ lr: torch.ones(2) }, 'Muon: lr: expected a number >= 0, got a tensor'],
      [{ weight_decay: -0.1 }, 'Muon: weight_decay: expected a number >= 0, got -0.1'],
      [{ momentum: NaN }, 'Muon: momentum: expected a number >= 0, got NaN'],
      [{ nesterov: null }, 'Muon: nesterov: expected a boolean, got null'],
      [{ ns_coefficients: [1, 2] }, 'Muon: ns_coefficients: expected three finite numbers, got [1, 2]'],
      [{ ns_coefficients: [1, 2, NaN] }, 'Muon: ns_coefficients: expected three finite numbers, got [1, 2, NaN]'],
      [{ eps: '0' }, 'Muon: eps: expected a finite number, got "0"'],
      [{ ns_steps: 100 }, 'Muon: ns_steps: expected an integer from 0 to 99, got 100'],
      [{ ns_steps: 2.5 }, 'Muon: ns_steps: expected an integer from 0 to 99, got 2.5'],
      [{ adjust_lr_fn: 'adam' }, `Muon: adjust_lr_fn: expected 'original', 'match_rms_adamw' or null, got "adam"`],
      [{ nsSteps: 3 }, "Muon: unknown option 'nsSteps'. Did you mean 'ns_steps'?"],
    ],
    bound: 12,
    // Sums of float32 added in another order may come to lie on the other side of a half, and bfloat16 then differs by a
    // unit, which in the elements of a step that are above lr is 2^-7 of it.
    slack: ({ lr = 1e-3 }) => lr * 2 ** -8,
  },
};

// The worst deviation of each optimizer, in these units; CRESSET_DEVIATIONS=1 prints them.
const worst: Record<string, Record<string, number>> = {};
afterAll(() => {
  if (process.env.CRESSET_DEVIATIONS) console.table(worst);
});

type Named = Record<string, torch.Tensor>;
const elements = (t: torch.Tensor): number[] => [...(t.toTypedArray() as Float64Array)];

describe.each(golden.families)('$optimizer', ({ optimizer: name, ...family }) => {
  const { start, shapes, gradients, changes, cases } = family;
  const { bound, invalid, slack } = rows[name];
  /** Each value of an option alone. */
  const simple = cases.filter(({ options }) => Object.keys(options).length < 2);
  const make = (params: unknown, options?: Options): AnyOptimizer =>
    new torch.optim[name](params as torch.Tensor[], options);
  const parameters = (values = start, dtype: torch.DType = torch.float64): torch.Tensor[] =>
    values.map((v, i) => torch.tensor(v, { dtype }).reshape(shapes[i]).clone().requires_grad_());
  const grouped = (params: torch.Tensor[], options: Options): AnyOptimizer => {
    const optimizer = make([{ params: params.slice(0, -1) }, { params: params.slice(-1) }], options);
    optimizer.param_groups[1].lr /= 3;
    return optimizer;
  };
  const tensors = Object.fromEntries(
    (['float32', 'float64'] as const).map((dtype) => [
      dtype,
      gradients.map((grads) => grads.map((v, i) => v && torch.tensor(v, { dtype: torch[dtype] }).reshape(shapes[i]))),
    ]),
  );
  const largest = new Map<torch.Tensor, number[]>();
  worst[name] = {};
  const run = (optimizer: AnyOptimizer, params: torch.Tensor[], first = 0, last = split): void => {
    for (let step = first; step < last; step++) {
      for (const change of changes) if (change.step === step) optimizer.param_groups[change.group].lr *= change.factor;
      params.forEach((p, i) => {
        p.grad = tensors[p.dtype.name][step][i];
      });
      optimizer.step();
      for (const p of params) {
        if (!largest.has(p)) largest.set(p, elements(p).map(Math.abs));
        const before = largest.get(p)!;
        elements(p).forEach((x, k) => (before[k] = Math.max(before[k], Math.abs(x))));
      }
    }
  };
  /** Within `bound` times the dtype's epsilon of the largest that the element has been. */
  const expectClose = (tensor: torch.Tensor, expected: number[], what: string, options: Options): void => {
    const eps = tensor.dtype === torch.float32 ? 2 ** -23 : 2 ** -52;
    elements(tensor).forEach((x, k) => {
      const unit = eps * Math.max(Math.abs(expected[k]), largest.get(tensor)?.[k] ?? 0);
      const deviation = x === expected[k] ? 0 : Math.max(0, Math.abs(x - expected[k]) - (slack?.(options) ?? 0)) / unit;
      worst[name][tensor.dtype.name] = Math.max(worst[name][tensor.dtype.name] ?? 0, deviation);
      if (!(deviation <= bound)) {
        expect.fail(`${what}[${k}]: ${x} instead of ${expected[k]}: ${deviation.toFixed(1)} units`);
      }
    });
  };
  const expectParams = (params: torch.Tensor[], expected: number[][], options: Options): void =>
    params.forEach((p, i) => expectClose(p, expected[i], `param ${i}`, options));

  test('the golden file has every valid combination', () => {
    expect(cases.map((c) => c.options)).toEqual(combinations(name).flatMap((options) => [options, options]));
  });

  test.each(cases)('follows PyTorch: $options $dtype', ({ options, dtype, middle, state, groups, end }) => {
    const params = parameters(start, torch[dtype]);
    const optimizer = grouped(params, options);
    run(optimizer, params);
    expectParams(params, middle, options);
    const dict = optimizer.state_dict();
    expect(Object.keys(dict.state)).toEqual(Object.keys(state));
    for (const [id, own] of Object.entries(state)) {
      const ours = dict.state[Number(id)] as Named;
      expect(Object.keys(ours).sort()).toEqual(Object.keys(own).sort());
      for (const [key, { shape, values }] of Object.entries(own)) {
        expect(ours[key].shape).toEqual(shape);
        expect(ours[key].dtype).toBe(key === 'step' ? torch.float32 : torch[dtype]);
        expectClose(ours[key], values, `${key} ${id}`, options);
      }
    }
    if (groups) expect(dict.param_groups).toEqual(groups);
    run(optimizer, params, split, gradients.length);
    expectParams(params, end, options);
  });

  test.each(simple.filter((c) => c.groups))("continues from PyTorch's state: $options", (c) => {
    const params = parameters(c.middle);
    const optimizer = grouped(params, {});
    const state = Object.fromEntries(
      Object.entries(c.state).map(([id, own]) => {
        const entries = Object.entries(own).map(
          ([key, { shape, values }]) => [key, torch.tensor(values, { dtype: torch.float64 }).reshape(shape)] as const,
        );
        return [id, Object.fromEntries(entries)];
      }),
    );
    optimizer.load_state_dict({ state, param_groups: c.groups as never });
    run(optimizer, params, split, gradients.length);
    expectParams(params, c.end, c.options);
  });

  test.each(simple)('a run stopped after any step continues bit for bit: $options $dtype', ({ options, dtype }) => {
    const params = parameters(start, torch[dtype]);
    const optimizer = grouped(params, options);
    const other = params.map((p) => p.detach().clone().requires_grad_());
    for (let step = 0; step < split; step++) {
      const resumed = grouped(other, {});
      resumed.load_state_dict(optimizer.state_dict());
      run(resumed, other, step, step + 1);
      run(optimizer, params, step, step + 1);
      expect(other.map(elements)).toEqual(params.map(elements));
    }
  });

  test('refuses bad options, and a group that has them', () => {
    for (const [options, message] of invalid) {
      expect(() => make(parameters(), options)).toThrow(message);
      const optimizer = make(parameters());
      expect(() => optimizer.add_param_group({ params: [torch.zeros(1, 1)], ...options })).toThrow(message);
      expect(optimizer.param_groups).toHaveLength(1);
    }
  });

  test('refuses options, gradients and state that do not fit, and changes nothing', () => {
    const params = parameters();
    const optimizer = grouped(params, {});
    run(optimizer, params);
    const before = params.map(elements);
    const [first] = optimizer.param_groups;
    const last = params.at(-1)!;
    const { lr } = optimizer.param_groups[1];
    optimizer.param_groups[1].lr = 'fast';
    expect(() => optimizer.step()).toThrow('step: lr: expected a number or a tensor of one element, got "fast"');
    optimizer.param_groups[1].lr = lr;
    const state = optimizer.state.get(last) as Named;
    const slot = Object.keys(state).find((key) => state[key].dim() > 0)!;
    const { shape } = state[slot];
    const dict = optimizer.state_dict();
    const id = params.length - 1;
    const broken = { ...dict, state: { ...dict.state, [id]: { ...state, [slot]: torch.zeros(7) } } };
    expect(() => optimizer.load_state_dict(broken)).toThrow(
      `load_state_dict: state[${id}].${slot}: expected a tensor of shape [${shape.join(', ')}], got a tensor of shape [7]`,
    );
    state[slot] = torch.zeros(7);
    expect(() => optimizer.step()).toThrow(`step: state ${slot}: expected a tensor of shape [${shape.join(', ')}]`);
    last.grad = torch.zeros_like(last);
    last.grad.data = torch.zeros(9).double();
    expect(() => optimizer.step()).toThrow("step: grad: expected a tensor of the parameter's shape");
    expect(params.map(elements)).toEqual(before);
    expect(optimizer.param_groups[0]).toBe(first);
  });

  test('parameters and gradients of any layout, and empty ones', () => {
    const strided = (t: torch.Tensor): torch.Tensor =>
      t.dim() < 2 ? t : t.transpose(-1, -2).contiguous().transpose(-1, -2);
    const [plain, other] = [parameters(), parameters().map((p) => strided(p.detach()).requires_grad_())];
    const [a, b] = [make(plain), make(other)];
    for (let step = 0; step < split; step++) {
      gradients[step].forEach((values, i) => {
        plain[i].grad = values && torch.tensor(values, { dtype: torch.float64 }).reshape(shapes[i]);
        other[i].grad = plain[i].grad && strided(plain[i].grad);
      });
      a.step();
      b.step();
    }
    other.forEach((p, i) => expectClose(p, elements(plain[i]), `param ${i}`, {}));
    const empty = torch.zeros(0, 3, { requires_grad: true });
    empty.grad = torch.zeros(0, 3);
    make([empty]).step();
  });

  test('prints as PyTorch does', () => {
    // A JavaScript number does not tell 1.0 from 1.
    expect(String(make([torch.zeros(1, 1)]))).toBe(family.printed.replace(/\.0$/gm, ''));
  });
});

test('Muon takes matrices only, and refuses a group with another parameter', () => {
  const { Muon } = torch.optim;
  const p = torch.zeros(2, 3, { requires_grad: true });
  const message = 'Muon: params: Muon only supports 2D parameters, got a tensor of shape [3]';
  expect(() => new Muon([p, torch.zeros(3)])).toThrow(message);
  const optimizer = new Muon([p]);
  expect(() => optimizer.add_param_group({ params: [torch.zeros(3)] })).toThrow(message);
  expect(optimizer.param_groups).toHaveLength(1);
});
