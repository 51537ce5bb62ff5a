import { callStrided, pointwise1 } from '../backend/frame.js';
import { K, type KernelId } from '../backend/kernels.js';
import { STATE_LENGTH } from '../backend/mt19937.js';
import { record, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { bool, int64, type TypedArray } from '../tensor/dtype.js';
import * as fill from '../tensor/distributions.js';
import { default_generator, Generator } from '../tensor/generator.js';
import { allocate, checkTensor, describe, memoryOf, stridesOf, Tensor } from '../tensor/tensor.js';
import { lt } from './comparison.js';
import { clone, contiguous } from './convert.js';
import { zeros_like } from './creation.js';
import { allocateLike, writeInPlace } from './elementwise.js';
import { amax, amin } from './extrema.js';
import { broadcastDims, sameDims } from './shape.js';
import { expand, permute } from './view.js';

// Drawing into a tensor, and from the probabilities a tensor holds. In what order and from which bits is PyTorch's rule,
// so that a seed gives PyTorch's numbers: see tensor/distributions.ts.

/** Draws into a contiguous tensor; `whole` unless that is a copy in which PyTorch would draw number by number. */
type Draw = (gen: Generator, out: Tensor, whole: boolean) => void;

/** Draws `n` numbers into `memory` from `start` on. */
type Fill = (gen: Generator, memory: TypedArray, start: number, n: number) => void;

const filling =
  (fill: Fill): Draw =>
  (gen, out) =>
    fill(gen, memoryOf(out), out._offset, out._numel);

/** Draws by a kernel, for which TypeScript need not see the memory: later calls of kernels are the faster for it. */
function callRandom(kernel: KernelId, gen: Generator, out: Tensor, scalars: readonly number[]): void {
  callStrided(kernel, [out._numel, STATE_LENGTH], [out, gen.memory], RANDOM_STRIDES, scalars, out._dtype.code);
}

const RANDOM_STRIDES = [
  [1, 0],
  [0, 1],
];

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

/** What is drawn number by number. */
const eachOf =
  (fill: (gen: Generator, memory: fill.FloatArray, start: number, n: number, a: number, b: number) => void) =>
  (a: number, b: number): Draw =>
    filling((gen, memory, start, n) => fill(gen, memory as fill.FloatArray, start, n, a, b));

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
    callRandom(K.uniform, gen, out, [from, to]);
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
    if (whole && out._numel >= 16) callRandom(K.normal, gen, out, [mean, std]);
    else fill.normalFill(gen, memoryOf(out) as fill.FloatArray, out._offset, out._numel, mean, std);
  },
);

/** Numbers whose logarithms have the normal distribution. PyTorch: `Tensor.log_normal_`. */
export const log_normal_ = distribution(
  'log_normal_',
  'LogNormalBackward0',
  { mean: 1, std: 2, generator: null as Generator | null },
  ['mean', 'std'],
  eachOf(fill.logNormalFill),
);

/** Numbers from the exponential distribution. PyTorch: `Tensor.exponential_`. */
export const exponential_ = distribution(
  'exponential_',
  'ExponentialBackward0',
  { lambd: 1, generator: null as Generator | null },
  ['lambd'],
  eachOf(fill.exponentialFill),
);

/** Numbers from the Cauchy distribution. PyTorch: `Tensor.cauchy_`. */
export const cauchy_ = distribution(
  'cauchy_',
  'CauchyBackward0',
  { median: 0, sigma: 1, generator: null as Generator | null },
  ['median', 'sigma'],
  eachOf(fill.cauchyFill),
);

/** Numbers of trials until one succeeds with probability `p`. PyTorch: `Tensor.geometric_`. */
export function geometric_(input: Tensor, p: number, options?: { generator?: Generator | null }): Tensor {
  checkTensor('geometric_', 'input', input);
  if (input._dtype === bool) throw new TypeError('geometric_: not implemented for dtype bool');
  if (typeof p !== 'number') throw new TypeError(`geometric_: p: expected a number, got ${describe(p)}`);
  const { generator } = geometricOptions(options);
  const draw = filling((gen, memory, start, n) => fill.geometricFill(gen, memory, start, n, p));
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
    if (from == null) return fill.randomFill(gen, memoryOf(out), out._offset, out._numel);
    if (out._dtype === bool) checkBoolBounds(from, to);
    const integers = fill.readRange(out._dtype, from, to);
    const [first, range] = [Number(integers.from), Number(integers.range)];
    if (range < 2 ** 28 && Math.abs(first) <= Number.MAX_SAFE_INTEGER - range)
      callRandom(K.random, gen, out, [first, range]);
    else fill.randintFill(gen, memoryOf(out), out._offset, out._numel, integers.from, integers.range);
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
      callRandom(K.bernoulli, gen, out, [p]);
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
    callRandom(K.uniform, gen, u, [0, 1]);
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
  const weights = contiguous(input.detach());
  const out = allocate(n === 2 ? [rows, num_samples] : [num_samples], int64);
  fill.multinomialFill(
    gen,
    memoryOf(out) as BigInt64Array,
    out._offset,
    num_samples,
    replacement && num_samples > 1,
    memoryOf(weights) as fill.FloatArray,
    weights._offset,
    rows,
    categories,
  );
  return out;
}
