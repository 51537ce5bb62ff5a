import { callStrided, pointwise1 } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { record, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { bool, int64 } from '../tensor/dtype.js';
import * as fill from '../tensor/distributions.js';
import { default_generator, Generator } from '../tensor/generator.js';
import { allocate, checkTensor, describe, memoryOf, stridesOf, Tensor } from '../tensor/tensor.js';
import { div } from './arithmetic.js';
import { lt } from './comparison.js';
import { clone, contiguous } from './convert.js';
import { zeros, zeros_like } from './creation.js';
import { allocateLike, writeInPlace } from './elementwise.js';
import { amax, amin } from './extrema.js';
import { broadcastDims, sameDims } from './shape.js';
import { topk } from './sorting.js';
import { expand, permute } from './view.js';

// Drawing into a tensor, and from the probabilities a tensor holds. In what order and from which bits is PyTorch's rule,
// so that a seed gives PyTorch's numbers: see tensor/distributions.ts.

/** Draws into a contiguous tensor; `whole` unless that is a copy in which PyTorch would draw number by number. */
type Draw = (gen: Generator, out: Tensor, whole: boolean) => void;

/** Draws integers: see {@link fill.Range}. */
function drawIntegers(gen: Generator, out: Tensor, { from, range, words }: fill.Range): void {
  const halves = [from, range].flatMap((value) => [Number(value >> 32n), Number(BigInt.asUintN(32, value))]);
  gen.draw(K.random, out, [...halves, words]);
}

/** The generator to draw from. @throws TypeError for what is none. */
function readGenerator(name: string, generator: unknown): Generator {
  if (generator === null) return default_generator;
  if (generator instanceof Generator) return generator;
  throw new TypeError(`${name}: generator: expected a torch.Generator, got ${describe(generator)}`);
}

/** The dimensions in the order in which they lie in memory, the farthest steps first. */
function memoryOrder(t: Tensor): number[] {
  const strides = stridesOf(t);
  return t._dims.map((_, i) => i).sort((i, j) => strides[j] - strides[i]);
}

/** Draws every element, in the order of memory. */
function drawInto(t: Tensor, gen: Generator, draw: Draw): void {
  if (t._strides === null) return draw(gen, t, true);
  const target = permute(t.detach(), memoryOrder(t));
  const buffer = allocate(target._dims, t._dtype);
  draw(gen, buffer, false);
  pointwise1(K.copy, target, buffer);
}

/** Makes the op of a function that overwrites its input: nothing flows back. */
function overwriting(name: string): Op {
  return { name, backward: (g) => zeros_like(g) };
}

function fillInPlace(name: string, op: Op, t: Tensor, generator: Generator | null, draw: Draw): Tensor {
  checkTensor(name, 'input', t);
  const gen = readGenerator(name, generator);
  return writeInPlace(
    name,
    t,
    [],
    (out) => drawInto(out, gen, draw),
    (before) => {
      drawInto(t, gen, draw);
      return record(op, clone(t.detach()), [before]);
    },
  );
}

function checkFloat(name: string, t: Tensor): void {
  checkTensor(name, 'input', t);
  if (!t._dtype.is_floating_point) throw new TypeError(`${name}: not implemented for dtype ${t._dtype.name}`);
}

/** The arguments of a function that PyTorch lets be given by place or by name: leading numbers, then options. */
function readArguments<T extends object>(
  complete: (given?: Partial<T>) => T,
  names: readonly (keyof T)[],
  given: readonly unknown[],
): T {
  const last = given[given.length - 1];
  const named = typeof last === 'object' && last !== null ? (last as Partial<T>) : undefined;
  const placed: Partial<T> = {};
  given.slice(0, named === undefined ? undefined : -1).forEach((value, i) => {
    if (value !== undefined) placed[names[i]] = value as T[keyof T];
  });
  return complete({ ...placed, ...named });
}

interface FromGenerator {
  generator: Generator | null;
}

/** Numbers by place, as many as wanted, then options. */
type Arguments<O> = [...numbers: number[], options: Partial<O>] | number[] | [options: Partial<O>];

/** A distribution over floating-point numbers, as an in-place method. */
function distribution<O extends FromGenerator>(
  name: string,
  nodeName: string,
  defaults: O,
  names: readonly (keyof O & string)[],
  draw: (a: number, b: number) => Draw,
) {
  const complete = defineOptions<O>(`Tensor.${name}`, defaults);
  const op = overwriting(nodeName);
  return (input: Tensor, ...given: Arguments<O>): Tensor => {
    checkFloat(name, input);
    const options = readArguments(complete, names, given);
    const [a, b] = names.map((key) => {
      const value = options[key] as unknown;
      if (typeof value === 'number') return value;
      throw new TypeError(`${name}: ${key}: expected a number, got ${describe(value)}`);
    });
    return fillInPlace(name, op, input, options.generator, draw(a, b));
  };
}

/** Numbers from the uniform distribution over [`from`, `to`). PyTorch: `Tensor.uniform_`. */
export const uniform_ = distribution(
  'uniform_',
  'UniformBackward0',
  { from: 0, to: 1, generator: null as Generator | null },
  ['from', 'to'],
  (from, to) => (gen, out) => {
    fill.checkUniform(out._dtype, from, to);
    gen.draw(K.uniform, out, [from, to]);
  },
);

/** Numbers from the normal distribution. PyTorch: `Tensor.normal_`. */
export const normal_ = distribution(
  'normal_',
  'NormalBackward0',
  { mean: 0, std: 1, generator: null as Generator | null },
  ['mean', 'std'],
  (mean, std) => (gen, out, whole) => {
    fill.checkNormal(std);
    // From 16 on they are drawn together, by PyTorch for contiguous tensors only.
    if (whole && out._numel >= 16) gen.draw(K.normal, out, [mean, std]);
    else fill.normalFill(gen, memoryOf(out) as fill.FloatArray, out._offset, out._numel, mean, std);
  },
);

/** Numbers whose logarithms have the normal distribution. PyTorch: `Tensor.log_normal_`. */
export const log_normal_ = distribution(
  'log_normal_',
  'LogNormalBackward0',
  { mean: 1, std: 2, generator: null as Generator | null },
  ['mean', 'std'],
  (mean, std) => (gen, out) =>
    fill.logNormalFill(gen, memoryOf(out) as fill.FloatArray, out._offset, out._numel, mean, std),
);

/** Numbers from the exponential distribution. PyTorch: `Tensor.exponential_`. */
export const exponential_ = distribution(
  'exponential_',
  'ExponentialBackward0',
  { lambd: 1, generator: null as Generator | null },
  ['lambd'],
  (lambd) => (gen, out) => {
    fill.checkExponential(lambd);
    gen.draw(K.exponential, out, [lambd]);
  },
);

/** Numbers from the Cauchy distribution. PyTorch: `Tensor.cauchy_`. */
export const cauchy_ = distribution(
  'cauchy_',
  'CauchyBackward0',
  { median: 0, sigma: 1, generator: null as Generator | null },
  ['median', 'sigma'],
  (median, sigma) => (gen, out) => {
    fill.checkCauchy(sigma);
    gen.draw(K.cauchy, out, [median, sigma]);
  },
);

/** Numbers of trials until one succeeds with probability `p`. PyTorch: `Tensor.geometric_`. */
export function geometric_(input: Tensor, p: number, options?: { generator?: Generator | null }): Tensor {
  checkTensor('geometric_', 'input', input);
  if (input._dtype === bool) throw new TypeError('geometric_: not implemented for dtype bool');
  if (typeof p !== 'number') throw new TypeError(`geometric_: p: expected a number, got ${describe(p)}`);
  const { generator } = geometricOptions(options);
  const draw: Draw = (gen, out) => {
    fill.checkGeometric(p);
    gen.draw(K.geometric, out, [p]);
  };
  return fillInPlace('geometric_', Geometric, input, generator, draw);
}

const Geometric = overwriting('GeometricBackward0');
const geometricOptions = defineOptions('Tensor.geometric_', { generator: null as Generator | null });

const Random = overwriting('RandomBackward0');
const randomOptions = defineOptions('Tensor.random_', { generator: null as Generator | null });

/**
 * Whole numbers in [`from`, `to`), or [0, `to`); without bounds, all that the dtype counts exactly. PyTorch: `Tensor.random_`.
 */
export function random_(
  input: Tensor,
  ...given: (number | bigint | null | { generator?: Generator | null })[]
): Tensor {
  checkTensor('random_', 'input', input);
  const last = given[given.length - 1];
  const named = typeof last === 'object' && last !== null;
  const { generator } = randomOptions(named ? last : undefined);
  const bounds = (named ? given.slice(0, -1) : given) as (number | bigint | null)[];
  const [from, to] =
    bounds.length === 1 ? [0, bounds[0]] : bounds.length === 0 && input._dtype === bool ? [0, 2] : bounds;
  for (const bound of bounds) {
    if (bound != null && typeof bound !== 'number' && typeof bound !== 'bigint')
      throw new TypeError(`random_: expected integers as bounds, got ${describe(bound)}`);
  }
  const draw: Draw = (gen, out) => {
    if (from == null) return drawIntegers(gen, out, fill.wholeRange(out._dtype));
    if (out._dtype === bool) checkBoolBounds(from, to);
    drawIntegers(gen, out, fill.readRange(out._dtype, from, to));
  };
  return fillInPlace('random_', Random, input, generator, draw);
}

function checkBoolBounds(from: number | bigint, to: number | bigint | null): void {
  if (from < 0 || (to !== null && to > 2))
    throw new RangeError(`random_: expected bounds within [0, 2] for dtype bool, got from=${from}, to=${to}`);
}

const bernoulliOptions = defineOptions('bernoulli', { generator: null as Generator | null });
const Bernoulli = overwriting('BernoulliBackward0');

/** Ones with probability `p`, else zeros; `p` may be a tensor of probabilities that broadcasts. PyTorch: `Tensor.bernoulli_`. */
export function bernoulli_(
  input: Tensor,
  p: number | Tensor = 0.5,
  options?: { generator?: Generator | null },
): Tensor {
  return drawBernoulli('bernoulli_', input, p, options);
}

function drawBernoulli(
  name: string,
  input: Tensor,
  p: number | Tensor,
  options: { generator?: Generator | null } | undefined,
): Tensor {
  checkTensor(name, 'input', input);
  const { generator } = bernoulliOptions(options);
  if (!(p instanceof Tensor)) {
    if (typeof p !== 'number') throw new TypeError(`${name}: p: expected a number or a Tensor, got ${describe(p)}`);
    return fillInPlace(name, Bernoulli, input, generator, (gen, out) => {
      fill.checkBernoulli(name, p);
      gen.draw(K.bernoulli, out, [p]);
    });
  }
  checkFloat(name, p);
  if (!sameDims(broadcastDims(name, input._dims, p._dims), input._dims)) {
    throw new RangeError(
      `${name}: p: expected a shape that broadcasts to [${input._dims.join(', ')}], got [${p._dims.join(', ')}]`,
    );
  }
  const each = contiguous(permute(expand(p.detach(), input._dims), memoryOrder(input)));
  return fillInPlace(name, Bernoulli, input, generator, (gen, out) => {
    if (each._numel === 0) return;
    const [least, greatest] = [amin(each), amax(each)].map((t) => t.item() as number);
    fill.checkBernoulli(name, least);
    fill.checkBernoulli(name, greatest);
    const u = allocate(each._dims, each._dtype);
    gen.draw(K.uniform, u, [0, 1]);
    pointwise1(K.copy, out, lt(u, each));
  });
}

/** Ones with the probabilities that the input holds (or `p`, if it is given), else zeros. PyTorch: `torch.bernoulli`. */
export function bernoulli(
  input: Tensor,
  p?: number | { generator?: Generator | null },
  options?: { generator?: Generator | null },
): Tensor {
  if (typeof p !== 'number') checkFloat('bernoulli', input);
  checkTensor('bernoulli', 'input', input);
  const out = allocateLike(input._dims, input._dtype, input);
  const [probability, given] = typeof p === 'number' ? [p, options] : [input, p];
  drawBernoulli('bernoulli', out, probability, given);
  return recordOverwritten(out, input);
}

function recordOverwritten(out: Tensor, input: Tensor): Tensor {
  return input.requires_grad ? record(Bernoulli, out, [input]) : out;
}

const multinomialOptions = defineOptions('multinomial', { replacement: false, generator: null as Generator | null });

/**
 * For each row of weights, `num_samples` of its indices, each as likely as its weight says. int64. PyTorch: `torch.multinomial`.
 * @param input [categories] or [rows, categories]; the rows need not sum to 1.
 * @throws RangeError for a weight that is negative or not finite, a row of zeros, or too many samples without replacement.
 */
export function multinomial(
  input: Tensor,
  num_samples: number,
  options?: boolean | { replacement?: boolean; generator?: Generator | null },
): Tensor {
  checkFloat('multinomial', input);
  const { replacement, generator } = multinomialOptions(
    typeof options === 'boolean' ? { replacement: options } : options,
  );
  const gen = readGenerator('multinomial', generator);
  const n = input._dims.length;
  if (n !== 1 && n !== 2)
    throw new RangeError(`multinomial: input: expected 1 or 2 dimensions, got ${describe(input)}`);
  if (!Number.isInteger(num_samples))
    throw new TypeError(`multinomial: num_samples: expected an integer, got ${describe(num_samples)}`);
  const categories = input._dims[n - 1];
  const rows = n === 2 ? input._dims[0] : 1;
  fill.check(num_samples > 0, 'multinomial', 'num_samples > 0', num_samples);
  const most = `at most ${categories} samples without replacement`;
  fill.check(replacement || num_samples <= categories, 'multinomial', most, num_samples);
  const dims = n === 2 ? [rows, num_samples] : [num_samples];
  if (rows === 0) return allocate(dims, int64);
  const weights = contiguous(input.detach());
  checkWeights(weights);
  if (!replacement || num_samples === 1) {
    // Each weight over an exponential number of its own: the greatest are a sample without replacement.
    const times = allocate(weights._dims, weights._dtype);
    gen.draw(K.exponential, times, [1]);
    return topk(div(weights, times), num_samples).indices;
  }
  const out = allocate(dims, int64);
  drawIntegers(gen, out, { from: 0n, range: 2n ** 53n, words: 2 });
  const strides = [
    [categories, 0, 1],
    [num_samples, 1, 0],
  ];
  callStrided(K.multinomial, [rows, num_samples, categories], [weights, out], strides, [], 0);
  return out;
}

function checkWeights(weights: Tensor): void {
  const greatest = weights._numel === 0 ? zeros([1]) : amax(weights, -1);
  for (const t of [weights._numel === 0 ? greatest : amin(weights), amax(greatest)]) {
    const p = t.item() as number;
    fill.check(p >= 0 && p < Infinity, 'multinomial', 'each probability finite and >= 0', p);
  }
  const least = amin(greatest).item() as number;
  fill.check(least > 0, 'multinomial', 'the probabilities of a row to have a sum > 0', least);
}
