import { expect, test } from 'vitest';
import * as torch from 'cresset';

const { float64, int64 } = torch;
const table = [
  [0.3, -1.2, 0.8],
  [1.1, 0.4, -0.5],
  [-0.7, 2.2, 0.1],
  [0.9, -0.3, 1.6],
];
const places = torch.tensor([2, 0, 2], { dtype: int64 });
const points = torch.tensor([[2], [0], [1], [2]], { dtype: int64 });
const mask = torch.tensor(table).gt(0.2);

/** What picks elements of a table, and how often it picks each, row by row. */
const pickers: [name: string, pick: (x: torch.Tensor) => torch.Tensor, times: string][] = [
  ['index_select', (x) => x.index_select(0, places), '111 000 222 000'],
  ['gather', (x) => x.gather(1, points), '001 100 010 001'],
  ['index', (x) => x.index(places), '111 000 222 000'],
  ['masked_select', (x) => x.masked_select(mask), '101 110 010 101'],
  ['index by a mask', (x) => x.index(mask), '101 110 010 101'],
  ['sort', (x) => x.sort(0).values, '111 111 111 111'],
  ['topk', (x) => x.topk(2, 0).values, '001 110 010 101'],
  ['kthvalue', (x) => x.kthvalue(1, 1).values, '010 001 100 010'],
  ['unfold', (x) => x.unfold(0, 2, 1), '111 222 222 111'],
  ['embedding', (x) => torch.nn.functional.embedding(places, x), '111 000 222 000'],
];

test.each(pickers)('the gradient of %s goes to zeros that are not copied', (name, pick, times) => {
  const x = torch.tensor(table, { dtype: float64, requires_grad: true });
  const picked = pick(x);
  const grad = torch.ones_like(picked);
  const profile = torch.profiler.profile(() => picked.backward(grad));
  expect(x.grad!.tolist()).toEqual(times.split(' ').map((row) => Array.from(row, Number)));
  const written = profile.key_averages().filter(({ key }) => key === 'fill' || key === 'copy');
  // index copies its places, unfold those and the windows.
  const copies = { index: 1, unfold: 2 }[name] ?? 0;
  expect(Object.fromEntries(written.map(({ key, count }) => [key, count]))).toEqual({
    fill: 1,
    ...(copies > 0 && { copy: copies }),
  });
  expect(torch.autograd.gradgradcheck((t) => pick(t).sin(), [x.detach().requires_grad_()])).toBe(true);
});
