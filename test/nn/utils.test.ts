import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn } = torch;
const { utils } = nn;

interface Golden {
  inputs: Record<string, { shape: number[]; values: number[] }>;
  clipping: { norm_type: number | string; total: number; grads: number[][] }[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/nn_modules.json', import.meta.url), 'utf8')) as Golden;

function parameterWith(grad: torch.Tensor): torch.nn.Parameter {
  const parameter = new nn.Parameter(torch.zeros_like(grad));
  parameter.grad = grad;
  return parameter;
}

/** The gradients of the table; the second is not contiguous. */
function parameters(dtype: torch.DType): torch.nn.Parameter[] {
  const [x, z, factors] = ['x', 'z', 'factors'].map((name) => {
    const { shape, values } = golden.inputs[name];
    return torch.tensor(values, { dtype }).reshape(shape);
  });
  return [x, z.t(), factors].map(parameterWith);
}

const flat = (t: torch.Tensor) => t.flatten().tolist() as number[];
const close = (values: number[], digits: number) => values.map((value) => expect.closeTo(value, digits) as number);

for (const [dtype, digits] of [
  [torch.float64, 12],
  [torch.float32, 5],
] as const) {
  test.each(golden.clipping)(`clip_grad_norm_ with norm_type $norm_type in ${dtype.name}`, (row) => {
    const norm_type = Number(row.norm_type);
    const list = parameters(dtype);
    const grads = list.map((p) => p.grad!);
    const versions = grads.map((grad) => grad._version);
    expect(Number(utils.get_total_norm(grads, { norm_type }).item()) / row.total).toBeCloseTo(1, digits);
    const total = utils.clip_grad_norm_(list, 1.5, { norm_type });
    expect([total.shape, total.dtype]).toEqual([[], dtype]);
    expect(Number(total.item()) / row.total).toBeCloseTo(1, digits);
    list.forEach((p, i) => {
      expect(p.grad).toBe(grads[i]);
      expect(flat(p.grad!)).toEqual(close(row.grads[i], digits));
      expect(p.grad!._version).toBeGreaterThan(versions[i]);
    });
  });
}

test('the norm is over all dtypes, and gradients below max_norm stay as they are', () => {
  const list = [parameterWith(torch.tensor([3])), parameterWith(torch.tensor([4], { dtype: torch.float64 }))];
  list.push(new nn.Parameter(torch.ones(2)));
  const total = utils.clip_grad_norm_(list, 10);
  expect([total.item(), total.dtype]).toEqual([5, torch.float64]);
  expect(list.map((p) => p.grad?.tolist())).toEqual([[3], [4], undefined]);
  utils.clip_grad_norm_(list, 1);
  expect(list[0].grad!.item()).toBeCloseTo(0.6, 6);
  expect(utils.clip_grad_norm_([], 1).item()).toBe(0);
  expect(utils.clip_grad_norm_(list[0], 1).item()).toBeCloseTo(0.6, 6);
});

test('error_if_nonfinite refuses to scale', () => {
  const list = [parameterWith(torch.tensor([Infinity, 1]))];
  expect(() => utils.clip_grad_norm_(list, 1, { error_if_nonfinite: true })).toThrow(
    'clip_grad_norm_: the total norm of order 2 for gradients from parameters is non-finite',
  );
  expect(list[0].grad!.tolist()).toEqual([Infinity, 1]);
  expect(utils.clip_grad_norm_(list, 1).item()).toBe(Infinity);
  expect(list[0].grad!.tolist()).toEqual([NaN, 0]);
});

test('clip_grads_with_norm_ scales by a given norm', () => {
  const list = [parameterWith(torch.tensor([2, 4]))];
  utils.clip_grads_with_norm_(list, 1, torch.tensor(4));
  expect(flat(list[0].grad!)).toEqual(close([0.5, 1], 6));
});

test('clip_grad_value_ clamps', () => {
  const list = parameters(torch.float64);
  const before = list.map((p) => flat(p.grad!));
  utils.clip_grad_value_(list, 0.5);
  list.forEach((p, i) => expect(flat(p.grad!)).toEqual(before[i].map((x) => Math.min(Math.max(x, -0.5), 0.5))));
});

test('parameters go into a vector and back', () => {
  const model = new nn.Linear(2, 2);
  const vector = utils.parameters_to_vector(model.parameters());
  expect(vector.tolist()).toEqual([...flat(model.weight), ...flat(model.bias!)]);
  vector.sum().backward();
  expect(model.bias!.grad!.tolist()).toEqual([1, 1]);
  const { weight } = model;
  utils.vector_to_parameters(torch.tensor([1, 2, 3, 4, 5, 6]), model.parameters());
  expect(model.weight).toBe(weight);
  expect([weight.tolist(), model.bias!.tolist(), weight.requires_grad]).toEqual([
    [
      [1, 2],
      [3, 4],
    ],
    [5, 6],
    true,
  ]);
});

test.each([
  [
    () => utils.clip_grad_norm_(1 as never, 1),
    TypeError,
    'clip_grad_norm_: parameters: expected a Tensor or an iterable',
  ],
  [() => utils.clip_grad_norm_([1] as never, 1), TypeError, 'got one of 1'],
  [() => utils.clip_grad_norm_([], '1' as never), TypeError, 'clip_grad_norm_: max_norm: expected a number, got "1"'],
  [() => utils.clip_grad_norm_([], 1, { norm: 2 } as never), TypeError, "unknown option 'norm'"],
  [() => utils.get_total_norm([torch.tensor([1n])]), TypeError, 'floating-point'],
  [() => utils.clip_grads_with_norm_([], 1, 1 as never), TypeError, 'total_norm: expected a Tensor'],
  [() => utils.clip_grad_value_([], null as never), TypeError, 'clip_value: expected a number, got null'],
  [() => utils.vector_to_parameters(torch.ones(1), [torch.ones(2)]), RangeError, 'expected a vector of 2 elements'],
  [() => utils.vector_to_parameters(torch.ones(1), [torch.ones(1).double()]), TypeError, 'dtype torch.float64'],
])('%s is refused', (act, type, message) => {
  expect(act).toThrow(type);
  expect(act).toThrow(message);
});
