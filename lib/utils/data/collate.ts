import { stack } from '../../ops/join.js';
import { tensor } from '../../ops/creation.js';
import { describe, Tensor, type Scalar } from '../../tensor/tensor.js';
import type { TypedArray } from '../../tensor/dtype.js';

type Collated = Tensor | readonly unknown[] | { readonly [key: string]: unknown };

/**
 * Joins samples into a batch: tensors and typed arrays are stacked, numbers become a tensor as `torch.tensor` makes it
 * (class labels as bigints or tensors, so that they become int64), strings stay a list, arrays and objects are joined
 * element by element. PyTorch: `torch.utils.data.default_collate`.
 * @throws TypeError for samples that cannot be joined, RangeError for arrays of different lengths.
 */
export function default_collate(batch: readonly unknown[]): Collated {
  if (!Array.isArray(batch) || batch.length === 0) {
    throw new TypeError(`default_collate: batch: expected an array of samples, got ${describe(batch)}`);
  }
  const first: unknown = batch[0];
  if (first instanceof Tensor) return stack(batch as Tensor[], 0);
  if (ArrayBuffer.isView(first))
    return stack(
      (batch as TypedArray[]).map((item) => tensor(item)),
      0,
    );
  if (typeof first === 'number' || typeof first === 'boolean' || typeof first === 'bigint') {
    return tensor(batch as Scalar[]);
  }
  if (typeof first === 'string') return batch;
  if (Array.isArray(first)) {
    if (!batch.every((sample) => Array.isArray(sample) && sample.length === first.length)) {
      throw new RangeError('default_collate: each element in list of batch should be of equal size');
    }
    return first.map((_, i) => default_collate((batch as unknown[][]).map((sample) => sample[i])));
  }
  if (isPlain(first)) {
    const keys = Object.keys(first);
    const odd = batch.findIndex((sample) => !isPlain(sample) || !keys.every((key) => Object.hasOwn(sample, key)));
    if (odd >= 0) {
      throw new TypeError(
        `default_collate: each element in list of batch should have the keys ${keys.join(', ')}; found ${describe(batch[odd])}`,
      );
    }
    const joined = keys.map((key) => {
      const values = (batch as Record<string, unknown>[]).map((sample) => sample[key]);
      return [key, default_collate(values)];
    });
    return Object.fromEntries(joined) as Record<string, unknown>;
  }
  throw new TypeError(
    'default_collate: batch must contain tensors, typed arrays, numbers, strings, arrays or plain objects; ' +
      `found ${describe(first)}`,
  );
}

/** A sample outside any batch: typed arrays in it become tensors. PyTorch: `torch.utils.data.default_convert`. */
export function default_convert(data: unknown): unknown {
  if (ArrayBuffer.isView(data)) return tensor(data as TypedArray);
  if (Array.isArray(data)) return data.map(default_convert);
  if (isPlain(data))
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, default_convert(value)]));
  return data;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
