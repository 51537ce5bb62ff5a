import { afterEach, expect, test } from 'vitest';
import * as torch from 'cresset';

const before = torch.get_num_threads();
afterEach(() => torch.set_num_threads(before));

/** Large enough to be split: what each computes with one thread, it computes with any number, bit for bit. */
const computations: Record<string, () => torch.Tensor> = {
  'a product': () => torch.randn(500, 300).mm(torch.randn(300, 400)),
  'a product with a short inner dimension': () => torch.randn(512, 32).mm(torch.randn(32, 784)),
  'a product whose second operand is packed': () => torch.randn(300, 700).mm(torch.randn(500, 700).t()),
  'a product of which both operands are packed': () => torch.randn(700, 1024).t().mm(torch.randn(600, 700).t()),
  'a product of few rows': () => torch.randn(20, 700).mm(torch.randn(500, 700).t()),
  'a product of one row, and a matrix as it lies': () => torch.randn(1, 1500).mm(torch.randn(1500, 3000)),
  'a product with a long inner dimension': () => torch.randn(8, 20_000).mm(torch.randn(20_000, 8)),
  'a batch of small products': () => torch.randn(37, 40, 50).bmm(torch.randn(37, 60, 50).transpose(1, 2)),
  'a batch of products that broadcast, with an addend': () =>
    torch.baddbmm(torch.randn(1, 40), torch.randn(64, 30, 20), torch.randn(1, 20, 40).expand(64, 20, 40), {
      beta: 0.5,
    }),
  'the sum of all': () => torch.randn(1_000_003).sum(),
  'sums of columns': () => torch.randn(20_000, 50).sum(0),
  'the product of two vectors': () => torch.randn(1_000_003).dot(torch.randn(1_000_003)),
  log_softmax: () => torch.randn(2_000, 300).log_softmax(1),
  'elementwise functions': () => torch.randn(1_000_003).tanh(),
  'a step of Adam after clipping': () => {
    const params = [torch.randn(700, 700), torch.randn(1_003)].map((p) => p.requires_grad_());
    for (const p of params) p.grad = torch.randn_like(p);
    torch.nn.utils.clip_grad_norm_(params, 1);
    new torch.optim.Adam(params, { lr: 0.1 }).step();
    return torch.cat(params.map((p) => p.detach().flatten()));
  },
  'training with an embedding, dropout and clipping': () => {
    const { nn, optim } = torch;
    const embedding = new nn.Embedding(500, 64);
    const body = new nn.Sequential(new nn.Linear(64, 300), new nn.GELU(), new nn.Dropout(), new nn.Linear(300, 10));
    const params = [...embedding.parameters(), ...body.parameters()];
    const optimizer = new optim.AdamW(params, { lr: 0.003 });
    for (let step = 0; step < 10; step++) {
      const words = torch.randint(0, 500, [256]);
      const loss = nn.functional.cross_entropy(body.forward(embedding.forward(words)), words.remainder(10));
      optimizer.zero_grad();
      loss.backward();
      nn.utils.clip_grad_norm_(params, 1);
      optimizer.step();
    }
    return torch.cat(params.map((p) => p.detach().flatten()));
  },
};

test.each(Object.keys(computations))('%s does not depend on the number of threads', (name) => {
  const counts = torch.backends.name === 'native' ? [1, 2, 3, 8] : [1]; // the reference backend has one, whatever is set
  const results = counts.map((threads) => {
    torch.set_num_threads(threads);
    torch.manual_seed(0);
    return computations[name]();
  });
  for (const result of results) expect(torch.equal(result, results[0])).toBe(true);
  expect(results[0].isfinite().all().item()).toBe(true);
});

test('a number of threads that cannot be is refused', () => {
  for (const bad of [0, 1.5, NaN, 1e9]) {
    expect(() => torch.set_num_threads(bad)).toThrow(/set_num_threads: num: expected an integer from 1 to 1024/);
  }
  expect(torch.get_num_threads()).toBe(before);
});
