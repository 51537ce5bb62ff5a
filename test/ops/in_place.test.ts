import { expect, test } from 'vitest';
import * as torch from 'cresset';

// What is written straight into its argument, and what must not be.

test('clamp_, addcmul_, addcdiv_ and lerp_ are what their functions are, also over what they read', () => {
  torch.manual_seed(4);
  const [x, y, z] = [torch.randn(3, 70), torch.randn(3, 70), torch.rand(3, 70).add(0.5)];
  const forms: [string, (a: torch.Tensor) => torch.Tensor, (a: torch.Tensor) => torch.Tensor][] = [
    ['clamp', (a) => a.clamp(-0.5, 0.25), (a) => a.clamp_(-0.5, 0.25)],
    ['clamp from below', (a) => a.clamp({ min: 0.1 }), (a) => a.clamp_({ min: 0.1 })],
    ['clamp_min', (a) => a.clamp_min(0.1), (a) => a.clamp_min_(0.1)],
    ['clamp_max by a row', (a) => a.clamp_max(y.select(0, 0)), (a) => a.clamp_max_(y.select(0, 0))],
    ['addcmul', (a) => a.addcmul(y, z, { value: 0.3 }), (a) => a.addcmul_(y, z, { value: 0.3 })],
    ['addcmul by its own row', (a) => a.addcmul(a.select(0, 1), z), (a) => a.addcmul_(a.select(0, 1), z)],
    ['addcdiv', (a) => a.addcdiv(y, z, { value: -2 }), (a) => a.addcdiv_(y, z, { value: -2 })],
    ['lerp', (a) => a.lerp(y, 0.3), (a) => a.lerp_(y, 0.3)],
    ['lerp to its own row', (a) => a.lerp(a.select(0, 2), 0.7), (a) => a.lerp_(a.select(0, 2), 0.7)],
    ['lerp by tensors', (a) => a.lerp(y, z), (a) => a.lerp_(y, z)],
  ];
  for (const [name, out, inPlace] of forms) {
    for (const from of [x, torch.randn(70, 3).t()]) {
      const [a, version] = [from.clone(), from.clone()._version];
      const expected = out(a).tolist();
      expect(inPlace(a), name).toBe(a);
      expect(a.tolist(), name).toEqual(expected);
      expect(a._version, name).toBe(version + 1);
    }
    if (name.includes('own')) continue; // the gradient needs what was written over
    const leaf = x.clone().requires_grad_();
    const copy = leaf.mul(1);
    inPlace(copy).sum().backward();
    const other = x.clone().requires_grad_();
    out(other).sum().backward();
    expect(leaf.grad!.tolist(), `${name}'s gradient`).toEqual(other.grad!.tolist());
  }
});

