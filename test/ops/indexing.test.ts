import { expect, test } from 'vitest';
import * as torch from 'cresset';

// Enough elements for several threads: each element of the result is set, or added to, in the order of the positions.

const shape = [40, 50, 11];

/** The elements of a contiguous tensor of `shape` that `index`, of the shape `[a, b, c]`, names along `dim`, position by position. */
function* named(index: torch.Tensor, dim: number): Generator<[position: number, element: number]> {
  const [a, b, c] = index.shape;
  const at = index.flatten().tolist() as number[];
  for (let i = 0, position = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++, position++) {
        const [x, y, z] = [i, j, k].map((own, d) => (d === dim ? at[position] : own));
        yield [position, (x * shape[1] + y) * shape[2] + z];
      }
    }
  }
}

const dtypes = [torch.float32, torch.int64, torch.uint8];
/** As they lie, the last dimension outermost, and every second one of more. */
const layouts: Record<string, (t: torch.Tensor) => torch.Tensor> = {
  contiguous: (t) => t,
  permuted: (t) => t.permute(2, 0, 1).contiguous().permute(1, 2, 0),
  'with gaps': (t) => torch.stack([t, t.neg()], 3).select(3, 0),
};

const cases = dtypes.flatMap((dtype) =>
  Object.keys(layouts).flatMap((layout) => [0, 1, 2].map((dim) => ({ dtype, layout, dim }))),
);

test.each(cases)('$dtype $layout, along dimension $dim', ({ dtype, layout, dim }) => {
  torch.manual_seed(7);
  const lay = layouts[layout];
  const integers = (of: number[]) => lay(torch.randint(0, 5, of, { dtype }));
  const base = integers(shape);
  const positions = shape.map((size, d) => (d === dim ? 2 * size : size));
  const source = integers(positions);
  const index = lay(torch.randint(0, shape[dim], positions));
  const [from, terms] = [base, source].map((t) => t.flatten().tolist() as number[]);
  const [set, sum, got] = [from.slice(), from.slice(), [] as number[]];
  for (const [position, element] of named(index, dim)) {
    got.push(from[element]);
    set[element] = terms[position];
    sum[element] += terms[position];
  }
  const same = (result: torch.Tensor, elements: number[]) =>
    torch.equal(result, torch.tensor(elements, { dtype }).reshape(result.shape));
  expect(same(base.gather(dim, index), got)).toBe(true);
  expect(same(base.scatter(dim, index, source), set)).toBe(true);
  expect(same(base.scatter_add(dim, index, source), sum)).toBe(true);
  const inPlace = lay(base.clone());
  inPlace.scatter_add_(dim, index, source);
  expect(same(inPlace, sum)).toBe(true);
});

test.each([0, 1, 2])('an index out of range among many is named, along dimension %i', (dim) => {
  const base = torch.zeros(shape);
  for (const [bad, at] of [
    [-1, 0],
    [shape[dim], 21_000],
    [2 ** 40, shape[0] * shape[1] * shape[2] - 1],
  ]) {
    // prettier-ignore
    const index = torch.zeros(shape, { dtype: torch.int64 });
    index.view(-1).narrow(0, at, 1).fill_(bad);
    for (const call of [
      () => base.gather(dim, index),
      () => base.scatter_(dim, index, torch.ones(shape)),
      () => base.scatter_add_(dim, index, torch.ones(shape)),
    ])
      expect(call).toThrow(`index ${bad}`);
  }
  expect(base.count_nonzero().item()).toBe(0);
});

test('nothing is moved where there are no positions', () => {
  for (const [base, index] of [
    [
      [3, 2],
      [0, 2],
    ],
    [
      [3, 2],
      [3, 0],
    ],
    [
      [3, 0],
      [3, 0],
    ],
    [
      [0, 2],
      [0, 2],
    ],
  ]) {
    // prettier-ignore
    const places = torch.zeros(index, { dtype: torch.int64 });
    for (const dim of [0, 1]) {
      const t = torch.ones(base);
      expect(t.gather(dim, places).shape).toEqual(index);
      expect(t.scatter(dim, places, torch.zeros(index)).equal(t)).toBe(true);
      expect(t.scatter_add(dim, places, torch.zeros(index)).equal(t)).toBe(true);
    }
  }
});
