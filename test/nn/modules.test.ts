import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn } = torch;
type Numbers = number[];

interface Case {
  module: string;
  args: unknown[];
  options: Record<string, unknown>;
  inputs: string[];
  printed: string;
  state: Record<string, Numbers>;
  shape: number[];
  train?: Numbers;
  eval: Numbers;
  grads: Record<string, Numbers | null>;
}

interface Golden {
  inputs: Record<string, { shape: number[]; integer: boolean; values: Numbers }>;
  cases: Case[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/nn_modules.json', import.meta.url), 'utf8')) as Golden;

const classes = nn as unknown as Record<string, new (...args: unknown[]) => torch.nn.Module>;

function resolve(value: unknown, leaves?: Record<string, torch.Tensor>): unknown {
  if (typeof value !== 'string' || !value.startsWith('@')) return value;
  const { shape, integer, values } = golden.inputs[value.slice(1)];
  const t = torch.tensor(values, { dtype: integer ? torch.int64 : torch.float64 }).reshape(shape);
  if (leaves === undefined || integer) return t;
  leaves[value.slice(1)] = t.requires_grad_();
  return t.clone();
}

function make({ module, args, options }: Case): torch.nn.Module {
  const given = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, resolve(value)]));
  torch.manual_seed(0);
  return new classes[module](...args, ...(Object.keys(given).length > 0 ? [given] : []));
}

function flat(t: torch.Tensor): Numbers {
  return t.detach().flatten().tolist() as Numbers;
}

function near(got: torch.Tensor, expected: Numbers, what: string, digits = 12): void {
  const values = flat(got);
  expect(values.length, what).toBe(expected.length);
  values.forEach((value, i) => {
    if (!Object.is(value, expected[i])) expect(value, `${what}[${i}]`).toBeCloseTo(expected[i], digits);
  });
}

function seeded(t: torch.Tensor): torch.Tensor {
  const values = Array.from({ length: t.numel() }, (_, i) => ((i * 7) % 5) / 2 - 0.75);
  return torch.tensor(values, { dtype: t.dtype }).reshape(t.shape);
}

const rows = golden.cases.map((row) => ({
  ...row,
  title: `${row.module}(${JSON.stringify([row.args, row.options])})`,
}));

describe.each(rows)('$title', (row) => {
  test("prints, holds and computes what PyTorch's does", () => {
    const module = make(row);
    expect(String(module)).toBe(row.printed);
    const state = module.state_dict();
    expect(Object.keys(state)).toEqual(Object.keys(row.state));
    for (const [key, values] of Object.entries(row.state)) expect(flat(state[key]), key).toEqual(values);
    if (row.train === undefined) return;

    expect(module.double()).toBe(module);
    // PyTorch's gradient of hardsigmoid is a sixth rounded to float32, whatever the dtype.
    const digits = row.module === 'Hardsigmoid' ? 7 : 12;
    const leaves: Record<string, torch.Tensor> = {};
    const out = module.forward(...row.inputs.map((input) => resolve(input, leaves))) as torch.Tensor;
    expect(out.shape).toEqual(row.shape);
    near(out, row.train, 'output');
    if (out.requires_grad) out.mul(seeded(out)).sum().backward();
    const grads: Record<string, torch.Tensor> = { ...leaves, ...Object.fromEntries(module.named_parameters()) };
    expect(Object.keys(grads).sort()).toEqual(Object.keys(row.grads).sort());
    for (const [key, expected] of Object.entries(row.grads)) {
      if (expected === null) expect(grads[key].grad, key).toBeNull();
      else near(grads[key].grad!, expected, `gradient of ${key}`, digits);
    }
    near(
      module.eval().forward(...row.inputs.map((input) => resolve(input))) as torch.Tensor,
      row.eval,
      'output of evaluation',
    );
  });

  test('has a state that goes into another one', () => {
    const module = make(row);
    torch.manual_seed(1);
    const other = make(row);
    const { missing_keys, unexpected_keys } = other.load_state_dict(module.state_dict());
    expect([missing_keys, unexpected_keys]).toEqual([[], []]);
    for (const [key, values] of Object.entries(row.state)) expect(flat(other.state_dict()[key]), key).toEqual(values);
  });

  test('refuses options it does not have', () => {
    if (['Identity', 'Unflatten'].includes(row.module)) return;
    const none = ['Sigmoid', 'Tanh', 'Softsign', 'Tanhshrink', 'LogSigmoid', 'Softmax2d'];
    if (none.includes(row.module)) return;
    expect(() => new classes[row.module](...row.args, { nonsense: 1 })).toThrow(/unknown option 'nonsense'/);
  });
});

