import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as torch from 'cresset';

const F = torch.nn.functional;
type Numbers = (number | string)[] | null;

interface Case {
  f: string;
  args: unknown[];
  options: Record<string, unknown>;
  shape: number[];
  out: Numbers;
  node?: string;
  grads?: Record<string, Numbers>;
  second?: Numbers[] | null;
}

const golden: {
  tensors: Record<string, { shape: number[]; strided: boolean; dtype: string; values: number[] }>;
  cases: Case[];
  random: { f: string; x: string; seed: number; options: object; out: Numbers }[];
  renormalized: { norm_type: number; out: Numbers; table: Numbers }[];
} = JSON.parse(readFileSync(new URL('../golden/nn_functional.json', import.meta.url), 'utf8'));
const functions = F as unknown as Record<string, (...args: unknown[]) => torch.Tensor>;

/** A tensor of the table; floating-point ones in the dtype under test. */
function tensorOf(name: string, float: torch.DType): torch.Tensor {
  const { shape, strided, dtype, values } = golden.tensors[name];
  const type = dtype === 'float64' ? float : (torch[dtype as 'int64'] as torch.DType);
  const t = torch.tensor(values, { dtype: type }).reshape(shape);
  return strided ? t.t().contiguous().t() : t;
}

/** The output gradient of every case. */
function seeded(t: torch.Tensor): torch.Tensor {
  const values = Array.from({ length: t.numel() }, (_, i) => ((i * 7) % 5) / 2 - 0.75);
  return torch.tensor(values, { dtype: t.dtype }).reshape(t.shape);
}

/**
 * Expected values are PyTorch's in float64. Float32 may differ by the rounding of its own few operations: some units of the
 * greatest value (sums cancel), more for the sums of gradients of gradients.
 */
function near(got: torch.Tensor | null, expected: Numbers, tolerance: number, what: string): void {
  if (expected === null) {
    if (got !== null) expect(got.abs().max().item(), what).toBe(0);
    return;
  }
  if (got === null) {
    expect(
      expected.every((v) => v === 0),
      `${what}: no gradient`,
    ).toBe(true);
    return;
  }
  const values = got.detach().flatten().tolist() as number[];
  const numbers = expected.map(Number);
  expect(values.length, what).toBe(numbers.length);
  const scale = Math.max(1, ...numbers.filter(Number.isFinite).map(Math.abs));
  values.forEach((v, i) => {
    const same = Object.is(v, numbers[i]) || Math.abs(v - numbers[i]) <= tolerance * scale;
    if (!same) expect.fail(`${what}[${i}]: expected ${numbers[i]}, got ${v}`);
  });
}

function run({ f, args, options, shape, out, node, grads, second }: Case, dtype: torch.DType): void {
  // The slope of PyTorch's hardsigmoid is 1/6 in float32, whatever the dtype.
  const eps = dtype === torch.float32 || f === 'hardsigmoid' ? 2 ** -23 : 2 ** -51;
  const leaves: Record<string, torch.Tensor> = {};
  const resolve = (value: unknown): unknown => {
    if (typeof value !== 'string' || !/^[@=]/.test(value)) return value;
    const name = value.slice(1);
    const t = tensorOf(name, dtype);
    if (grads && name in grads) leaves[name] = t.requires_grad_();
    return t;
  };
  const given = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, resolve(value)]));
  const positional = args.map(resolve);
  const result = functions[f](...positional, ...(Object.keys(given).length > 0 ? [given] : []));
  expect(result.shape).toEqual(shape);
  near(result, out, 16 * eps, 'out');
  if (!grads) return;
  if (node) expect(result.grad_fn!.name()).toBe(node);
  const inputs = Object.keys(grads).map((name) => leaves[name]);
  const plain = torch.autograd.grad(result, inputs, {
    grad_outputs: seeded(result),
    allow_unused: true,
    retain_graph: true,
  });
  plain.forEach((x, i) => near(x, Object.values(grads)[i], 16 * eps, `gradient ${Object.keys(grads)[i]}`));
  const g = seeded(result).requires_grad_();
  const recorded = torch.autograd.grad(result, inputs, { grad_outputs: g, create_graph: true, allow_unused: true });
  recorded.forEach((x, i) => near(x, Object.values(grads)[i], 16 * eps, `recorded gradient ${Object.keys(grads)[i]}`));
  if (!second) return;
  const total = recorded
    .filter((x) => x !== null && x.requires_grad)
    .map((x) => x!.mul(seeded(x!)).sum())
    .reduce((a, b) => a.add(b));
  const again = torch.autograd.grad(total, [g, ...inputs], { allow_unused: true });
  again.forEach((x, i) => near(x, second[i], 64 * eps, `second gradient ${i}`));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(['float32', 'float64'] as const)("PyTorch's values and gradients in %s", (dtype) => {
  test.each([...new Set(golden.cases.map((c) => c.f))])('%s', (f) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    for (const c of golden.cases.filter((c) => c.f === f)) {
      try {
        run(c, torch[dtype]);
      } catch (error) {
        (error as Error).message =
          `${f}(${JSON.stringify(c.args)}, ${JSON.stringify(c.options)}): ${(error as Error).message}`;
        throw error;
      }
    }
  });
});

