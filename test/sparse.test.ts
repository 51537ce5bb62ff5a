import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database } from './optim/database.js';
import { combinations, type Options } from './optim/options.js';

const { nn, optim } = torch;
const F = nn.functional;

interface Lookup {
  indices: number[];
  values: number[][];
}

interface Case {
  optimizer: 'SparseAdam' | 'SGD' | 'Adagrad';
  options: Options;
  dtype: 'float32' | 'float64';
  /** After `split` steps: the weight, its state, and the group. */
  middle: number[];
  state: Record<string, number | number[]>;
  group: Options;
  end: number[];
}

interface Golden {
  split: number;
  start: number[][];
  lookups: (Lookup | null)[];
  gradients: {
    steps: number[];
    options: Options;
    indices: number[][];
    values: number[][];
    coalesced: [number[][], number[][]];
    dense: number[][];
  }[];
  text: [string, string];
  printed: string;
  cases: Case[];
}

const golden: Golden = JSON.parse(readFileSync(new URL('./golden/sparse.json', import.meta.url), 'utf8'));
const { split, lookups } = golden;

const leaf = (dtype: torch.DType = torch.float32): torch.Tensor =>
  torch.tensor(golden.start, { dtype, requires_grad: true });

function backward(weight: torch.Tensor, { indices, values }: Lookup, options: Options = {}): void {
  const out = F.embedding(torch.tensor(indices, { dtype: torch.int64 }), weight, { sparse: true, ...options });
  out
    .mul(torch.tensor(values, { dtype: weight.dtype }).reshape([indices.length, 3]))
    .sum()
    .backward();
}

const small: Lookup = {
  indices: [4, 1, 4],
  values: [
    [1, 2, 3],
    [-1.5, 0.25, 0],
    [1, 1, 1],
  ],
};

