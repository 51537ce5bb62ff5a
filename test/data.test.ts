import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import * as torch from 'cresset';

const { data } = torch.utils;

interface Drawn {
  values: unknown[];
  next: [number, number];
}

const golden: Record<string, Drawn> = JSON.parse(readFileSync(new URL('./golden/data.json', import.meta.url), 'utf8'));

const n = 10;
const items = Array.from({ length: n }, (_, i) => i);
const rows = () => new data.TensorDataset(torch.arange(n));
const makers: Record<string, (generator: torch.Generator) => Iterable<unknown>> = {
  RandomSampler: () => new data.RandomSampler(items),
  'RandomSampler generator': (generator) => new data.RandomSampler(items, { generator }),
  'RandomSampler num_samples': (generator) => new data.RandomSampler(items, { num_samples: 23, generator }),
  'RandomSampler replacement': (generator) =>
    new data.RandomSampler(items, { replacement: true, num_samples: 40, generator }),
  SubsetRandomSampler: (generator) => new data.SubsetRandomSampler([7, 3, 1, 5], { generator }),
  WeightedRandomSampler: (generator) => new data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 6, { generator }),
  'WeightedRandomSampler without replacement': () =>
    new data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 3, { replacement: false }),
  DataLoader: () => new data.DataLoader(rows(), { batch_size: 4 }),
  'DataLoader shuffle': () => new data.DataLoader(rows(), { batch_size: 4, shuffle: true }),
  'DataLoader shuffle generator': (generator) =>
    new data.DataLoader(rows(), { batch_size: 5, shuffle: true, generator }),
  'DataLoader drop_last': () => new data.DataLoader(rows(), { batch_size: 4, shuffle: true, drop_last: true }),
  random_split: (generator) => data.random_split(items, [3, 7], { generator }).map((s) => s.indices),
  'random_split fractions': () => data.random_split(items, [0.33, 0.33, 0.34]).map((s) => s.indices),
};

test.each(Object.entries(golden))('%s draws as PyTorch', (name, { values, next }) => {
  torch.manual_seed(3);
  const generator = new torch.Generator().manual_seed(5);
  const source = makers[name](generator);
  const seen = [0, 1].map(() =>
    [...source].map((b) => (Array.isArray(b) && b[0] instanceof torch.Tensor ? b[0].tolist() : b)),
  );
  expect(seen).toEqual(values);
  const draw = (g: torch.Generator) => torch.randint(1000, [], { generator: g }).item();
  expect([draw(torch.default_generator), draw(generator)]).toEqual(next);
});

test('a loader gathers a TensorDataset to what stacking gives', () => {
  const x = torch.arange(24).reshape([4, 3, 2]).float();
  const y = torch.arange(4).bool();
  const dataset = new data.TensorDataset(x.transpose(1, 2), y);
  const subset = new data.Subset(new data.Subset(dataset, [3, 2, 0]), [0, 2, -2]);
  for (const source of [dataset, subset]) {
    const batches = [...new data.DataLoader(source, { batch_size: 2 })];
    const stacked = [...new data.DataLoader(source, { batch_size: 2, collate_fn: (s) => data.default_collate(s) })];
    expect(batches).toHaveLength(2);
    batches.forEach((batch, i) => {
      batch.forEach((t, k) => {
        const expected = (stacked[i] as torch.Tensor[])[k];
        expect([t.tolist(), t.shape, t.dtype]).toEqual([expected.tolist(), expected.shape, expected.dtype]);
      });
    });
  }
  expect(subset.get(1).map((t) => t.tolist())).toEqual(dataset.get(0).map((t) => t.tolist()));
  expect(() => [...new data.DataLoader(dataset, { sampler: [9] })]).toThrow(
    'TensorDataset: index: expected an integer in [-4, 3], got 9',
  );
});

test('a dataset of its own class, samplers and batch samplers', () => {
  class Squares extends data.Dataset<number> {
    get length(): number {
      return 5;
    }
    get(index: number): number {
      return index * index;
    }
  }
  const lists = (options: object) => [...new data.DataLoader(new Squares(), options)].map((b) => b.tolist());
  expect(lists({ batch_size: 2 })).toEqual([[0, 1], [4, 9], [16]]);
  expect(lists({ batch_size: 2, drop_last: true })).toEqual([
    [0, 1],
    [4, 9],
  ]);
  expect(lists({ sampler: [4, 0], batch_size: 2 })).toEqual([[16, 0]]);
  expect(lists({ batch_sampler: [[1], [2, 3]] })).toEqual([[1], [4, 9]]);
  expect([...new data.DataLoader(new Squares(), { batch_size: null })]).toEqual([0, 1, 4, 9, 16]);
  expect([...new data.DataLoader([5, 6, 7], { batch_size: 2, collate_fn: (s) => s.join() })]).toEqual(['5,6', '7']);
  const length = (options: object) => new data.DataLoader(new Squares(), options).length;
  expect([length({}), length({ batch_size: 2 }), length({ batch_size: 2, drop_last: true })]).toEqual([5, 3, 2]);
  const joined = new data.ConcatDataset<number>([new Squares(), [], [7, 8]]);
  expect(joined.length).toBe(7);
  expect([0, 4, 5, 6, -1, -7].map((i) => joined.get(i))).toEqual([0, 16, 7, 8, 8, 0]);
  expect(joined.cumulative_sizes).toEqual([5, 5, 7]);
  expect(() => joined.get(7)).toThrow('ConcatDataset: index: expected an integer in [-7, 6], got 7');
});