test.each(golden.random)("$f $options draws PyTorch's numbers", ({ f, x, seed, options, out }) => {
  for (const inplace of [false, true]) {
    torch.manual_seed(seed);
    const input = tensorOf(x, torch.float32);
    const leaf = input.clone().requires_grad_();
    const result = functions[f](inplace ? leaf.clone() : leaf, { ...options, inplace });
    near(result, out, 2 ** -22, f);
    // Linear pieces: the gradient is the factor each element got.
    result.sum().backward();
    if (f !== 'alpha_dropout') near(leaf.grad!.mul(input), out, 2 ** -22, 'gradient');
    else expect(leaf.grad!.eq(0).sum().item()).toBeGreaterThan(0);
  }
});

test('dropout without training, or with p = 0, is the input itself', () => {
  const x = torch.ones(3);
  expect(F.dropout(x, { training: false })).toBe(x);
  expect(F.dropout(x, { p: 0 })).toBe(x);
  expect(F.alpha_dropout(x)).toBe(x);
});

test.each(golden.renormalized)('embedding scales rows down to max_norm: $norm_type', ({ norm_type, out, table }) => {
  const weight = tensorOf('table', torch.float64).requires_grad_();
  const result = F.embedding(tensorOf('places', torch.float64), weight, { max_norm: 2.5, norm_type });
  near(result, out, 2 ** -48, 'out');
  near(weight, table, 2 ** -48, 'table');
  expect(result.grad_fn!.name()).toBe('EmbeddingBackward0');
});

test('gradients of gradients where PyTorch has none, or another', () => {
  const p = tensorOf('p', torch.float64).requires_grad_();
  const q = torch.full([2, 3], 0.25, { dtype: torch.float64, requires_grad: true });
  const table = tensorOf('table', torch.float64).requires_grad_();
  const places = tensorOf('places', torch.float64);
  expect(torch.autograd.gradgradcheck((a, b) => F.binary_cross_entropy(a, b), [p, q], { rtol: 1e-2 })).toBe(true);
  expect(torch.autograd.gradgradcheck((t) => F.embedding(places, t, { scale_grad_by_freq: true }), [table])).toBe(true);
  const x = tensorOf('x', torch.float64).requires_grad_();
  for (const f of [F.elu, F.selu, F.celu]) expect(torch.autograd.gradgradcheck((t) => f(t), [x])).toBe(true);
});

// In vectors and in what is left over; along the rows as they lie, and along columns.
test.each([1, 90])('softmaxes of rows that hold no number, or infinities, %d times', (times) => {
  const rows = torch.tensor([
    [NaN, 1, 2],
    [2, 1, NaN],
    [Infinity, 1, 2],
    [-Infinity, -Infinity, -Infinity],
    [-Infinity, 1, 1],
  ]);
  const x = rows.repeat(1, times);
  const none = [NaN, NaN, NaN];
  const row = (numbers: number[]) => Array.from({ length: times }, () => numbers).flat();
  const expected = [none, none, none, none, [0, Math.fround(0.5 / times), Math.fround(0.5 / times)]].map(row);
  expect(F.softmax(x, 1).tolist()).toEqual(expected);
  expect(F.softmax(x.t().contiguous(), 0).t().tolist()).toEqual(expected);
  const log = -Math.log(2 * times);
  for (const y of [F.log_softmax(x, 1), F.log_softmax(x.t().contiguous(), 0).t()]) {
    expect(y.narrow(0, 0, 4).isnan().all().item()).toBe(true);
    expect(y.select(0, 4).eq(-Infinity).sum().item()).toBe(times);
    expect(y.select(0, 4).max().item()).toBeCloseTo(log, 5);
  }
});