test('what the argument cannot hold is refused, and leaves it as it was', () => {
  const x = torch.tensor([1, 2, 3], { dtype: torch.int64 });
  const f = torch.tensor([0.5, 0.5, 0.5]);
  for (const [call, message] of [
    [() => x.addcmul_(f, f), /addcmul_: result type Float can't be cast/],
    [() => x.clamp_(0.5, 1.5), /clamp_: result type Float can't be cast/],
    [() => x.lerp_(x, 0.5), /lerp_: input: expected a floating-point dtype, got int64/],
    [() => f.lerp_(torch.ones(2, 3), 0.5), /lerp_: output with shape \[3\] doesn't match the broadcast shape \[2, 3\]/],
    [
      () => f.addcmul_(torch.ones(2, 3), f),
      /addcmul_: output with shape \[3\] doesn't match the broadcast shape \[2, 3\]/,
    ],
  ] as const) {
    expect(call).toThrow(message);
  }
  expect(x.tolist()).toEqual([1, 2, 3]);
  expect(f.tolist()).toEqual([0.5, 0.5, 0.5]);
  expect(x.clamp_(2, 2).tolist()).toEqual([2, 2, 2]);
});

test('lerp takes the nearer end, and its gradient goes to both', () => {
  const [a, b] = [torch.tensor([1, -0, 3]), torch.tensor([2, 4, -1])];
  // PyTorch's.
  expect(a.lerp(b, 0.3).tolist()).toEqual([1.2999999523162842, 1.2000000476837158, 1.7999999523162842]);
  expect(a.lerp(b, 0.7).tolist()).toEqual([1.7000000476837158, 2.799999952316284, 0.20000004768371582]);
  const x = torch.tensor([1, 2, 3], { requires_grad: true, dtype: torch.float32 });
  const end = torch.tensor([[1], [4]], { requires_grad: true, dtype: torch.float32 });
  x.lerp(end, 0.25).sum().backward();
  expect([x.grad!.tolist(), end.grad!.tolist()]).toEqual([
    [1.5, 1.5, 1.5],
    [[0.75], [0.75]],
  ]);
});

test('linspace goes from both ends to the middle', () => {
  const { linspace, float64, int64, int32, uint8 } = torch;
  // PyTorch's.
  expect(linspace(-1, 2, 7).tolist()).toEqual([-1, -0.5, 0, 0.5, 1, 1.5, 2]);
  expect(linspace(0.1, 0.7, 6, { dtype: float64 }).tolist()).toEqual([
    0.1, 0.22, 0.33999999999999997, 0.45999999999999996, 0.58, 0.7,
  ]);
  expect(linspace(-3, 10, 6, { dtype: int64 }).tolist()).toEqual([-3, 0, 2, 4, 7, 10]);
  expect(linspace(3, -8, 4, { dtype: int32 }).tolist()).toEqual([3, 0, -4, -8]);
  expect(linspace(0, 255, 5, { dtype: uint8 }).tolist()).toEqual([0, 63, 127, 191, 255]);
  expect([linspace(5, 9, 1).tolist(), linspace(5, 9, 0).tolist()]).toEqual([[5], []]);
  const places = torch.tensor([0, 1, 33333, 49999, 50000, 50001, 99999, 100000], { dtype: int64 });
  expect(linspace(-0.3, 0.9, 100001, { dtype: float64 }).index(places).tolist()).toEqual([
    -0.3, -0.299988, 0.09999600000000002, 0.29998800000000003, 0.3, 0.300012, 0.899988, 0.9,
  ]);
  expect(linspace(-0.3, 0.9, 100001).index(places).tolist()).toEqual([
    -0.30000001192092896, -0.2999880015850067, 0.09999600052833557, 0.2999880015850067, 0.2999999523162842,
    0.3000119626522064, 0.8999879956245422, 0.8999999761581421,
  ]);
});

test('rows of any length are copied from and to any place', () => {
  for (const width of [1, 3, 4, 5, 16, 31, 63, 64, 200, 2500]) {
    const flat = torch.arange(4 * 3 * 2 * (width + 3)).reshape([4, 3, 2, width + 3]);
    const part = flat.narrow(3, 2, width);
    const expected = Array.from(
      { length: 24 * width },
      (_, i) => Math.floor(i / width) * (width + 3) + 2 + (i % width),
    );
    expect(part.contiguous().flatten().tolist()).toEqual(expected);
    const turned = part.permute(1, 0, 2, 3).contiguous();
    expect(turned.permute(1, 0, 2, 3).flatten().tolist()).toEqual(expected);
    const into = torch.zeros_like(flat);
    into.narrow(3, 2, width).copy_(part);
    expect(into.sum().item()).toBe(expected.reduce((a, b) => a + b, 0));
    expect(into.narrow(3, 2, width).flatten().tolist()).toEqual(expected);
  }
});

test('the indices of the nonzero elements, in as many dimensions as there are', () => {
  torch.manual_seed(6);
  for (const dims of [[50], [7, 11], [3, 4, 5], [2, 3, 1, 4]]) {
    const x = torch.rand(dims).gt(0.6);
    const strides = dims.map((_, d) => dims.slice(d + 1).reduce((a, b) => a * b, 1));
    const where = (x.flatten().tolist() as unknown as boolean[]).flatMap((set, i) => (set ? [i] : []));
    const rows = where.map((i) => dims.map((size, d) => Math.floor(i / strides[d]) % size));
    expect(x.nonzero().tolist()).toEqual(rows);
    const columns = x.nonzero({ as_tuple: true }) as unknown as torch.Tensor[];
    expect(columns.map((column) => column.tolist())).toEqual(dims.map((_, d) => rows.map((row) => row[d])));
  }
});

test('nonzero elements far apart, and in every place of eight', () => {
  const places = [0, 1, 9, 18, 27, 36, 45, 54, 63, 200, 4095, 4099];
  const mask = torch
    .zeros(4100)
    .index_fill_(0, torch.tensor(places, { dtype: torch.int64 }), 1)
    .bool();
  expect(mask.nonzero().flatten().tolist()).toEqual(places);
  expect(mask.logical_not().nonzero().numel()).toBe(4100 - places.length);
  expect(torch.arange(4100).index(mask).tolist()).toEqual(places);
});

test("a mask of the tensor's shape as its index: what is read, written, and their gradients", () => {
  const mask = torch.tensor([
    [true, false, true],
    [false, false, true],
  ]);
  const x = torch
    .tensor([
      [1, 2, 3],
      [4, 5, 6],
    ])
    .requires_grad_();
  const picked = x.index(mask);
  expect(picked.tolist()).toEqual([1, 3, 6]);
  expect(picked.grad_fn!.name()).toBe('IndexBackward0');
  picked
    .mul(torch.tensor([10, 20, 30]))
    .sum()
    .backward();
  expect(x.grad!.tolist()).toEqual([
    [10, 0, 20],
    [0, 0, 30],
  ]);

  const value = torch.tensor(7).requires_grad_();
  const put = x.mul(1).index_put_([mask], value);
  expect(put.tolist()).toEqual([
    [7, 2, 7],
    [4, 5, 7],
  ]);
  expect(put.grad_fn!.name()).toBe('IndexPutBackward0');
  x.grad = null;
  put.mul(torch.arange(6).view(2, 3)).sum().backward();
  expect(value.grad!.item()).toBe(0 + 2 + 5);
  expect(x.grad!.tolist()).toEqual([
    [0, 1, 0],
    [3, 4, 0],
  ]);

  const transposed = torch.zeros(3, 2).t();
  expect(transposed.index_put_([mask], 2)).toBe(transposed);
  expect(transposed.tolist()).toEqual([
    [2, 0, 2],
    [0, 0, 2],
  ]);
  const self = torch.tensor([true, false, true]);
  expect(self.index_put_([self], false).tolist()).toEqual([false, false, false]);
  const integers = torch.arange(3);
  expect(() => integers.index_put_([integers.gt(0)], NaN)).toThrow(/index_put_: value NaN/);
  expect(integers.tolist()).toEqual([0, 1, 2]);
  expect(integers.index_put_([integers.gt(0)], 5, { accumulate: true }).tolist()).toEqual([0, 6, 7]);
});