describe('a sparse gradient', () => {
  test.each(golden.gradients)("is PyTorch's: lookups $steps, $options", ({ steps, options, ...expected }) => {
    const weight = leaf();
    for (const step of steps) backward(weight, lookups[step]!, options);
    const grad = weight.grad!;
    const single = (values: number[][]): number[][] => values.map((row) => row.map(Math.fround));
    // Sums of several are rounded in another order.
    const expectEqual = (actual: torch.Tensor, values: number[][]): void => {
      const scale = Math.max(0, ...values.flat().map(Math.abs));
      const distance = values.length === 0 ? 0 : actual.sub(torch.tensor(values)).abs().max().item<number>();
      expect(distance).toBeLessThanOrEqual(steps.length === 1 ? 0 : 2 ** -22 * scale);
    };
    expect(grad.is_sparse).toBe(true);
    expect([grad.shape, grad.dtype, grad.numel()]).toEqual([[6, 3], torch.float32, 18]);
    expect([grad.sparse_dim(), grad.dense_dim()]).toEqual([1, 1]);
    expect(grad._indices().dtype).toBe(torch.int64);
    if (steps.length === 1) {
      // Of a sum, PyTorch joins some equal indices and not others.
      expect(grad._nnz()).toBe(expected.values.length);
      expect(grad._indices().tolist()).toEqual(expected.indices);
      expect(grad._values().tolist()).toEqual(single(expected.values));
    }
    const unique = grad.coalesce();
    expect(unique.is_coalesced()).toBe(true);
    expect(unique.coalesce()).toBe(unique);
    expect(unique.indices().tolist()).toEqual(expected.coalesced[0]);
    expectEqual(unique.values(), expected.coalesced[1]);
    expectEqual(grad.to_dense(), expected.dense);
    expectEqual(unique.to_dense(), expected.dense);
  });

  test('prints as PyTorch does', () => {
    const weight = leaf();
    backward(weight, small);
    expect(String(weight.grad)).toBe(golden.text[0]);
    expect(String(weight.grad!.coalesce())).toBe(golden.text[1]);
  });

  test('adds to sparse and dense ones, in one graph or from one backward to the next', () => {
    const dense = leaf();
    backward(dense, small, { sparse: false });
    const expected = dense.grad!.add(2).tolist();
    const looked = (w: torch.Tensor): torch.Tensor =>
      F.embedding(torch.tensor(small.indices, { dtype: torch.int64 }), w, { sparse: true })
        .mul(torch.tensor(small.values))
        .sum();
    const doubled = (w: torch.Tensor): torch.Tensor => w.mul(2).sum();
    const ways: ((w: torch.Tensor) => void)[] = [
      (w) => looked(w).add(doubled(w)).backward(),
      (w) => doubled(w).add(looked(w)).backward(),
      (w) => [looked, doubled].forEach((f) => f(w).backward()),
      (w) => [doubled, looked].forEach((f) => f(w).backward()),
      (w) => [doubled, looked].forEach((f) => f(w).backward({ inputs: [w] })),
      (w) => [looked, doubled].forEach((f) => f(w).backward({ inputs: [w] })),
    ];
    for (const way of ways) {
      const weight = leaf();
      way(weight);
      expect(weight.grad!.is_sparse).toBe(false);
      expect(weight.grad!.tolist()).toEqual(expected);
    }
    const weight = leaf();
    looked(weight).add(looked(weight)).backward();
    expect(weight.grad!._nnz()).toBe(6);
    expect(weight.grad!.to_dense().tolist()).toEqual(dense.grad!.mul(2).tolist());
  });

  test('does not change with the indices it was made of, nor with its copies', () => {
    const indices = torch.tensor([1, 3], { dtype: torch.int64 });
    const weight = leaf();
    F.embedding(indices, weight, { sparse: true }).sum().backward();
    indices.zero_();
    const copy = weight.grad!.clone();
    weight.grad!.mul_(3);
    expect(weight.grad!._indices().tolist()).toEqual([[1, 3]]);
    expect(weight.grad!._values().sum().item()).toBe(18);
    expect(copy._values().sum().item()).toBe(6);
    expect(weight.grad!.neg()._values().sum().item()).toBe(-18);
    expect(weight.grad!.detach().mul(torch.tensor(2))._values().sum().item()).toBe(36);
  });

  test('goes through hooks, autograd.grad and modules', () => {
    const layer = new nn.Embedding(6, 3, { sparse: true, padding_idx: 0 });
    expect(String(layer)).toBe('Embedding(6, 3, padding_idx=0, sparse=True)');
    const seen: boolean[] = [];
    layer.weight.register_hook((g) => {
      seen.push(g.is_sparse);
      return g.mul(2);
    });
    const input = torch.tensor(
      [
        [0, 1],
        [2, 1],
      ],
      { dtype: torch.int64 },
    );
    layer.forward(input).sum().backward();
    expect(seen).toEqual([true]);
    expect(layer.weight.grad!.coalesce().indices().tolist()).toEqual([[1, 2]]);
    expect(layer.weight.grad!.coalesce().values().tolist()).toEqual([
      [4, 4, 4],
      [2, 2, 2],
    ]);
    const [grad] = torch.autograd.grad(layer.forward(input).sum(), layer.weight);
    expect(grad!.is_sparse).toBe(true);
    layer.zero_grad({ set_to_none: false });
    expect(layer.weight.grad!._nnz()).toBe(0);
    layer.zero_grad();
    expect(layer.weight.grad).toBeNull();
  });

  test('is dense where ops follow, or the backward is itself recorded', () => {
    const base = leaf(torch.float64);
    const input = torch.tensor([4, 1, 4], { dtype: torch.int64 });
    F.embedding(input, base.mul(2), { sparse: true }).sum().backward();
    expect(base.grad!.is_sparse).toBe(false);
    expect(base.grad!.sum(1).tolist()).toEqual([0, 6, 0, 0, 12, 0]);
    const weight = leaf(torch.float64);
    const [grad] = torch.autograd.grad(F.embedding(input, weight, { sparse: true }).pow(2).sum(), weight, {
      create_graph: true,
    });
    expect(grad!.is_sparse).toBe(false);
    const [second] = torch.autograd.grad(grad!.sum(), weight);
    expect(second!.to_dense().sum(1).tolist()).toEqual([0, 6, 0, 0, 12, 0]);
  });

  test('what it cannot do says so', () => {
    const weight = leaf();
    backward(weight, small);
    const grad = weight.grad!;
    const unable = 'not implemented for sparse';
    const uses: (() => unknown)[] = [
      () => grad.add(1),
      () => torch.ones(6, 3).mul(grad),
      () => torch.mm(grad, torch.ones(3, 2)),
      () => grad.mul(torch.ones(3)),
      () => grad.exp(),
      () => grad.sum(),
      () => grad.norm(),
      () => grad.t().contiguous(),
      () => grad.reshape([18]).tolist(),
      () => grad.tolist(),
      () => grad.toTypedArray(),
      () => grad.fill_(0),
      () => grad.add_(torch.ones(6, 3)),
      () => torch.ones(6, 3).copy_(grad),
      () => torch.cat([grad, grad]),
      () => nn.utils.clip_grad_norm_([weight], 1),
      () => nn.utils.clip_grad_value_([weight], 1),
      () => nn.utils.get_total_norm([grad]),
    ];
    for (const use of uses) expect(use, String(use)).toThrow(unable);
    expect(() => nn.utils.clip_grad_norm_([weight], 1)).toThrow(
      'clip_grad_norm_: not implemented for sparse gradients',
    );
    expect(() => grad.indices()).toThrow('indices: cannot get indices of an uncoalesced tensor, call coalesce() first');
    expect(() => grad.values()).toThrow('values: cannot get values of an uncoalesced tensor');
    expect(() => weight.coalesce()).toThrow('coalesce: input: expected a sparse tensor, got a tensor of shape [6, 3]');
    expect(() => weight._values()).toThrow('_values: input: expected a sparse tensor');
    expect(weight.to_dense()).toBe(weight);
    expect(weight.is_sparse).toBe(false);
    expect(() => F.embedding(torch.tensor([1]).long(), weight, { sparse: true, scale_grad_by_freq: true })).toThrow(
      'embedding: scale_grad_by_freq: not supported with sparse gradients',
    );
    expect(grad.to_dense().sum().item()).toBe(7.75);
  });
});

