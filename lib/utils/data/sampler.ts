import { tensor } from '../../ops/creation.js';
import { defineOptions } from '../../options.js';
import { float64 } from '../../tensor/dtype.js';
import { randomInt64 } from '../../tensor/distributions.js';
import { default_generator, Generator } from '../../tensor/generator.js';
import { tolist } from '../../ops/convert.js';
import { randint, randperm } from '../../ops/random.js';
import { multinomial } from '../../ops/sampling.js';
import { describe, Tensor } from '../../tensor/tensor.js';

/** An order of samples: indices, or batches of them. PyTorch: `torch.utils.data.Sampler`. */
export abstract class Sampler<T = number> {
  abstract [Symbol.iterator](): Iterator<T>;
}

/** The integers below `n` in random order. @internal */
export function permutation(generator: Generator, n: number): number[] {
  return tolist(randperm(n, { generator })) as number[];
}

/** Anything whose samples can be counted. */
interface Sized {
  readonly length: number;
}

function checkSized(name: string, source: Sized): void {
  if (typeof source?.length !== 'number') {
    throw new TypeError(`${name}: data_source: expected something with a length, got ${describe(source)}`);
  }
}

/** Refuses what is neither a generator nor null. @internal */
export function checkGenerator(name: string, generator: unknown): void {
  if (generator !== null && !(generator instanceof Generator)) {
    throw new TypeError(`${name}: generator: expected a Generator or null, got ${describe(generator)}`);
  }
}

function checkCount(name: string, option: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) <= 0) {
    throw new RangeError(`${name}: ${option}: expected a positive integer, got ${describe(value)}`);
  }
}

function checkFlag(name: string, option: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new TypeError(`${name}: ${option}: expected a boolean, got ${describe(value)}`);
}

/** All samples in order. PyTorch: `torch.utils.data.SequentialSampler`. */
export class SequentialSampler extends Sampler {
  constructor(readonly data_source: Sized) {
    super();
    checkSized('SequentialSampler', data_source);
  }

  get length(): number {
    return this.data_source.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const { length } = this;
    for (let i = 0; i < length; i++) yield i;
  }
}

/** Options of {@link RandomSampler}. */
export interface RandomSamplerOptions {
  /** Whether a sample may come again. Default false. */
  replacement?: boolean;
  /** How many to draw. Default: all. */
  num_samples?: number | null;
  /** Default: one seeded from the default generator. */
  generator?: Generator | null;
}

const randomOptions = defineOptions('utils.data.RandomSampler', {
  replacement: false,
  num_samples: null as number | null,
  generator: null as Generator | null,
});

/**
 * Samples in random order, PyTorch's from the same seed. PyTorch: `torch.utils.data.RandomSampler`.
 * @throws RangeError if there is nothing to draw.
 */
export class RandomSampler extends Sampler {
  readonly replacement: boolean;
  readonly generator: Generator | null;
  private readonly samples: number | null;

  constructor(
    readonly data_source: Sized,
    options?: RandomSamplerOptions,
  ) {
    super();
    checkSized('RandomSampler', data_source);
    const { replacement, num_samples, generator } = randomOptions(options);
    checkFlag('RandomSampler', 'replacement', replacement);
    checkGenerator('RandomSampler', generator);
    checkCount('RandomSampler', 'num_samples', num_samples ?? data_source.length);
    this.replacement = replacement;
    this.samples = num_samples;
    this.generator = generator;
  }

  /** How many are drawn. */
  get num_samples(): number {
    return this.samples ?? this.data_source.length;
  }

  get length(): number {
    return this.num_samples;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const n = this.data_source.length;
    const count = this.num_samples;
    const generator = this.generator ?? new Generator().manual_seed(randomInt64(default_generator));
    if (this.replacement) {
      for (let left = count; left >= 0; left -= 32) {
        const batch = randint(n, [Math.min(left, 32)], { generator, dtype: float64 });
        yield* batch.toTypedArray() as Float64Array;
      }
      return;
    }
    for (let i = 0; i < Math.floor(count / n); i++) yield* permutation(generator, n);
    // Drawn even where none of it is wanted, as PyTorch does: what follows depends on it.
    yield* permutation(generator, n).slice(0, count % n);
  }
}

