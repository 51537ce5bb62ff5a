import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { float32, float64 } = torch;

/** Functions along a dimension, which they keep. */
const functions: Record<string, (x: torch.Tensor, dim: number) => torch.Tensor> = {
  softmax: (x, dim) => x.softmax(dim),
  log_softmax: (x, dim) => x.log_softmax(dim),
  cumsum: (x, dim) => x.cumsum(dim),
  cumprod: (x, dim) => x.mul(0.1).add(1).cumprod(dim),
};

function difference(a: torch.Tensor, b: torch.Tensor): number {
  return a
    .sub(b)
    .abs()
    .div(b.abs().clamp({ min: 1 }))
    .max()
    .item() as number;
}

/** Value and gradient along `dim`; along the last one, after copies that bring it there, if `moved`. */
function run(f: (typeof functions)[string], from: torch.Tensor, dim: number, grad: torch.Tensor, moved: boolean) {
  const x = from.detach().clone().requires_grad_();
  const y = moved ? f(x.movedim(dim, -1).contiguous(), -1).movedim(-1, dim) : f(x, dim);
  y.backward(grad);
  return { y: y.detach(), grad: x.grad! };
}

// Sums of some hundred terms, of either sign, are taken in another order: hence the tolerances.
// More columns and rows than are taken at once, and not multiples of that.
const shapes: [number[], number][] = [
  [[300, 200], 0],
  [[3, 150, 131], 1],
  [[2, 140, 3, 50], 1],
  [[2, 3, 1], 1],
  [[70, 90], 1],
  // Whose rows are short: see short_rows.test.ts.
  [[1, 20], 0],
  [[3, 40], 0],
  [[10, 300], 0],
  [[33, 50], 0],
  [[100, 37], 0],
];

describe.each([
  [float32, 2 ** -16],
  [float64, 2 ** -45],
])('%s', (dtype, tolerance) => {
  for (const [name, f] of Object.entries(functions)) {
    test.each(shapes)(`${name} of %j along %i is what it is along rows`, (shape, dim) => {
      torch.manual_seed(5);
      const x = torch.randn(shape, { dtype }).mul(3);
      for (const grad of [torch.randn(shape, { dtype }), torch.full([], 0.5, { dtype }).expand(shape)]) {
        const [own, moved] = [false, true].map((copied) => run(f, x, dim, grad, copied));
        expect(difference(own.y, moved.y), 'value').toBeLessThan(tolerance);
        expect(difference(own.grad, moved.grad), 'gradient').toBeLessThan(tolerance);
      }
    });
  }
});

test.each([float32, float64])('rows whose elements lie apart, and others between them: %s', (dtype) => {
  torch.manual_seed(6);
  const tolerance = dtype === float32 ? 2 ** -20 : 2 ** -49;
  const apart = (n: number) => torch.randn(7, n, 2, { dtype }).select(2, 0);
  for (const n of [1, 5, 33, 200, 1500]) {
    for (const f of [functions.softmax, functions.log_softmax]) {
      const [x, grad] = [apart(n).requires_grad_(), apart(n)];
      const y = f(x, 1);
      const [own] = torch.autograd.grad(y, [x], { grad_outputs: [grad] });
      const joined = run(f, x.contiguous(), 1, grad.contiguous(), false);
      expect(difference(y.detach(), joined.y)).toBeLessThan(tolerance);
      expect(difference(own!, joined.grad)).toBeLessThan(tolerance);
    }
  }
});

test('columns with what is not finite are themselves, and no other', () => {
  const x = torch.zeros(200, 130);
  x.index_put_([5, 7], NaN);
  x.index_put_([6, 8], -Infinity);
  x.select(1, 9).fill_(-Infinity);
  x.index_put_([7, 10], Infinity);
  const [y, log] = [x.softmax(0), x.log_softmax(0)];
  for (const column of [7, 9, 10]) {
    expect(y.select(1, column).isnan().any().item(), String(column)).toBe(true);
    expect(log.select(1, column).isnan().any().item(), String(column)).toBe(true);
  }
  expect(y.isnan().any(0).sum().item()).toBe(3);
  expect(y.index(6, 8).item()).toBe(0);
  expect(log.index(6, 8).item()).toBe(-Infinity);
  expect(y.index(0, 8).item()).toBeCloseTo(1 / 199, 8);
});

describe.each([float32, float64, torch.int32, torch.int64, torch.uint8])(
  'the first extreme of a column, %s',
  (dtype) => {
    test.each(shapes)('%j along %i', (shape, dim) => {
      torch.manual_seed(7);
      const few = torch.randint(0, 5, shape).to(dtype); // so that there are equals
      const wide = torch.full([...shape.slice(0, -1), shape.at(-1)! + 3], 9, { dtype });
      const part = wide.narrow(-1, 2, shape.at(-1)!);
      part.copy_(few);
      const mixed = torch.randperm(few.numel()).view(shape).to(dtype);
      const inputs = [few, part, mixed];
      if (few.is_floating_point()) {
        inputs.push(few.where(few.ne(3), NaN), few.log(), few.log().neg(), torch.full_like(few, -Infinity));
      }
      for (const x of inputs) {
        const rows = x.movedim(dim, -1).contiguous();
        expect(x.argmax(dim).tolist(), 'argmax').toEqual(rows.argmax(-1).tolist());
        expect(x.argmin(dim).tolist(), 'argmin').toEqual(rows.argmin(-1).tolist());
      }
    });
  },
);
