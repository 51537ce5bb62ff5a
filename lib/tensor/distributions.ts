// Distributions, each over a contiguous range of a typed array: [start, start + n) of `out`. What is drawn from the
// generator, in which order and precision, is PyTorch's rule for the CPU, so that a seed gives PyTorch's numbers.
// Arguments are checked before the first draw. Those that programs draw the most of are kernels: see ops/sampling.ts.
import { fma64 } from '../fma.js';
import { float32, type DType, type TypedArray } from './dtype.js';
import type { Generator } from './generator.js';

export type FloatArray = Float32Array | Float64Array;
type NumberArray = FloatArray | Int32Array | Uint8Array;

const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/** @throws RangeError unless [from, to) is an interval of the dtype. */
export function checkUniform(dtype: DType, from: number, to: number): void {
  const max = dtype === float32 ? FLOAT32_MAX : Number.MAX_VALUE;
  for (const [name, value] of [
    ['from', from],
    ['to', to],
  ] as const) {
    check(Math.abs(value) <= max, 'uniform_', `${name} to be a finite number of the dtype`, value);
  }
  check(from <= to && to - from <= max, 'uniform_', 'from <= to, their difference finite', `from=${from}, to=${to}`);
}

export function checkNormal(std: number): void {
  check(std >= 0, 'normal_', 'std >= 0', std);
}

export function checkBernoulli(name: string, p: number): void {
  check(p >= 0 && p <= 1, name, 'p in [0, 1]', p);
}

/** `normal_` of fewer than 16 numbers, or of those that are drawn one by one. */
export function normalFill(gen: Generator, out: FloatArray, start: number, n: number, mean: number, std: number): void {
  for (let i = start; i < start + n; i++) out[i] = fma64(normal(gen), std, mean);
}

// One standard normal number; every second one comes from the pair before.
function normal(gen: Generator): number {
  const cached = gen.nextNormal;
  if (cached !== null) {
    gen.nextNormal = null;
    return cached;
  }
  const theta = 2 * Math.PI * gen.uniform64();
  const radius = Math.sqrt(-2 * Math.log1p(-gen.uniform64()));
  gen.nextNormal = radius * Math.sin(theta);
  return radius * Math.cos(theta);
}

/** `log_normal_`. */
export function logNormalFill(
  gen: Generator,
  out: FloatArray,
  start: number,
  n: number,
  mean: number,
  std: number,
): void {
  check(std > 0, 'log_normal_', 'std > 0', std);
  for (let i = start; i < start + n; i++) out[i] = Math.exp(fma64(normal(gen), std, mean));
}

/** `exponential_`. */
export function exponentialFill(gen: Generator, out: FloatArray, start: number, n: number, lambd: number): void {
  check(lambd > 0, 'exponential_', 'lambd > 0', lambd);
  for (let i = start; i < start + n; i++) out[i] = (-1 / lambd) * Math.log1p(-gen.uniform64());
}

/** `cauchy_`. */
export function cauchyFill(
  gen: Generator,
  out: FloatArray,
  start: number,
  n: number,
  median: number,
  sigma: number,
): void {
  check(sigma > 0, 'cauchy_', 'sigma > 0', sigma);
  for (let i = start; i < start + n; i++) {
    out[i] = fma64(sigma, Math.tan(Math.PI * (gen.uniform64() - 0.5)), median);
  }
}

/** `geometric_`: how many trials up to the first success. */
export function geometricFill(gen: Generator, out: TypedArray, start: number, n: number, p: number): void {
  check(p > 0 && p < 1, 'geometric_', 'p in (0, 1)', p);
  const scale = Math.log1p(-p);
  fillNumbers(out, start, n, (target, first) => {
    for (let i = first; i < first + n; i++) target[i] = Math.ceil(Math.log(gen.uniform64()) / scale);
  });
}

/** `random_()`: the non-negative integers of the dtype, up to 2^24 or 2^53 for a float. For a bool it is `random_(0, 2)`. */
export function randomFill(gen: Generator, out: TypedArray, start: number, n: number): void {
  if (out instanceof Int32Array) {
    for (let i = start; i < start + n; i++) out[i] = gen.random32() & 0x7fffffff;
  } else {
    randintFill(gen, out, start, n, 0n, integerLimits(out.constructor)[1] + 1n);
  }
}

/** One draw of `torch.empty((), dtype=torch.int64).random_()`: what seeds a sampler or a loader, in [0, 2^63). */
export function randomInt64(gen: Generator): bigint {
  return gen.random64() & 0x7fffffffffffffffn;
}

/**
 * The least of the integers that `randint` and `random_(from, to)` draw from, those from `low` up to but not including `high`
 * (null: all the dtype has), and how many they are.
 */
export function readRange(
  dtype: DType,
  low: number | bigint,
  high: number | bigint | null,
): { from: bigint; range: bigint } {
  const [min, max] = integerLimits(dtype.array);
  const from = toInteger('from', low);
  const to = high === null ? max + 1n : toInteger('to', high);
  check(from < to, 'random_', 'from < to', `from=${from}, to=${to}`);
  check(from >= min, 'random_', `from >= ${min}, the least of the dtype`, from);
  check(to - 1n <= max, 'random_', `to - 1 <= ${max}, the greatest of the dtype`, to - 1n);
  return { from, range: to - from };
}

