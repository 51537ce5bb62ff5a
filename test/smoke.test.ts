import { expect, test } from 'vitest';
import * as torch from 'cresset';

test('a recorded linear layer has the gradients of its parts', () => {
  const x = torch.tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { requires_grad: true },
  );
  const w = torch.ones(4, 3, { requires_grad: true });
  const b = torch.zeros(4, { requires_grad: true });
  const loss = torch.nn.functional.linear(x, w, b).relu().sum();
  loss.backward();
  expect(loss.item()).toBe(84);
  expect(x.grad!.tolist()).toEqual([
    [4, 4, 4],
    [4, 4, 4],
  ]);
  expect(w.grad!.tolist()).toEqual([
    [5, 7, 9],
    [5, 7, 9],
    [5, 7, 9],
    [5, 7, 9],
  ]);
  expect(b.grad!.tolist()).toEqual([2, 2, 2, 2]);
});
