import { defineOptions } from '../../options.js';
import { randomInt64 } from '../../tensor/distributions.js';
import { default_generator, type Generator } from '../../tensor/generator.js';
import { describe } from '../../tensor/tensor.js';
import { default_collate, default_convert } from './collate.js';
import { checkDataset, gatherBatch, IterableDataset, sampleOf, type MapDataset } from './dataset.js';
import { BatchSampler, checkGenerator, lengthOf, RandomSampler, SequentialSampler } from './sampler.js';

/** Options of {@link DataLoader}. */
export interface DataLoaderOptions<T = unknown, B = unknown> {
  /** Samples a batch; null for samples one by one, not collated. Default 1. */
  batch_size?: number | null;
  /** Whether the samples come in another random order each time. Default false. */
  shuffle?: boolean | null;
  /** The order of the samples, in place of `shuffle`. */
  sampler?: Iterable<number> | null;
  /** The batches of indices, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`. */
  batch_sampler?: Iterable<readonly number[]> | null;
  /** Makes a batch of samples; without batches it gets a sample. Default: {@link default_collate}. */
  collate_fn?: ((samples: T[]) => B) | null;
  /** Whether a last batch of less than `batch_size` is left out. Default false. */
  drop_last?: boolean;
  /** Where random numbers come from. Default: the default generator. */
  generator?: Generator | null;
}

const loaderOptions = defineOptions<Required<DataLoaderOptions>>(
  'utils.data.DataLoader',
  {
    batch_size: 1,
    shuffle: null,
    sampler: null,
    batch_sampler: null,
    collate_fn: null,
    drop_last: false,
    generator: null,
  },
  true,
);

/** What a loader of samples `T` gives where nothing else is said. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type DefaultBatch<T> = T extends readonly unknown[] ? T : any;

/**
 * Batches of a dataset's samples: `for (const [x, y] of loader)`. From the same seed they are PyTorch's. PyTorch:
 * `torch.utils.data.DataLoader`.
 * @throws TypeError or RangeError for options that are out of range or exclude each other.
 */
export class DataLoader<T = unknown, B = DefaultBatch<T>> {
  readonly batch_size: number | null;
  readonly drop_last: boolean;
  /** The order of samples; null for an {@link IterableDataset}, which has its own. */
  readonly sampler: Iterable<number> | null;
  /** The batches of indices; null without batches. */
  readonly batch_sampler: Iterable<readonly number[]> | null;
  readonly generator: Generator | null;
  readonly collate_fn: (samples: unknown[]) => unknown;

  constructor(
    readonly dataset: MapDataset<T> | IterableDataset<T>,
    options?: DataLoaderOptions<T, B>,
  ) {
    const given = loaderOptions(options as DataLoaderOptions | undefined);
    const { batch_size, sampler, batch_sampler, drop_last, generator } = given;
    const shuffle = given.shuffle ?? false;
    if (typeof shuffle !== 'boolean') {
      throw new TypeError(`DataLoader: shuffle: expected a boolean or null, got ${describe(shuffle)}`);
    }
    if (given.collate_fn !== null && typeof given.collate_fn !== 'function') {
      throw new TypeError(`DataLoader: collate_fn: expected a function or null, got ${describe(given.collate_fn)}`);
    }
    checkGenerator('DataLoader', generator);
    for (const [option, order] of Object.entries({ sampler, batch_sampler })) {
      if (order !== null && typeof order[Symbol.iterator] !== 'function')
        throw new TypeError(`DataLoader: ${option}: expected an iterable or null, got ${describe(order)}`);
    }
    if (dataset instanceof IterableDataset) {
      for (const [option, set] of Object.entries({ shuffle, sampler, batch_sampler })) {
        if (set)
          throw new TypeError(`DataLoader: ${option}: expected none with an IterableDataset, got ${describe(set)}`);
      }
    } else checkDataset('DataLoader', dataset);
    if (sampler !== null && shuffle)
      throw new TypeError('DataLoader: sampler option is mutually exclusive with shuffle');
    if (batch_sampler !== null && (batch_size !== 1 || shuffle || sampler !== null || drop_last)) {
      throw new TypeError(
        'DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last',
      );
    }
    if (batch_size === null && drop_last) {
      throw new TypeError('DataLoader: batch_size: null disables batches and is mutually exclusive with drop_last');
    }
    this.batch_size = batch_sampler === null ? batch_size : null;
    this.drop_last = drop_last;
    this.generator = generator;
    if (dataset instanceof IterableDataset) this.sampler = null;
    else if (shuffle) this.sampler = new RandomSampler(dataset, { generator });
    else this.sampler = sampler ?? new SequentialSampler(dataset);
    this.batch_sampler = batch_sampler;
    if (this.batch_size !== null) this.batch_sampler = new BatchSampler(this.sampler ?? [], this.batch_size, drop_last);
    this.collate_fn = given.collate_fn ?? (this.batch_sampler === null ? default_convert : default_collate);
  }

  /** The number of batches. PyTorch: `len(loader)`. @throws TypeError if the dataset or sampler has no length. */
  get length(): number {
    if (!(this.dataset instanceof IterableDataset)) return lengthOf('DataLoader', this.batch_sampler ?? this.sampler!);
    const n = lengthOf('DataLoader', this.dataset) / (this.batch_size ?? 1);
    return this.drop_last ? Math.floor(n) : Math.ceil(n);
  }

  /** The batches, once over. */
  [Symbol.iterator](): IterableIterator<B> {
    // PyTorch draws the seed of its workers here, be there any or not: what is drawn later depends on it.
    randomInt64(this.generator ?? default_generator);
    return (this.dataset instanceof IterableDataset ? this.stream(this.dataset) : this.fetch(this.dataset)) as never;
  }

  private *fetch(dataset: MapDataset<T>): IterableIterator<unknown> {
    const collate = this.collate_fn as (data: unknown) => unknown;
    if (this.batch_sampler === null) {
      for (const index of this.sampler!) yield collate(sampleOf(dataset, index));
      return;
    }
    for (const indices of this.batch_sampler) {
      const gathered = collate === default_collate ? gatherBatch(dataset, indices) : null;
      yield gathered ?? collate(indices.map((index) => sampleOf(dataset, index)));
    }
  }

  private *stream(dataset: IterableDataset<T>): IterableIterator<unknown> {
    const collate = this.collate_fn as (data: unknown) => unknown;
    let batch: T[] = [];
    for (const sample of dataset as Iterable<T>) {
      if (this.batch_size === null) {
        yield collate(sample);
        continue;
      }
      batch.push(sample);
      if (batch.length < this.batch_size) continue;
      yield collate(batch);
      batch = [];
    }
    if (batch.length > 0 && !this.drop_last) yield collate(batch);
  }
}
