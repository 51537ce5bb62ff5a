import * as torch from 'cresset';
import type { Program } from './cases.js';
const { nn, optim } = torch;

/** Milliseconds a sample lasts at least, so that the clock's grain and the garbage collector are in proportion. */
const sampleTime = 5;

type Make = (params: Iterable<torch.Tensor>, options: Record<string, number>) => torch.optim.Optimizer;
const optimizers: Record<string, Make> = {
  SGD: (params, options) => new optim.SGD(params, options),
  Adam: (params, options) => new optim.Adam(params, options),
  AdamW: (params, options) => new optim.AdamW(params, options),
  RMSprop: (params, options) => new optim.RMSprop(params, options),
};

/** Sets a program up and returns one step of it. The same stands in torch_bench.py. */
export function prepare(program: Program): () => void {
  torch.manual_seed(0);
  switch (program.kind) {
    case 'tutorial': {
      const [x, y] = [torch.randn(100, 10), torch.randn(100, 1)];
      return training(tutorialModel(), new nn.MSELoss(), x, y);
    }
    case 'mlp': {
      const model = new nn.Sequential(
        new nn.Linear(784, 512),
        new nn.ReLU(),
        new nn.Linear(512, 256),
        new nn.ReLU(),
        new nn.Linear(256, 10),
      );
      const [x, y] = [torch.randn(program.batch, 784), torch.randint(0, 10, [program.batch])];
      return training(model, new nn.CrossEntropyLoss(), x, y);
    }
    case 'matmul': {
      const { m, n, k, layout } = program;
      const a = layout === 'TN' ? torch.randn(k, m).t() : torch.randn(m, k);
      const b = layout === 'NT' ? torch.randn(n, k).t() : torch.randn(k, n);
      return () => void torch.matmul(a, b);
    }
    case 'optimizer': {
      const params =
        'model' in program
          ? [...tutorialModel().parameters()]
          : Array.from({ length: program.count }, () => new nn.Parameter(torch.randn(program.shape)));
      for (const p of params) p.grad = torch.randn_like(p);
      const optimizer = optimizers[program.optimizer](params, program.options);
      return () => void optimizer.step();
    }
  }
}

function tutorialModel(): torch.nn.Sequential {
  return new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
}

function training(
  model: torch.nn.Sequential,
  criterion: { forward(input: torch.Tensor, target: torch.Tensor): torch.Tensor },
  x: torch.Tensor,
  y: torch.Tensor,
): () => void {
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
  return () => {
    const loss = criterion.forward(model.forward(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  };
}

/** Runs a step for about `seconds` and returns samples of its time, in microseconds. */
export function sample(step: () => void, seconds: number): number[] {
  let count = 1;
  while (elapsed(step, count) < sampleTime) count *= 2;
  const times: number[] = [];
  const end = performance.now() + 1000 * seconds;
  do times.push((1000 * elapsed(step, count)) / count);
  while (performance.now() < end);
  return times;
}

function elapsed(step: () => void, count: number): number {
  const start = performance.now();
  for (let i = 0; i < count; i++) step();
  return performance.now() - start;
}
