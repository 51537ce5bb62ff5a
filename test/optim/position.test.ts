import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database } from './database.js';

const start = [0.3, -1.7, 2.5, 0.01, -0.4, 1.1, -3.3];
const gradients = [1e-4, -0.9, 3.3, -70, 0.2, 11, -0.003];
/** Full vectors of every instruction set, with and without elements left over. */
const lengths = [1, 2, 3, 5, 9, 40, 83];

const repeated = (values: number[], length: number) => Array.from({ length }, (_, i) => values[i % values.length]);

// LAMB's steps depend on the norm of the tensor.
describe.each(database.filter(({ name }) => name !== 'LAMB'))('$name', ({ make, valid, fullest }) => {
  test.each(['float32', 'float64'] as const)('steps a %s element alike wherever it lies', (dtype) => {
    const tensor = (values: number[], length: number) =>
      torch.tensor(repeated(values, length), { dtype: torch[dtype] });
    for (const options of [fullest, ...valid]) {
      if (options.differentiable) continue; // by ops
      const params = [start.length, ...lengths].map((length) => tensor(start, length).requires_grad_());
      const optimizers = params.map((p) => make([p], options));
      for (let step = 0; step < 6; step++) {
        const grads = start.map((_, i) => gradients[(i * (step + 1)) % start.length] * (1 + i + step));
        params.forEach((p) => (p.grad = tensor(grads, p.numel())));
        optimizers.forEach((optimizer) => optimizer.step());
      }
      const [expected, ...others] = params.map((p) => p.tolist() as number[]);
      others.forEach((values) => expect(values, JSON.stringify(options)).toEqual(repeated(expected, values.length)));
    }
  });
});
