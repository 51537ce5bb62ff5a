import { expect, test } from 'vitest';
import * as torch from 'cresset';

// How near float32's functions come to float64's, over all of their range.

const count = 20_000;
/** Numbers of either sign whose magnitudes have exponents of 2 evenly in a range. */
const spread = (from: number, to: number, sign = 1) =>
  Array.from({ length: count }, (_, i) => sign * 2 ** (from + ((to - from) * i) / count));
const even = (from: number, to: number) => Array.from({ length: count }, (_, i) => from + ((to - from) * i) / count);
const both = (from: number, to: number) => [...spread(from, to), ...spread(from, to, -1)];
/** Up to 1, with as many close to it as close to 0. */
const below1 = [...both(-30, -1), ...spread(-24, -1).flatMap((x) => [1 - x, x - 1])];

/** Within so many units in the last place; PyTorch's acosh is 2 off, its exp 0.57. Ours rounds twice where the result is denormal. */
const functions: [name: string, units: number, inputs: number[]][] = [
  ['exp', 0.8, [...even(-103, 88.7), ...both(-30, 0)]],
  ['exp2', 1.1, [...even(-149, 127.9), ...both(-30, 0)]],
  ['expm1', 0.6, [...even(-20, 88.7), ...both(-30, 0)]],
  ['log', 0.6, spread(-149, 127)],
  ['log2', 0.6, spread(-149, 127)],
  ['log10', 0.6, spread(-149, 127)],
  ['log1p', 0.6, [...spread(-30, 127), ...spread(-30, -0.001, -1)]],
  ['sin', 0.6, both(-30, 19)],
  ['cos', 0.6, both(-30, 19)],
  ['tan', 0.6, both(-30, 19)],
  ['asin', 0.6, below1],
  ['acos', 0.6, below1],
  ['atan', 0.6, both(-30, 127)],
  ['sinh', 0.6, both(-30, 6)],
  ['cosh', 0.6, both(-30, 6)],
  ['tanh', 0.6, both(-30, 6)],
  ['asinh', 0.6, both(-30, 127)],
  ['acosh', 0.6, [...spread(-23, 0).map((x) => 1 + x), ...spread(0, 127)]],
  ['atanh', 0.6, below1],
  ['erf', 0.6, both(-30, 3)],
  ['erfc', 0.6, both(-30, 3)],
  ['erfinv', 0.6, below1],
  // Below 0, digits get lost where the reflection takes one number from another.
  ['lgamma', 1, [...spread(-30, 120), ...even(-19.9987, -0.01)]],
  ['digamma', 1, [...spread(-30, 127), ...even(-19.9987, -0.01)]],
  ['sigmoid', 2.2, even(-80, 30)],
];

test.each(functions)('%s', (name, units, inputs) => {
  const f = torch[name as 'exp'];
  const x = torch.tensor(inputs);
  const got = f(x).double();
  const exact = f(x.double());
  const magnitude = exact.abs();
  const last = torch.exp2(magnitude.log2().floor().sub(23)).clamp({ min: 2 ** -149 });
  const error = got.sub(exact).abs().div(last);
  const worst = error.argmax().item() as number;
  expect(error.max().item(), `at ${inputs[worst]}`).toBeLessThan(units);
});