describe.each(['SparseAdam', 'SGD', 'Adagrad'] as const)('%s with sparse gradients', (name) => {
  const cases = golden.cases.filter((c) => c.optimizer === name);
  const make = (weight: torch.Tensor, options: Options): torch.optim.Optimizer => new optim[name]([weight], options);
  const run = (optimizer: torch.optim.Optimizer, weight: torch.Tensor, first = 0, last = split): number[] => {
    const largest = (weight.flatten().tolist() as number[]).map(Math.abs);
    for (let step = first; step < last; step++) {
      optimizer.zero_grad();
      const lookup = lookups[step];
      if (lookup) backward(weight, lookup);
      optimizer.step();
      (weight.flatten().tolist() as number[]).forEach((x, k) => (largest[k] = Math.max(largest[k], Math.abs(x))));
    }
    return largest;
  };
  /** Within 12 times the dtype's epsilon of the largest that each element has been. */
  const expectClose = (t: torch.Tensor, expected: number[], largest = expected): void => {
    const eps = t.dtype === torch.float32 ? 2 ** -23 : 2 ** -52;
    (t.flatten().tolist() as number[]).forEach((x, k) => {
      const bound = 12 * eps * Math.max(Math.abs(largest[k]), Math.abs(expected[k]));
      expect(Math.abs(x - expected[k]), `[${k}]: ${x} instead of ${expected[k]}`).toBeLessThanOrEqual(bound);
    });
  };

  test('the golden file has every valid combination', () => {
    const valid = database.find((row) => row.name === name)?.valid ?? combinations(name);
    const taken = valid.filter((options) => !('weight_decay' in options || 'fused' in options));
    expect(cases.map((c) => c.options)).toEqual(taken.flatMap((options) => [options, options]));
  });

  test.each(cases)('follows PyTorch: $options $dtype', ({ options, dtype, middle, state, group, end }) => {
    const weight = leaf(torch[dtype]);
    const optimizer = make(weight, options);
    expectClose(weight, middle, run(optimizer, weight));
    const dict = optimizer.state_dict();
    const own = (dict.state[0] ?? {}) as Record<string, torch.Tensor | number>;
    expect(Object.keys(own).sort()).toEqual(Object.keys(state).sort());
    for (const [key, value] of Object.entries(state)) {
      const ours = own[key];
      if (typeof value === 'number') expect(ours).toBe(value);
      else expectClose(ours as torch.Tensor, value);
    }
    expect(dict.param_groups).toEqual([group]);
    expectClose(weight, end, run(optimizer, weight, split, lookups.length));
  });

  test.each(cases)("continues bit for bit, and from PyTorch's state: $options $dtype", (c) => {
    const [weight, other] = [leaf(torch[c.dtype]), leaf(torch[c.dtype])];
    const optimizer = make(weight, c.options);
    run(optimizer, weight);
    torch.no_grad(() => other.copy_(weight));
    const resumed = make(other, {});
    resumed.load_state_dict(optimizer.state_dict());
    run(optimizer, weight, split, lookups.length);
    run(resumed, other, split, lookups.length);
    expect(other.tolist()).toEqual(weight.tolist());
    const third = torch.tensor(c.middle, { dtype: torch[c.dtype] }).reshape([6, 3]).clone().requires_grad_();
    const state = Object.fromEntries(
      Object.entries(c.state).map(([key, value]) => [
        key,
        typeof value === 'number' || value.length === 1
          ? value
          : torch.tensor(value, { dtype: torch.float64 }).reshape([6, 3]),
      ]),
    );
    if (state.step !== undefined) state.step = Number(state.step);
    const fresh = make(third, {});
    fresh.load_state_dict({
      state: Object.keys(state).length > 0 ? { 0: state } : {},
      param_groups: [c.group],
    } as never);
    expectClose(third, c.end, run(fresh, third, split, lookups.length));
  });
});