test('an iterable dataset streams', () => {
  class Stream extends data.IterableDataset<number> {
    *[Symbol.iterator]() {
      yield* [1, 2, 3];
    }
  }
  const lists = (options: object) => [...new data.DataLoader(new Stream(), options)].map((b) => b.tolist());
  expect(lists({ batch_size: 2 })).toEqual([[1, 2], [3]]);
  expect(lists({ batch_size: 2, drop_last: true })).toEqual([[1, 2]]);
  expect(() => new data.DataLoader(new Stream()).length).toThrow('has no length');
  expect(() => new data.DataLoader(new Stream(), { shuffle: true })).toThrow(
    'DataLoader: shuffle: expected none with an IterableDataset',
  );
});

test('default_collate joins element by element', () => {
  const sample = (i: number) => ({
    x: torch.full([2], i),
    n: i,
    on: i > 0,
    big: BigInt(i),
    name: `s${i}`,
    pair: [i, [i]],
  });
  const batch = data.default_collate([sample(0), sample(1)]) as Record<string, never>;
  const plain = (value: unknown): unknown =>
    value instanceof torch.Tensor
      ? [value.dtype.name, value.tolist()]
      : Array.isArray(value)
        ? value.map(plain)
        : value;
  expect(Object.fromEntries(Object.entries(batch).map(([key, value]) => [key, plain(value)]))).toEqual({
    x: [
      'float32',
      [
        [0, 0],
        [1, 1],
      ],
    ],
    n: ['float32', [0, 1]],
    on: ['bool', [false, true]],
    big: ['int64', [0, 1]],
    name: ['s0', 's1'],
    pair: [['float32', [0, 1]], [['float32', [0, 1]]]],
  });
  const arrays = data.default_collate([new Int32Array([1, 2]), new Int32Array([3, 4])]) as torch.Tensor;
  expect(arrays.tolist()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(() => data.default_collate([[1], [1, 2]])).toThrow('each element in list of batch should be of equal size');
  expect(() => data.default_collate([new Date()])).toThrow('found an object of class Date');
  expect(() => data.default_collate([])).toThrow('default_collate: batch: expected an array of samples, got []');
});

test('random_split gives out what fractions leave over, and warns of empty parts', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const sizes = (of: number, lengths: number[]) => data.random_split(items.slice(0, of), lengths).map((s) => s.length);
  expect(sizes(10, [0.25, 0.25, 0.5])).toEqual([3, 2, 5]);
  expect(warn).not.toHaveBeenCalled();
  expect(sizes(1, [0.5, 0.5])).toEqual([1, 0]);
  expect(warn).toHaveBeenCalledOnce();
  expect(() => sizes(10, [3, 4])).toThrow('expected 10, got [3, 4]');
  expect(() => sizes(10, [0.5, 0.6])).toThrow('sum of input lengths does not equal');
  expect(() => sizes(10, [-1, 11])).toThrow('random_split: lengths: expected an array of numbers >= 0');
});

test('refuses bad arguments', () => {
  const t = torch.zeros(2);
  const refused: [() => unknown, string][] = [
    [() => new data.TensorDataset(), 'TensorDataset: tensors: expected at least one Tensor'],
    [() => new data.TensorDataset(t, torch.zeros(3)), 'size mismatch between tensors'],
    [() => new data.TensorDataset(torch.tensor(1)), 'size mismatch between tensors'],
    [() => new data.Subset({} as never, []), 'Subset: dataset: expected a Dataset (length and get) or an array'],
    [() => new data.ConcatDataset([]), 'ConcatDataset: datasets should not be an empty iterable'],
    [() => new data.DataLoader({} as never), 'DataLoader: dataset: expected a Dataset (length and get) or an array'],
    [() => new data.DataLoader(items, { batch_size: 0 }), 'batch_size: expected a positive integer, got 0'],
    [() => new data.DataLoader(items, { num_workers: 2 } as never), "DataLoader: unknown option 'num_workers'"],
    [() => new data.DataLoader(items, { shuffle: true, sampler: [1] }), 'mutually exclusive with shuffle'],
    [
      () => new data.DataLoader(items, { sampler: 5 as never }),
      'DataLoader: sampler: expected an iterable or null, got 5',
    ],
    [
      () => new data.DataLoader(items, { batch_sampler: 5 as never }),
      'DataLoader: batch_sampler: expected an iterable',
    ],
    [
      () => data.default_collate([{ a: 1 }, null]),
      'default_collate: each element in list of batch should have the keys a; found null',
    ],
    [() => data.default_collate([{ a: 1 }, { b: 1 }]), 'should have the keys a; found an object of class Object'],
    [
      () => new data.DataLoader(items, { batch_sampler: [], batch_size: 2 }),
      'batch_sampler option is mutually exclusive',
    ],
    [() => new data.DataLoader(items, { batch_size: null, drop_last: true }), 'mutually exclusive with drop_last'],
    [
      () => new data.DataLoader([], { shuffle: true }),
      'RandomSampler: num_samples: expected a positive integer, got 0',
    ],
    [
      () => new data.DataLoader(items, { generator: 3 } as never),
      'DataLoader: generator: expected a Generator or null',
    ],
    [() => new data.RandomSampler(items, { num_samples: 1.5 }), 'num_samples: expected a positive integer, got 1.5'],
    [() => new data.RandomSampler(items, { generator: 3 } as never), 'generator: expected a Generator or null, got 3'],
    [() => new data.WeightedRandomSampler(torch.ones(2, 2), 1), 'weights: expected one dimension'],
    [() => new data.BatchSampler(3 as never, 1, false), 'BatchSampler: sampler: expected an iterable, got 3'],
  ];
  for (const [make, message] of refused) expect(make).toThrow(message);
});
