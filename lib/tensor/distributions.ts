// What distributions may be asked for, and those that are drawn number by number from the generator, the others being kernels:
// see ops/sampling.ts. In what order and precision is PyTorch's rule for the CPU, so that a seed gives PyTorch's numbers.
import { fma64 } from '../fma.js';
import { float32, int32, type DType } from './dtype.js';
import type { Generator } from './generator.js';

export type FloatArray = Float32Array | Float64Array;

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

export function checkExponential(lambd: number): void {
  check(lambd > 0, 'exponential_', 'lambd > 0', lambd);
}

export function checkCauchy(sigma: number): void {
  check(sigma > 0, 'cauchy_', 'sigma > 0', sigma);
}

export function checkGeometric(p: number): void {
  check(p > 0 && p < 1, 'geometric_', 'p in (0, 1)', p);
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

/** One draw of `torch.empty((), dtype=torch.int64).random_()`: what seeds a sampler or a loader, in [0, 2^63). */
export function randomInt64(gen: Generator): bigint {
  return gen.random64() & 0x7fffffffffffffffn;
}

/** The integers that a call of `random_` draws from: the least, how many (0 stands for 2^64), and of how many words each. */
export interface Range {
  readonly from: bigint;
  readonly range: bigint;
  readonly words: 1 | 2;
}

/** A range of 2^28 or more takes two words a number. */
const wordsFor = (range: bigint) => (range >= 2n ** 28n ? 2 : 1);

/** What `random_()` draws from: the non-negative integers of the dtype, up to 2^24 or 2^53 for a float. */
export function wholeRange(dtype: DType): Range {
  const range = integerLimits(dtype.array)[1] + 1n;
  return { from: 0n, range, words: dtype === int32 ? 1 : wordsFor(range) };
}

/** What `randint` and `random_(low, high)` draw from: `low` up to but not including `high` (null: all the dtype has). */
export function readRange(dtype: DType, low: number | bigint, high: number | bigint | null): Range {
  const [min, max] = integerLimits(dtype.array);
  const from = toInteger('from', low);
  const to = high === null ? max + 1n : toInteger('to', high);
  check(from < to, 'random_', 'from < to', `from=${from}, to=${to}`);
  check(from >= min, 'random_', `from >= ${min}, the least of the dtype`, from);
  check(to - 1n <= max, 'random_', `to - 1 <= ${max}, the greatest of the dtype`, to - 1n);
  const range = to - from;
  // All 64 bits are taken as they are.
  return range === 2n ** 64n ? { from: 0n, range: 0n, words: 2 } : { from, range, words: wordsFor(range) };
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

/** @throws RangeError if the dtype does not hold the integers below `n`. */
export function checkPermutation(dtype: DType, n: number): void {
  const max = integerLimits(dtype.array)[1];
  check(n - 1 <= max, 'randperm', `n - 1 <= ${max}, the greatest of the dtype`, n);
}

/** @throws RangeError unless it `holds`. */
export function check(holds: boolean, name: string, expected: string, got: unknown): asserts holds {
  if (!holds) throw new RangeError(`${name}: expected ${expected}, got ${String(got)}`);
}