const others = [
  'ASGD',
  'Adadelta',
  'Adafactor',
  'Adam',
  'AdamW',
  'Adamax',
  'Muon',
  'NAdam',
  'RAdam',
  'RMSprop',
  'Rprop',
];

test.each(others)('%s names the problem when given a sparse gradient, and changes nothing', (name) => {
  const [dense, weight] = [leaf(), leaf()];
  const optimizer = new optim[name as 'Adam']([dense, weight]);
  dense.grad = torch.ones(6, 3);
  backward(weight, small);
  const message = `step: grad: ${name} does not support sparse gradients, please consider SparseAdam instead`;
  expect(() => optimizer.step()).toThrow(message);
  expect(dense.tolist()).toEqual(leaf().tolist());
  weight.grad = weight.grad!.to_dense();
  optimizer.step();
  expect(dense.tolist()).not.toEqual(leaf().tolist());
});

test.each([
  ['SGD', { weight_decay: 0.1 }, 'step: weight_decay: not supported with sparse gradients'],
  ['Adagrad', { weight_decay: 0.1 }, 'step: weight_decay: not supported with sparse gradients'],
  ['SGD', { fused: true }, 'step: fused: not supported with sparse gradients'],
  ['Adagrad', { fused: true }, 'step: fused: not supported with sparse gradients'],
] as const)('%s with %o refuses sparse gradients, and changes nothing', (name, options, message) => {
  const [dense, weight] = [leaf(), leaf()];
  const optimizer = new optim[name]([dense, weight], options);
  dense.grad = torch.ones(6, 3);
  backward(weight, small);
  expect(() => optimizer.step()).toThrow(message);
  expect(dense.tolist()).toEqual(leaf().tolist());
});