const subsetOptions = defineOptions('utils.data.SubsetRandomSampler', { generator: null as Generator | null });

/** Given indices in random order. PyTorch: `torch.utils.data.SubsetRandomSampler`. */
export class SubsetRandomSampler extends Sampler {
  readonly generator: Generator | null;

  constructor(
    readonly indices: readonly number[],
    options?: { generator?: Generator | null },
  ) {
    super();
    if (!Array.isArray(indices)) {
      throw new TypeError(`SubsetRandomSampler: indices: expected an array, got ${describe(indices)}`);
    }
    this.generator = subsetOptions(options).generator;
    checkGenerator('SubsetRandomSampler', this.generator);
  }

  get length(): number {
    return this.indices.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const i of permutation(this.generator ?? default_generator, this.indices.length)) yield this.indices[i];
  }
}

const weightedOptions = defineOptions('utils.data.WeightedRandomSampler', {
  replacement: true,
  generator: null as Generator | null,
});

/**
 * Indices drawn with given weights. PyTorch: `torch.utils.data.WeightedRandomSampler`.
 * @param weights One weight an index; they need not sum up to 1.
 * @throws RangeError if the weights are no list of numbers, or `num_samples` is not a positive integer.
 */
export class WeightedRandomSampler extends Sampler {
  readonly weights: Tensor;
  readonly replacement: boolean;
  readonly generator: Generator | null;

  constructor(
    weights: readonly number[] | Tensor,
    readonly num_samples: number,
    options?: { replacement?: boolean; generator?: Generator | null },
  ) {
    super();
    const { replacement, generator } = weightedOptions(options);
    checkCount('WeightedRandomSampler', 'num_samples', num_samples);
    checkFlag('WeightedRandomSampler', 'replacement', replacement);
    checkGenerator('WeightedRandomSampler', generator);
    this.weights = tensor(weights, { dtype: float64 });
    if (this.weights._dims.length !== 1) {
      throw new RangeError(`WeightedRandomSampler: weights: expected one dimension, got ${describe(this.weights)}`);
    }
    this.replacement = replacement;
    this.generator = generator;
  }

  get length(): number {
    return this.num_samples;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const { weights, num_samples, replacement, generator } = this;
    yield* tolist(multinomial(weights, num_samples, { replacement, generator })) as number[];
  }
}

/**
 * Batches of another sampler's indices. PyTorch: `torch.utils.data.BatchSampler`.
 * @param drop_last Whether a last batch of less than `batch_size` is left out.
 * @throws RangeError or TypeError for a `batch_size` that is not a positive integer or a `drop_last` that is no boolean.
 */
export class BatchSampler extends Sampler<number[]> {
  constructor(
    readonly sampler: Iterable<number>,
    readonly batch_size: number,
    readonly drop_last: boolean,
  ) {
    super();
    if (typeof sampler?.[Symbol.iterator] !== 'function') {
      throw new TypeError(`BatchSampler: sampler: expected an iterable, got ${describe(sampler)}`);
    }
    checkCount('BatchSampler', 'batch_size', batch_size);
    checkFlag('BatchSampler', 'drop_last', drop_last);
  }

  /** The number of batches. @throws TypeError if the sampler has no length. */
  get length(): number {
    const n = lengthOf('BatchSampler', this.sampler) / this.batch_size;
    return this.drop_last ? Math.floor(n) : Math.ceil(n);
  }

  *[Symbol.iterator](): IterableIterator<number[]> {
    let batch: number[] = [];
    for (const index of this.sampler) {
      batch.push(index);
      if (batch.length < this.batch_size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.drop_last) yield batch;
  }
}

/** The length of what a loader iterates over. @throws TypeError if it has none. @internal */
export function lengthOf(name: string, sampler: Iterable<unknown>): number {
  const { length } = sampler as Partial<Sized>;
  if (typeof length !== 'number') throw new TypeError(`${name}: ${describe(sampler)} has no length`);
  return length;
}