test('softmaxes convert to dtype first, and choose a dimension where none is given', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const x = torch.tensor([
    [1, 2],
    [3, 5],
  ]);
  for (const f of [F.softmax, F.log_softmax, F.softmin]) {
    expect(f(x, 1, { dtype: torch.float64 }).tolist()).toEqual(f(x.double(), { dim: 1 }).tolist());
    expect(f(x).tolist()).toEqual(f(x, 1).tolist());
    expect(f(x.reshape(4)).tolist()).toEqual(f(x.reshape(4), 0).tolist());
  }
  expect(warn.mock.calls.map(([message]) => String(message).split(':')[0])).toEqual([
    'softmax',
    'log_softmax',
    'softmin',
  ]);
});

test('losses of nothing, and of nothing that counts', () => {
  const none = torch.zeros(0, { dtype: torch.int64 });
  expect(F.cross_entropy(torch.zeros(0, 4), none).item()).toBeNaN();
  expect(F.cross_entropy(torch.zeros(0, 4), none, { reduction: 'sum' }).item()).toBe(0);
  const ignored = torch.full([2], -100, { dtype: torch.int64 });
  expect(F.cross_entropy(torch.zeros(2, 4), ignored).item()).toBeNaN();
  for (const label_smoothing of [0, 0.1]) {
    const x = torch.zeros(2, 4, { requires_grad: true });
    const loss = F.cross_entropy(x, ignored, { label_smoothing });
    loss.backward();
    expect([loss.item(), x.grad!.abs().sum().item()]).toEqual([NaN, 0]);
  }
  expect(F.cross_entropy(torch.zeros(2, 4), ignored, { reduction: 'none' }).tolist()).toEqual([0, 0]);
  expect(F.mse_loss(torch.zeros(0), torch.zeros(0)).item()).toBeNaN();
  expect(F.mse_loss(torch.zeros(0), torch.zeros(0), { reduction: 'sum' }).item()).toBe(0);
  const big = torch.tensor([2n ** 32n + 1n, 1n]);
  expect(F.cross_entropy(torch.zeros(2, 4), big, { ignore_index: 2 ** 32 + 1, reduction: 'sum' }).item()).toBeCloseTo(
    Math.log(4),
  );
});

test('losses promote dtypes, and refuse integers', () => {
  const x = torch.ones(2, { requires_grad: true });
  expect(F.mse_loss(x, torch.zeros(2, { dtype: torch.float64 })).dtype).toBe(torch.float64);
  const loss = F.mse_loss(x, torch.tensor([3n, 1n]));
  loss.backward();
  expect([loss.dtype, loss.item(), x.grad!.tolist()]).toEqual([torch.float32, 2, [-2, 0]]);
});

test('a saved tensor that is changed is refused', () => {
  const x = torch.ones(2, { requires_grad: true });
  const y = torch.zeros(2);
  const loss = F.mse_loss(x, y);
  y.add_(1);
  expect(() => loss.backward()).toThrow(/MseLossBackward0 was modified by an in-place operation/);
});

test('a target of another size than the input is warned of, once', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  vi.resetModules();
  const { nn, ones } = await import('cresset');
  for (const loss of [
    nn.functional.mse_loss,
    nn.functional.l1_loss,
    nn.functional.smooth_l1_loss,
    nn.functional.huber_loss,
  ]) {
    loss(ones(3, 1), ones(3));
    loss(ones(3, 1), ones(3));
  }
  nn.functional.kl_div(ones(3), ones(3));
  nn.functional.kl_div(ones(3), ones(3));
  const messages = warn.mock.calls.map(([message]) => String(message));
  expect(messages.length).toBe(5);
  expect(messages[0]).toMatch(/mse_loss: the target's size \[3\] is different to the input's size \[3, 1\]/);
  expect(messages[4]).toMatch(/kl_div: reduction: 'mean' divides .* 'batchmean' divides by the batch size only/);
});

