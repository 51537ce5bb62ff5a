import { index_select } from '../../ops/indexing.js';
import { tensor } from '../../ops/creation.js';
import { select } from '../../ops/slices.js';
import { default_generator, type Generator } from '../../tensor/generator.js';
import { checkTensor, describe, Tensor } from '../../tensor/tensor.js';
import { defineOptions } from '../../options.js';
import { checkGenerator, permutation } from './sampler.js';

/** Samples that are reached by index: `__len__` and `__getitem__` are `length` and `get` here. PyTorch: `torch.utils.data.Dataset`. */
export abstract class Dataset<T = unknown> {
  /** The number of samples. */
  abstract get length(): number;
  /** The sample at `index`. */
  abstract get(index: number): T;
}

/** Samples that come in a stream. PyTorch: `torch.utils.data.IterableDataset`. */
export abstract class IterableDataset<T = unknown> {
  abstract [Symbol.iterator](): Iterator<T>;
}

/** What can be reached by index: a dataset, or an array of samples. */
export type MapDataset<T = unknown> = Dataset<T> | readonly T[];

/** The sample at `index`. @internal */
export function sampleOf<T>(dataset: MapDataset<T>, index: number): T {
  return Array.isArray(dataset) ? (dataset[index] as T) : (dataset as Dataset<T>).get(index);
}

/** Refuses what has no samples to reach by index. @internal */
export function checkDataset(name: string, dataset: unknown): asserts dataset is MapDataset {
  if (Array.isArray(dataset)) return;
  const { length, get } = (dataset ?? {}) as { length?: unknown; get?: unknown };
  if (typeof length === 'number' && typeof get === 'function') return;
  throw new TypeError(`${name}: dataset: expected a Dataset (length and get) or an array, got ${describe(dataset)}`);
}

/** `index` counted from the front. @throws RangeError if there is no such sample. */
function wrapIndex(name: string, index: number, length: number): number {
  if (!Number.isSafeInteger(index) || index < -length || index >= length) {
    throw new RangeError(`${name}: index: expected an integer in [${-length}, ${length - 1}], got ${describe(index)}`);
  }
  return index < 0 ? index + length : index;
}

/**
 * Samples that are rows of tensors: `get(i)` is the array of each tensor's row `i`. PyTorch: `torch.utils.data.TensorDataset`.
 * @throws TypeError if there is no tensor, RangeError if their first dimensions differ.
 */
export class TensorDataset extends Dataset<Tensor[]> {
  readonly tensors: readonly Tensor[];

  constructor(...tensors: Tensor[]) {
    super();
    if (tensors.length === 0) throw new TypeError('TensorDataset: tensors: expected at least one Tensor, got none');
    for (const t of tensors) {
      checkTensor('TensorDataset', 'tensors', t);
      if (t._dims.length === 0 || t._dims[0] !== tensors[0]._dims[0]) {
        throw new RangeError(
          `TensorDataset: tensors: size mismatch between tensors: expected equal first dimensions, got ${describe(tensors)}`,
        );
      }
    }
    this.tensors = tensors;
  }

  get length(): number {
    return this.tensors[0]._dims[0];
  }

  get(index: number): Tensor[] {
    const i = wrapIndex('TensorDataset', index, this.length);
    return this.tensors.map((t) => select(t, 0, i));
  }
}

/** Some samples of another dataset. PyTorch: `torch.utils.data.Subset`. */
export class Subset<T = unknown> extends Dataset<T> {
  constructor(
    readonly dataset: MapDataset<T>,
    /** Which, in order. */
    readonly indices: readonly number[],
  ) {
    super();
    checkDataset('Subset', dataset);
    if (!Array.isArray(indices)) {
      throw new TypeError(`Subset: indices: expected an array of integers, got ${describe(indices)}`);
    }
  }

  get length(): number {
    return this.indices.length;
  }

  get(index: number): T {
    return sampleOf(this.dataset, this.indices[wrapIndex('Subset', index, this.length)]);
  }
}

