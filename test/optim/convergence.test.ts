import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options } from './database.js';

const { nn, optim } = torch;

/** A point to start from, and the gradient and value of a function there. */
interface Problem {
  start: number[];
  gradient(x: number[]): number[];
  value(x: number[]): number;
}

/** A curved valley to (1, 1). */
const rosenbrock: Problem = {
  start: [1.5, 1.5],
  gradient: ([x, y]) => [400 * x * (x * x - y) + 2 * (x - 1), 200 * (y - x * x)],
  value: ([x, y]) => 100 * (y - x * x) ** 2 + (1 - x) ** 2,
};

/** Curvatures a hundred times apart. */
const curvatures = [0.03, 0.3, 3];
const quadratic: Problem = {
  start: [1, 1, 1],
  gradient: (x) => x.map((xi, i) => xi * curvatures[i]),
  value: (x) => x.reduce((sum, xi, i) => sum + (curvatures[i] * xi * xi) / 2, 0),
};

const rows = [
  ...database.flatMap(({ name, make, rates }) => (rates ? [{ name, make, rates }] : [])),
  {
    name: 'Adafactor',
    make: (params: unknown, options: Options): AnyOptimizer => new optim.Adafactor(params as torch.Tensor[], options),
    rates: { rosenbrock: 0.005, quadratic: 0.2, network: 0.02 },
  },
];

/** Where a method has one, puts the average of its steps into the parameters. */
function atAverage(optimizer: AnyOptimizer): void {
  if (optimizer instanceof optim.extra.ScheduleFreeAdamW) optimizer.eval();
}

describe.each(rows)('$name', ({ make, rates }) => {
  /** By how much the value falls in so many steps. */
  const remainder = ({ start, gradient, value }: Problem, lr: number, steps: number): number => {
    const param = torch.tensor(start, { dtype: torch.float64, requires_grad: true });
    const optimizer = make([param], { lr });
    for (let step = 0; step < steps; step++) {
      optimizer.step(() => {
        const x = param.tolist() as number[];
        param.grad = torch.tensor(gradient(x), { dtype: torch.float64 });
        return value(x);
      });
    }
    atAverage(optimizer);
    return value(param.tolist() as number[]) / value(start);
  };

  test("comes along Rosenbrock's valley", () => {
    expect(remainder(rosenbrock, rates.rosenbrock, 600)).toBeLessThan(1.5e-3);
  });

  test('minimizes an ill-conditioned quadratic', () => {
    expect(remainder(quadratic, rates.quadratic, 300)).toBeLessThan(1e-5);
  });

  test('fits a sine with a small network', () => {
    torch.manual_seed(0);
    const x = torch.linspace(-1, 1, 32).reshape(32, 1);
    const y = x.mul(3).sin();
    const model = new nn.Sequential(new nn.Linear(1, 16), new nn.Tanh(), new nn.Linear(16, 1));
    const criterion = new nn.MSELoss();
    const optimizer = make([...model.parameters()], { lr: rates.network });
    for (let step = 0; step < 200; step++) {
      optimizer.step(() => {
        optimizer.zero_grad();
        const error = criterion.forward(model.forward(x), y);
        error.backward();
        return error;
      });
    }
    atAverage(optimizer);
    expect(criterion.forward(model.forward(x), y).item()).toBeLessThan(0.1);
  });
});

test('Muon brings a matrix to the one that is sought', () => {
  // ‖A X - B‖² / 2 for an ill-conditioned A: its gradient is Aᵀ (A X - B).
  torch.manual_seed(0);
  const a = torch.diag(torch.tensor([1, 0.3, 0.1, 0.03]));
  const sought = torch.randn(4, 6);
  const x = torch.zeros(4, 6).requires_grad_();
  const optimizer = new optim.Muon([x], { lr: 0.1, weight_decay: 0 });
  const distance = (): number => x.detach().sub(sought).norm().div(sought.norm()).item();
  for (let step = 0; step < 400; step++) {
    optimizer.param_groups[0].lr = 0.1 * (1 - step / 400);
    x.grad = a.matmul(a.matmul(x.detach().sub(sought)));
    optimizer.step();
  }
  expect(distance()).toBeLessThan(0.01);
});

test('SparseAdam brings every row that is looked up to its target, and no other', () => {
  torch.manual_seed(0);
  const table = new nn.Embedding(10, 4, { sparse: true });
  const [before, targets] = [table.weight.detach().clone(), torch.randn(10, 4)];
  const distance = (): number => table.weight.detach().sub(targets).narrow(0, 0, 8).norm().item();
  const start = distance();
  const criterion = new nn.MSELoss();
  const optimizer = new optim.SparseAdam(table.parameters(), { lr: 0.05 });
  for (let step = 0; step < 600; step++) {
    optimizer.param_groups[0].lr = 0.05 * (1 - step / 600);
    const rows = torch.randint(0, 8, [4]);
    optimizer.zero_grad();
    criterion.forward(table.forward(rows), targets.index_select(0, rows)).backward();
    optimizer.step();
  }
  expect(distance() / start).toBeLessThan(0.01);
  expect(table.weight.detach().narrow(0, 8, 2).tolist()).toEqual(before.narrow(0, 8, 2).tolist());
});