test('LBFGS takes sparse gradients as dense ones', () => {
  const [a, b] = [leaf(torch.float64), leaf(torch.float64)];
  const minimize = (weight: torch.Tensor, sparse: boolean): void => {
    const optimizer = new optim.LBFGS([weight], { line_search_fn: 'strong_wolfe' });
    optimizer.step(() => {
      optimizer.zero_grad();
      const rows = F.embedding(torch.tensor([1, 3, 1], { dtype: torch.int64 }), weight, { sparse });
      const loss = rows.sub(1).pow(2).sum();
      loss.backward();
      return loss;
    });
  };
  minimize(a, true);
  minimize(b, false);
  expect(a.tolist()).toEqual(b.tolist());
  expect(a.select(0, 1).sub(1).abs().max().item()).toBeLessThan(1e-6);
});

describe('SparseAdam', () => {
  const { SparseAdam } = optim;

  test('refuses bad options', () => {
    const bad: [Options, string][] = [
      [{ lr: -1 }, 'SparseAdam: lr: expected a number >= 0, got -1'],
      [{ lr: NaN }, 'SparseAdam: lr: expected a number >= 0, got NaN'],
      [{ lr: '1' }, 'SparseAdam: lr: expected a number >= 0, got "1"'],
      [{ eps: 0 }, 'SparseAdam: eps: expected a number > 0, got 0'],
      [{ betas: [1, 0.9] }, 'SparseAdam: betas: expected two numbers in [0, 1), got [1, 0.9]'],
      [{ maximize: 1 }, 'SparseAdam: maximize: expected a boolean, got 1'],
      [{ weight_decay: 0.1 }, "SparseAdam: unknown option 'weight_decay'"],
    ];
    expect(() => new SparseAdam([leaf()], { lr: 0 })).toThrow('SparseAdam: lr: expected a number > 0, got 0');
    for (const [options, message] of bad) {
      expect(() => new SparseAdam([leaf()], options)).toThrow(message);
      const optimizer = new SparseAdam([leaf()]);
      expect(() => optimizer.add_param_group({ params: [leaf()], ...options })).toThrow(message);
    }
  });

  test('refuses sparse parameters', () => {
    const weight = leaf();
    backward(weight, small);
    const message = 'SparseAdam: params: expected dense tensors, got a tensor of shape [6, 3] and dtype float32';
    expect(() => new SparseAdam([weight.grad!])).toThrow(message);
    expect(() => new SparseAdam([weight]).add_param_group({ params: [weight.grad!] })).toThrow(message);
  });

  test('refuses dense gradients and state that does not fit, and changes nothing', () => {
    const [weight, dense] = [leaf(), leaf()];
    const optimizer = new SparseAdam([weight, dense]);
    backward(weight, small);
    dense.grad = torch.ones(6, 3);
    expect(() => optimizer.step()).toThrow(
      'step: grad: SparseAdam does not support dense gradients, please consider Adam instead',
    );
    dense.grad = null;
    expect(weight.tolist()).toEqual(leaf().tolist());
    optimizer.step();
    const dict = optimizer.state_dict();
    const wrong = { ...dict, state: { 0: { ...dict.state[0], step: torch.tensor(1) } } };
    expect(() => optimizer.load_state_dict(wrong)).toThrow(
      'load_state_dict: state[0].step: expected a number, got a tensor',
    );
    const before = weight.tolist();
    optimizer.state.get(weight)!.step = null;
    expect(() => optimizer.step()).toThrow('step: state step: expected a number, got null');
    expect(weight.tolist()).toEqual(before);
  });

  test('takes groups of their own learning rates, as numbers or tensors', () => {
    const [a, b, c] = [leaf(), leaf(), leaf()];
    const optimizer = new SparseAdam([{ params: [a] }, { params: [b], lr: torch.tensor(0.5) }], { lr: 0.1 });
    const alone = new SparseAdam([c], { lr: 0.5 });
    [a, b, c].forEach((w) => backward(w, small));
    optimizer.step();
    alone.step();
    expect(b.tolist()).toEqual(c.tolist());
    expect(a.tolist()).not.toEqual(c.tolist());
  });

  test('prints as PyTorch does', () => {
    expect(String(new SparseAdam([torch.zeros(1)]))).toBe(golden.printed);
  });
});