/** `random_` of {@link readRange}. A range under 2^28 takes 32 bits a number, any other 64. */
export function randintFill(
  gen: Generator,
  out: TypedArray,
  start: number,
  n: number,
  from: bigint,
  range: bigint,
): void {
  const wide = range >= 2n ** 28n;
  const base = range === 2n ** 64n ? 0n : from; // all 64 bits are taken as they are
  for (let i = start; i < start + n; i++) {
    const value = ((wide ? gen.random64() : BigInt(gen.random32())) % range) + base;
    if (out instanceof BigInt64Array) out[i] = value;
    else out[i] = Number(value);
  }
}

/** The integers that arrays of a kind hold exactly. */
function integerLimits(array: unknown): [min: bigint, max: bigint] {
  if (array === Uint8Array) return [0n, 255n];
  if (array === Int32Array) return [-(2n ** 31n), 2n ** 31n - 1n];
  if (array === BigInt64Array) return [-(2n ** 63n), 2n ** 63n - 1n];
  const largest = array === Float32Array ? 2n ** 24n : 2n ** 53n; // up to here every integer is one of the dtype
  return [-largest, largest];
}

function toInteger(name: string, value: number | bigint): bigint {
  check(
    typeof value === 'bigint' || Number.isSafeInteger(value),
    'random_',
    `${name} to be an integer (a BigInt beyond 2^53)`,
    value,
  );
  const integer = BigInt(value);
  check(integer === BigInt.asIntN(64, integer), 'random_', `${name} in [-2^63, 2^63)`, value);
  return integer;
}

/** `randperm`: the integers below `n` in random order. */
export function randpermFill(gen: Generator, out: TypedArray, start: number, n: number): void {
  const max = integerLimits(out.constructor)[1];
  check(n - 1 <= max, 'randperm', `n - 1 <= ${max}, the greatest of the dtype`, n);
  const order = new Uint32Array(n);
  if (n < 214748364) {
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = 0; i < n - 1; i++) {
      const left = n - i;
      const drawn = gen.random32();
      const other = i + drawn - Math.floor(drawn / left) * left; // the remainder, for which V8 takes twice as long
      const value = order[i];
      order[i] = order[other];
      order[other] = value;
    }
  } else {
    for (let i = 0; i < n; i++) {
      const other = Number(gen.random64() % BigInt(i + 1));
      order[i] = order[other];
      order[other] = i;
    }
  }
  fillNumbers(out, start, n, (target, first) => target.set(order, first));
}

/**
 * `multinomial`: for each row of `probs` (`rows` by `categories`, from `probStart` on), `samples` of its categories,
 * each as often as its weight says.
 */
export function multinomialFill(
  gen: Generator,
  out: BigInt64Array,
  start: number,
  samples: number,
  replacement: boolean,
  probs: FloatArray,
  probStart: number,
  rows: number,
  categories: number,
): void {
  check(samples > 0, 'multinomial', 'num_samples > 0', samples);
  check(
    replacement || samples <= categories,
    'multinomial',
    `at most ${categories} samples without replacement`,
    samples,
  );
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let j = 0; j < categories; j++) {
      const p = probs[probStart + row * categories + j];
      check(p >= 0 && p < Infinity, 'multinomial', 'each probability finite and >= 0', p);
      sum += p;
    }
    check(sum > 0, 'multinomial', 'the probabilities of a row to have a sum > 0', sum);
  }
  const scratch = probs.slice(probStart, probStart + rows * categories);
  if (!replacement) race(gen, scratch);
  for (let row = 0; row < rows; row++) {
    const weights = scratch.subarray(row * categories, (row + 1) * categories);
    const target = out.subarray(start + row * samples, start + (row + 1) * samples);
    if (replacement) drawEach(gen, target, weights);
    else takeLargest(target, weights);
  }
}

// Each weight over an exponential number of its own: the order of the results is a sample without replacement.
function race(gen: Generator, weights: FloatArray): void {
  const times = new (weights instanceof Float32Array ? Float32Array : Float64Array)(weights.length);
  exponentialFill(gen, times, 0, times.length, 1);
  for (let i = 0; i < weights.length; i++) weights[i] /= times[i];
}

function takeLargest(target: BigInt64Array, weights: FloatArray): void {
  const order = Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a]);
  for (let i = 0; i < target.length; i++) target[i] = BigInt(order[i]);
}

function drawEach(gen: Generator, target: BigInt64Array, weights: FloatArray): void {
  for (let j = 1; j < weights.length; j++) weights[j] += weights[j - 1];
  const sum = weights[weights.length - 1];
  for (let j = 0; j < weights.length; j++) weights[j] /= sum;
  for (let i = 0; i < target.length; i++) {
    const u = gen.uniform64();
    let low = 0;
    let high = weights.length - 1; // the last one bounds every u, whatever its rounding
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (weights[middle] < u) low = middle + 1;
      else high = middle;
    }
    target[i] = BigInt(low);
  }
}

// Runs `fill` on the range, or for int64 on numbers that are then stored as such: several times faster than BigInts.
function fillNumbers(
  out: TypedArray,
  start: number,
  n: number,
  fill: (target: NumberArray, first: number) => void,
): void {
  if (!(out instanceof BigInt64Array)) return fill(out, start);
  const numbers = new Float64Array(n);
  fill(numbers, 0);
  const halves = new Int32Array(out.buffer, out.byteOffset + 8 * start, 2 * n);
  for (let i = 0; i < n; i++) {
    halves[2 * i] = numbers[i];
    halves[2 * i + 1] = Math.floor(numbers[i] / 2 ** 32);
  }
}

function check(holds: boolean, name: string, expected: string, got: unknown): asserts holds {
  if (!holds) throw new RangeError(`${name}: expected ${expected}, got ${String(got)}`);
}
