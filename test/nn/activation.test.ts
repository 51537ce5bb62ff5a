import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

type Numbers = (number | string)[];
type Activation = (x: torch.Tensor, ...rest: unknown[]) => torch.Tensor;

const golden: {
  edges: Numbers;
  cases: { f: string; options: object; out: Numbers; grad: Numbers }[];
} = JSON.parse(readFileSync(new URL('../golden/activations.json', import.meta.url), 'utf8'));
const F = torch.nn.functional;
const functions = F as unknown as Record<string, Activation>;
const { float32, float64 } = torch;

/** As many in a row as the golden values had: a whole vector of any instruction set. */
const repeats = 16;

function numbers(values: Numbers): number[] {
  return values.map((x) => (x === 'nan' ? NaN : x === 'inf' ? Infinity : x === '-inf' ? -Infinity : Number(x)));
}

function apply(f: string, options: object, x: torch.Tensor): torch.Tensor {
  if (!f.endsWith('_loss')) return functions[f](x, options);
  return functions[f](x, torch.zeros_like(x), { reduction: 'none', ...options });
}

/** Those whose last steps subtract from 1. */
const subtracting = ['sigmoid', 'tanh', 'gelu', 'silu', 'mish'];

/** Checks values against expected ones, by their difference to them, or to 1 where digits cancel out. */
function near(f: string, got: torch.Tensor, expected: readonly number[], tolerance: number, what: string): void {
  const least = subtracting.includes(f) ? 1 : got.dtype === float32 ? 2 ** -126 : 2 ** -1022;
  const values = got.detach().flatten().tolist() as number[];
  expect(values.length).toBe(expected.length);
  values.forEach((value, i) => {
    const message = `${what} at ${golden.edges[Math.floor(i / repeats)]}`;
    const scale = Math.max(Math.abs(expected[i]), least);
    if (Number.isFinite(expected[i])) expect(Math.abs(value - expected[i]) / scale, message).toBeLessThan(tolerance);
    else expect(value, message).toBe(expected[i]);
  });
}

const repeated = (values: number[]) => values.flatMap((x) => new Array<number>(repeats).fill(x));

describe.each([
  [float32, 2 ** -21],
  [float64, 2 ** -49],
])('%s', (dtype, tolerance) => {
  test.each(golden.cases)('$f at its edges', ({ f, options, out, grad }) => {
    const edges = numbers(golden.edges);
    const x = torch.tensor(repeated(edges), { dtype, requires_grad: true });
    const y = apply(f, options, x);
    y.backward(torch.full_like(y, -0.75));
    near(f, y, repeated(numbers(out)), tolerance, 'value');
    const expected = numbers(grad);
    // Where PyTorch has infinity times 0.
    if (f === 'mish') expected[edges.indexOf(Infinity)] = -0.75;
    // Its sixth is a float32's.
    if (f === 'hardsigmoid') expected.forEach((x, i) => (expected[i] = x === 0 ? 0 : -0.125));
    near(f, x.grad!, repeated(expected), tolerance, 'gradient');
  });
});

test.each(golden.cases)('$f in float32 is what it is in float64, but for the last digits', ({ f, options }) => {
  torch.manual_seed(3);
  const wide = torch.cat([torch.randn(2000), torch.randn(2000).mul(8), torch.randn(2000).mul(0.01)]);
  const results = [float32, float64].map((dtype) => {
    const x = wide.to(dtype, { copy: true }).requires_grad_();
    const y = apply(f, options, x);
    y.backward(torch.ones_like(y));
    return { y, grad: x.grad! };
  });
  // Units of rounding of the value, or of 1 where that is smaller; silu's slope has x times what it subtracts from 1.
  for (const key of ['y', 'grad'] as const) {
    const [a, b] = results.map((result) => result[key].detach().double());
    const error = a
      .sub(b)
      .abs()
      .div(b.abs().clamp({ min: 1 }))
      .max()
      .item() as number;
    expect(error * 2 ** 24, key).toBeLessThan(f === 'silu' ? 32 : 8);
  }
});

const inplace: [string, (x: torch.Tensor, inplace: boolean) => torch.Tensor][] = [
  ['relu', (x, inplace) => F.relu(x, { inplace })],
  ['relu6', (x, inplace) => F.relu6(x, { inplace })],
  ['elu', (x, inplace) => F.elu(x, { inplace })],
  ['selu', (x, inplace) => F.selu(x, { inplace })],
  ['celu', (x, inplace) => F.celu(x, { inplace })],
  ['silu', (x, inplace) => F.silu(x, { inplace })],
  ['mish', (x, inplace) => F.mish(x, { inplace })],
  ['leaky_relu', (x, inplace) => F.leaky_relu(x, { inplace })],
  ['hardtanh', (x, inplace) => F.hardtanh(x, { inplace })],
  ['hardsigmoid', (x, inplace) => F.hardsigmoid(x, { inplace })],
  ['hardswish', (x, inplace) => F.hardswish(x, { inplace })],
  ['threshold', (x, inplace) => F.threshold(x, 0.5, -1, { inplace })],
];
test.each(inplace)('%s in place is the same function of the same tensor', (_, f) => {
  torch.manual_seed(2);
  const [values, weights] = [0, 1].map(() => torch.randn(5, 40, { dtype: float64 }).mul(3));
  const results = [false, true].map((inplace) => {
    const leaf = values.clone().requires_grad_();
    const x = leaf.mul(1);
    const y = f(x, inplace);
    expect(y === x).toBe(inplace);
    y.backward(weights);
    return [y.tolist(), leaf.grad!.tolist()];
  });
  expect(results[1]).toEqual(results[0]);
  const plain = values.clone();
  f(plain, true);
  expect(plain.tolist()).toEqual(results[0][0]);
});