describe('bad input', () => {
  const x = torch.ones(3, 4);
  const labels = torch.tensor([1n, 2n, 3n]);
  const labelled = (...values: bigint[]) => torch.tensor(values);
  const cases: [string, () => unknown, new (message: string) => Error, RegExp][] = [
    ['no tensor', () => F.relu([1] as never), TypeError, /relu: input: expected a Tensor, got \[1\]/],
    [
      'option',
      () => F.gelu(x, { aproximate: 'tanh' } as never),
      TypeError,
      /gelu: unknown option 'aproximate'. Did you mean 'approximate'/,
    ],
    [
      'gelu',
      () => F.gelu(x, { approximate: 'x' as never }),
      RangeError,
      /gelu: approximate: expected 'none' or 'tanh', got "x"/,
    ],
    ['celu', () => F.celu(x, { alpha: 0 }), RangeError, /celu: alpha: expected a number other than 0/],
    ['elu', () => F.elu(x, { alpha: '1' as never }), TypeError, /elu: alpha: expected a number, got "1"/],
    [
      'hardtanh',
      () => F.hardtanh(x, { min_val: 2, max_val: 1 }),
      RangeError,
      /hardtanh: min_val: expected at most max_val/,
    ],
    ['softshrink', () => F.softshrink(x, { lambd: -1 }), RangeError, /softshrink: lambd: expected a number/],
    [
      'rrelu',
      () => F.rrelu(x, { lower: 1, upper: 0 }),
      RangeError,
      /rrelu: lower: expected at most upper \(0\), got 1/,
    ],
    ['glu', () => F.glu(torch.ones(3)), RangeError, /glu: dim: expected an even size, got 3/],
    ['prelu', () => F.prelu(x, torch.ones(3)), RangeError, /prelu: weight: expected 1 or 4 elements/],
    ['softmax dim', () => F.softmax(x, 2), RangeError, /softmax: dim: expected to be in range of \[-2, 1\], got 2/],
    [
      'dropout p',
      () => F.dropout(x, { p: 1.2 }),
      RangeError,
      /dropout: p: expected a probability between 0 and 1, got 1.2/,
    ],
    ['dropout dtype', () => F.dropout(labels), TypeError, /dropout: input: expected a floating-point dtype/],
    ['bilinear', () => F.bilinear(x, x, torch.ones(2, 4, 3)), RangeError, /bilinear: input2: expected shape \[3, 3\]/],
    [
      'embedding index',
      () => F.embedding(labelled(3n), x),
      RangeError,
      /index 3 is out of bounds for dimension with size 3/,
    ],
    [
      'embedding dtype',
      () => F.embedding(torch.ones(1), x),
      TypeError,
      /embedding: input: expected a tensor of dtype int64/,
    ],
    [
      'padding_idx',
      () => F.embedding(labels, x, { padding_idx: 3 }),
      RangeError,
      /padding_idx: expected null or an integer in \[-3, 2\], got 3/,
    ],
    [
      'embedding weight',
      () => F.embedding(labels, torch.ones(3)),
      RangeError,
      /embedding: weight: expected a 2-dimensional tensor/,
    ],
    [
      'layer_norm shape',
      () => F.layer_norm(x, [3]),
      RangeError,
      /layer_norm: input: expected a shape that ends in normalized_shape \[3\], got a tensor of shape \[3, 4\]/,
    ],
    [
      'layer_norm weight',
      () => F.layer_norm(x, 4, { weight: torch.ones(3) }),
      RangeError,
      /layer_norm: weight: expected normalized_shape \[4\], got shape \[3\]/,
    ],
    [
      'layer_norm empty',
      () => F.layer_norm(x, []),
      TypeError,
      /layer_norm: normalized_shape: expected a size or several, got \[\]/,
    ],
    [
      'reduction',
      () => F.mse_loss(x, x, { reduction: 'avg' as never }),
      RangeError,
      /mse_loss: reduction: expected one of none, mean, sum, got "avg"/,
    ],
    ['mse dtype', () => F.mse_loss(labels, labels), TypeError, /mse_loss: input: expected a floating-point dtype/],
    [
      'mse shapes',
      () => F.mse_loss(x, torch.ones(3)),
      RangeError,
      /mse_loss: .*shapes \[3, 4\] and \[3\] do not broadcast/,
    ],
    [
      'mse weight',
      () => F.mse_loss(x, x, { weight: torch.ones(4) }),
      RangeError,
      /mse_loss: weight: expected the input's shape \[3, 4\], got \[4\]/,
    ],
    [
      'beta',
      () => F.smooth_l1_loss(x, x, { beta: -1 }),
      RangeError,
      /smooth_l1_loss: beta: expected a number >= 0, got -1/,
    ],
    ['delta', () => F.huber_loss(x, x, { delta: 0 }), RangeError, /huber_loss: delta: expected a number > 0, got 0/],
    [
      'class',
      () => F.cross_entropy(x, labelled(1n, 2n, 12n)),
      RangeError,
      /cross_entropy: target 12 is out of bounds for 4 classes/,
    ],
    [
      'negative class',
      () => F.cross_entropy(x, labelled(1n, -1n, 0n)),
      RangeError,
      /cross_entropy: target -1 is out of bounds for 4 classes/,
    ],
    [
      'great class',
      () => F.cross_entropy(x, labelled(1n, 2n ** 32n, 0n)),
      RangeError,
      /target 4294967296 is out of bounds/,
    ],
    [
      'class dtype',
      () => F.cross_entropy(x, torch.ones(3)),
      TypeError,
      /cross_entropy: target: expected class indices of dtype int64 or uint8, got a tensor of shape \[3\] and dtype float32/,
    ],
    [
      'class shape',
      () => F.cross_entropy(x, labelled(1n, 2n)),
      RangeError,
      /cross_entropy: target: expected shape \[3\] for an input of shape \[3, 4\], got \[2\]/,
    ],
    [
      'class weight',
      () => F.cross_entropy(x, labels, { weight: torch.ones(3) }),
      RangeError,
      /cross_entropy: weight: expected a tensor of shape \[4\] and dtype float32/,
    ],
    [
      'weight dtype',
      () => F.nll_loss(x, labels, { weight: torch.ones(4).double() }),
      TypeError,
      /nll_loss: weight: expected .* dtype float32, got .*float64/,
    ],
    [
      'an ignored class that is none',
      () => F.cross_entropy(x, labels, { ignore_index: 1.5 }),
      TypeError,
      /cross_entropy: ignore_index: expected an integer, got 1.5/,
    ],
    [
      'smoothing',
      () => F.cross_entropy(x, labels, { label_smoothing: 1.5 }),
      RangeError,
      /label_smoothing: expected a number between 0 and 1, got 1.5/,
    ],
    [
      'probabilities',
      () => F.cross_entropy(x, x.long()),
      TypeError,
      /cross_entropy: target: expected a floating-point dtype/,
    ],
    [
      'ignored',
      () => F.cross_entropy(x, x, { ignore_index: 2 }),
      RangeError,
      /ignore_index: expected none for a target of probabilities, got 2/,
    ],
    [
      'no class',
      () => F.cross_entropy(torch.tensor(1), torch.tensor(0n)),
      RangeError,
      /cross_entropy: input: expected shape \[C\], \[N, C\]/,
    ],
    [
      'probability',
      () => F.binary_cross_entropy(x.mul(2), x),
      RangeError,
      /binary_cross_entropy: input: expected all elements between 0 and 1, got elements from 2 to 2/,
    ],
    [
      'truth',
      () => F.binary_cross_entropy(x, x.sub(2)),
      RangeError,
      /binary_cross_entropy: target: expected all elements between 0 and 1/,
    ],
    [
      'bce shape',
      () => F.binary_cross_entropy(x, torch.ones(4)),
      RangeError,
      /target: expected the input's shape \[3, 4\], got \[4\]/,
    ],
    [
      'bce dtype',
      () => F.binary_cross_entropy(x, x.double()),
      TypeError,
      /target: expected the input's dtype float32, got float64/,
    ],
    [
      'logits shape',
      () => F.binary_cross_entropy_with_logits(x, torch.ones(4)),
      RangeError,
      /target: expected the input's shape/,
    ],
    [
      'pos_weight',
      () => F.binary_cross_entropy_with_logits(x, x, { pos_weight: torch.ones(3) }),
      RangeError,
      /broadcast/,
    ],
    [
      'batchmean',
      () => F.nll_loss(x, labels, { reduction: 'batchmean' as never }),
      RangeError,
      /nll_loss: reduction: expected one of/,
    ],
  ];
  test.each(cases)('%s', (_, run, kind, message) => {
    let error: unknown;
    try {
      run();
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(x.eq(1).all().item()).toBe(true);
  });
});
