import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const F = torch.nn.functional;

interface Case {
  rows: number[];
  shape: number[];
  affine: 'both' | 'weight' | 'bias' | 'none';
}

// About the vector widths, the runs sums are cut in (1024), the groups rows are taken in (8, of 4096 elements at most) and the parts
// they are summed in (16384 elements, 64 at most).
const cases: Case[] = [
  { rows: [3], shape: [5], affine: 'both' },
  { rows: [], shape: [40], affine: 'both' },
  { rows: [7], shape: [64], affine: 'weight' },
  { rows: [33], shape: [100], affine: 'bias' },
  { rows: [2, 3], shape: [5, 13], affine: 'both' },
  { rows: [5], shape: [1025], affine: 'both' },
  { rows: [3], shape: [2500], affine: 'none' },
  { rows: [40], shape: [1023], affine: 'both' },
  { rows: [2500], shape: [17], affine: 'both' },
  { rows: [1200], shape: [300], affine: 'both' },
  { rows: [4], shape: [1], affine: 'both' },
  { rows: [19], shape: [31], affine: 'none' },
  { rows: [9], shape: [128], affine: 'both' },
  { rows: [8], shape: [129], affine: 'bias' },
  { rows: [3], shape: [512], affine: 'weight' },
];

const titled = cases.map((c) => ({ ...c, title: `[${[...c.rows, ...c.shape].join(', ')}], ${c.affine}` }));

/** layer_norm or rms_norm by its definition, in float64. */
function composed(x: torch.Tensor, dims: number[], w: torch.Tensor | null, b: torch.Tensor | null, centered: boolean) {
  const d = centered ? x.sub(x.mean(dims, true)) : x;
  let out = d.div(d.square().mean(dims, true).add(1e-3).sqrt());
  if (w !== null) out = out.mul(w);
  return b === null ? out : out.add(b);
}

function expectClose(actual: torch.Tensor, expected: torch.Tensor, name: string): void {
  const float32 = actual.dtype === torch.float32;
  // A gradient of the weight is a sum over all rows; in float32 its error grows with what is summed.
  const scale = Math.max(1, expected.abs().max().item() as number);
  const difference = actual.double().sub(expected).abs().max().item() as number;
  expect(difference / scale, name).toBeLessThan(float32 ? 3e-6 : 1e-14);
}

describe.each([torch.float32, torch.float64])('%s', (dtype) => {
  describe.each(['layer_norm', 'rms_norm'] as const)('%s', (name) => {
    test.each(titled)('is what its definition says: $title', ({ rows, shape, affine }) => {
      const centered = name === 'layer_norm';
      torch.manual_seed(1);
      const leaf = (sizes: number[]) => torch.randn(sizes, { dtype }).add(0.5).requires_grad_();
      const x = leaf([...rows, ...shape]);
      const weight = affine === 'both' || affine === 'weight' ? leaf(shape) : null;
      const bias = centered && (affine === 'both' || affine === 'bias') ? leaf(shape) : null;
      const grad = torch.randn(...x.shape, { dtype });
      const out = centered
        ? F.layer_norm(x, shape, { weight, bias, eps: 1e-3 })
        : F.rms_norm(x, shape, { weight, eps: 1e-3 });
      out.backward(grad);

      const dims = shape.map((_, i) => rows.length + i);
      const twin = (t: torch.Tensor | null) => (t === null ? null : t.detach().double().requires_grad_());
      const [x64, weight64, bias64] = [twin(x)!, twin(weight), twin(bias)];
      const expected = composed(x64, dims, weight64, bias64, centered);
      expected.backward(grad.double());
      expectClose(out.detach(), expected.detach(), 'output');
      expectClose(x.grad!, x64.grad!, 'input');
      if (weight !== null) expectClose(weight.grad!, weight64!.grad!, 'weight');
      if (bias !== null) expectClose(bias.grad!, bias64!.grad!, 'bias');
    });
  });
});

test('operands that are not contiguous', () => {
  torch.manual_seed(2);
  const x = torch.randn(6, 50).t();
  const weight = torch.randn(12).slice(0, null, null, 2);
  const grad = torch.randn(6, 50).t();
  const run = (...given: torch.Tensor[]) => {
    const [a, w, g] = given.map((t) => t.detach());
    a.requires_grad_();
    w.requires_grad_();
    const out = F.layer_norm(a, 6, { weight: w });
    out.backward(g);
    return [out.detach(), a.grad!, w.grad!];
  };
  const strided = run(x, weight, grad);
  const contiguous = run(x.contiguous(), weight.contiguous(), grad.contiguous());
  for (const i of [0, 1, 2]) expect(strided[i].tolist()).toEqual(contiguous[i].tolist());
});

test('only the gradients that are asked for', () => {
  const x = torch.randn(4, 8);
  const weight = torch.ones(8, { requires_grad: true });
  const bias = torch.zeros(8);
  F.layer_norm(x, 8, { weight, bias }).sum().backward();
  expect([x.grad, bias.grad]).toEqual([null, null]);
  const normalized = F.layer_norm(x, 8);
  expect(weight.grad!.allclose(normalized.sum(0), { rtol: 0, atol: 1e-5 })).toBe(true);
});

test('a NaN or an infinity stays in its row', () => {
  const x = torch.ones(3, 70).add(torch.arange(70));
  x.select(0, 1).select(0, 3).fill_(Infinity);
  const out = F.layer_norm(x, 70);
  expect(out.isnan().any(1).tolist()).toEqual([false, true, false]);
  expect(out.select(0, 0).tolist()).toEqual(out.select(0, 2).tolist());
});

test('of nothing', () => {
  for (const sizes of [
    [0, 3],
    [2, 0],
  ]) {
    const x = torch.ones(sizes, { requires_grad: true });
    const weight = torch.ones([sizes[1]], { requires_grad: true });
    const out = F.layer_norm(x, sizes[1], { weight });
    out.sum().backward();
    expect([out.shape, x.grad!.shape, weight.grad!.tolist()]).toEqual([sizes, sizes, new Array(sizes[1]).fill(0)]);
  }
});