test.each([
  [() => new nn.Linear(-1, 2), RangeError, 'Linear: in_features: expected an integer of at least 0, got -1'],
  [() => new nn.Linear('2' as never, 2), TypeError, 'Linear: in_features: expected an integer of at least 0, got "2"'],
  [() => new nn.Linear(2, 1.5), RangeError, 'Linear: out_features: expected an integer of at least 0, got 1.5'],
  [() => new nn.Linear(2, 2, { dtype: torch.int64 }), Error, /floating-point/],
  [() => new nn.Bilinear(0, 2, 2), RangeError, 'Bilinear: in1_features: expected an integer of at least 1, got 0'],
  [() => new nn.Dropout({ p: 1.5 }), RangeError, 'Dropout: p: expected a probability between 0 and 1, got 1.5'],
  [() => new nn.Embedding(3, 2, { padding_idx: 3 }), RangeError, /Embedding: padding_idx: expected a row of 3/],
  [() => new nn.Embedding(3, 2, { _weight: torch.ones(2, 2) }), RangeError, /_weight: expected shape \[3, 2\]/],
  [() => nn.Embedding.from_pretrained(torch.ones(2)), RangeError, /embeddings: expected 2 dimensions/],
  [() => new nn.LayerNorm([2, -1]), RangeError, /LayerNorm: normalized_shape/],
  [() => new nn.LayerNorm([]), TypeError, 'LayerNorm: normalized_shape: expected a size or several, got []'],
  [() => new nn.RMSNorm(true as never), TypeError, 'RMSNorm: normalized_shape: expected a size or several, got true'],
  [() => new nn.LayerNorm(2, { eps: '1' as never }), TypeError, 'LayerNorm: eps: expected a number, got "1"'],
  [() => new nn.Linear(2, 2, { bias: 0 as never }), TypeError, 'Linear: bias: expected a boolean, got 0'],
  [() => new nn.ReLU({ inplace: null as never }), TypeError, 'ReLU: inplace: expected a boolean, got null'],
  [() => new nn.Hardtanh({ min_val: 1, max_val: 1 }), RangeError, /Hardtanh: max_val: expected a number above min_val/],
  [() => new nn.Unflatten(1, 4 as never), TypeError, /unflattened_size: expected an array of integers, got 4/],
  [() => new nn.MSELoss({ reduction: 'avg' as never }), RangeError, /MSELoss: reduction: expected one of/],
  [
    () => new nn.CrossEntropyLoss({ weight: 1 as never }),
    TypeError,
    'CrossEntropyLoss: weight: expected a Tensor or null, got 1',
  ],
  [() => new nn.Softmax2d().forward(torch.ones(2, 2)), RangeError, /Softmax2d: input: expected 3 or 4 dimensions/],
  [() => new nn.Linear(3, 2).forward(torch.ones(2, 2)), RangeError, /linear: input: expected \[\.\.\., 3\]/],
])('%s is refused', (make, type, message) => {
  expect(make).toThrow(type);
  expect(make).toThrow(message);
});

test('Embedding.from_pretrained shares the vectors and keeps them from learning', () => {
  const vectors = torch.tensor([
    [1, 2],
    [3, 4],
  ]);
  const frozen = nn.Embedding.from_pretrained(vectors);
  expect(frozen.weight.requires_grad).toBe(false);
  vectors.mul_(2);
  expect(frozen.forward(torch.tensor([1n])).tolist()).toEqual([[6, 8]]);
  expect(nn.Embedding.from_pretrained(vectors, { freeze: false }).weight.requires_grad).toBe(true);
});