/** Datasets one after the other. PyTorch: `torch.utils.data.ConcatDataset`. @throws TypeError if there is none, or one has no samples by index. */
export class ConcatDataset<T = unknown> extends Dataset<T> {
  readonly datasets: readonly MapDataset<T>[];

  constructor(datasets: Iterable<MapDataset<T>>) {
    super();
    this.datasets = [...datasets];
    if (this.datasets.length === 0) throw new TypeError('ConcatDataset: datasets should not be an empty iterable');
    for (const dataset of this.datasets) checkDataset('ConcatDataset', dataset);
  }

  /** Where each dataset ends. */
  get cumulative_sizes(): number[] {
    let end = 0;
    return this.datasets.map((dataset) => (end += dataset.length));
  }

  get length(): number {
    return this.datasets.reduce((n, dataset) => n + dataset.length, 0);
  }

  get(index: number): T {
    let i = wrapIndex('ConcatDataset', index, this.length);
    const dataset = this.datasets.find((candidate) => {
      if (i < candidate.length) return true;
      i -= candidate.length;
      return false;
    });
    return sampleOf(dataset!, i);
  }
}

/**
 * The batch of a {@link TensorDataset}'s samples, or of subsets of one, gathered at once: what collating them one by one
 * would give. Null for other datasets.
 * @internal
 */
export function gatherBatch(dataset: unknown, indices: readonly number[]): Tensor[] | null {
  // A class derived from these may have a `get` of its own.
  if (dataset instanceof Subset && dataset.get === Subset.prototype.get) {
    return gatherBatch(
      dataset.dataset,
      indices.map((i) => dataset.indices[wrapIndex('Subset', i, dataset.length)]),
    );
  }
  if (!(dataset instanceof TensorDataset) || dataset.get !== TensorDataset.prototype.get) return null;
  const rows = indices.map((i) => BigInt(wrapIndex('TensorDataset', i, dataset.length)));
  const index = tensor(BigInt64Array.from(rows));
  return dataset.tensors.map((t) => index_select(t, 0, index));
}

const splitOptions = defineOptions<{ generator: Generator | null }>('utils.data.random_split', {
  generator: default_generator,
});

/**
 * Splits a dataset at random into subsets. PyTorch: `torch.utils.data.random_split`.
 * @param lengths The number of samples of each, or fractions that sum up to 1.
 * @throws RangeError if the lengths do not add up to the dataset's.
 */
export function random_split<T>(
  dataset: MapDataset<T>,
  lengths: readonly number[],
  options?: { generator?: Generator | null },
): Subset<T>[] {
  checkDataset('random_split', dataset);
  const { generator } = splitOptions(options);
  checkGenerator('random_split', generator);
  if (!Array.isArray(lengths) || !lengths.every((length) => length >= 0)) {
    throw new TypeError(`random_split: lengths: expected an array of numbers >= 0, got ${describe(lengths)}`);
  }
  const sum = lengths.reduce((a, b) => a + b, 0);
  const sizes = sum <= 1 && sum >= 1 - 1e-9 ? fractionSizes(lengths, dataset.length) : lengths;
  const total = sizes.reduce((a, b) => a + b, 0);
  if (!sizes.every(Number.isInteger) || total !== dataset.length) {
    throw new RangeError(
      'random_split: lengths: sum of input lengths does not equal the length of the input dataset: ' +
        `expected ${dataset.length}, got ${describe(lengths)}`,
    );
  }
  const order = permutation(generator ?? default_generator, total);
  let start = 0;
  return sizes.map((size) => new Subset(dataset, order.slice(start, (start += size))));
}

/** The sizes that fractions stand for: rounded down, and what is left given out one by one from the first. */
function fractionSizes(fractions: readonly number[], length: number): number[] {
  const sizes = fractions.map((fraction) => Math.floor(length * fraction));
  const rest = length - sizes.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) sizes[i % sizes.length]++;
  sizes.forEach((size, i) => {
    if (size === 0) process.emitWarning(`random_split: length of split at index ${i} is 0: its dataset is empty`);
  });
  return sizes;
}
