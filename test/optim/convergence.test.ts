import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database } from './database.js';

const { nn } = torch;

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

const rows = database.flatMap(({ name, make, rates }) => (rates ? [{ name, make, rates }] : []));

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
    let loss = Infinity;
    for (let step = 0; step < 200; step++) {
      loss = optimizer
        .step(() => {
          optimizer.zero_grad();
          const error = criterion.forward(model.forward(x), y);
          error.backward();
          return error;
        })
        .item() as number;
    }
    expect(loss).toBeLessThan(0.1);
  });
});
