import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type Options } from './database.js';
import { changes, gradients, gradientsOf, parameters, run, split, start, values } from './trajectories.js';

const { Lion, LAMB, ScheduleFreeAdamW } = torch.optim.extra;

// Each optimizer once more, as its paper has it, in float64: what a step does with one tensor.

interface Hyper {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  warmup_steps: number;
  r: number;
  weight_lr_power: number;
}

/** What the transcription knows of a tensor: x is the parameter, or for ScheduleFreeAdamW the average. */
interface Memory {
  x: number[];
  z: number[];
  m: number[];
  v: number[];
  /** The tensor's own steps. */
  t: number;
}

/** What it knows of a group: its steps, and the weights of all of them. */
interface Progress {
  t: number;
  largest: number;
  weights: number;
}

interface Paper {
  defaults: Partial<Hyper>;
  /** Once for each step of a group. */
  begin?(h: Hyper, progress: Progress): void;
  /** Once for each tensor. */
  update(h: Hyper, memory: Memory, g: number[], progress: Progress): void;
  /** What the parameter is in training, where it is not x. */
  shown?(h: Hyper, memory: Memory): number[];
}

const norm = (a: number[]) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
const between = (a: number[], b: number[], weight: number) => a.map((x, i) => x * (1 - weight) + b[i] * weight);
const yOf = ({ beta1 }: Hyper, { x, z }: Memory) => between(z, x, beta1);

const papers: Record<string, Paper> = {
  // Chen et al. 2023, algorithm 2.
  Lion: {
    defaults: { lr: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0 },
    update({ lr, beta1, beta2, weight_decay }, memory, g) {
      const c = between(g, memory.m, beta1);
      memory.x = memory.x.map((x, i) => x - lr * (Math.sign(c[i]) + weight_decay * x));
      memory.m = between(g, memory.m, beta2);
    },
  },
  // You et al. 2019, algorithm 2.
  LAMB: {
    defaults: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-6, weight_decay: 0 },
    update({ lr, beta1, beta2, eps, weight_decay }, memory, g) {
      memory.t++;
      memory.m = between(g, memory.m, beta1);
      memory.v = between(
        g.map((x) => x * x),
        memory.v,
        beta2,
      );
      const corrected1 = memory.m.map((m) => m / (1 - beta1 ** memory.t));
      const corrected2 = memory.v.map((v) => v / (1 - beta2 ** memory.t));
      const r = corrected1.map((m, i) => m / (Math.sqrt(corrected2[i]) + eps));
      const u = r.map((ri, i) => ri + weight_decay * memory.x[i]);
      const [size, length] = [norm(memory.x), norm(u)];
      const ratio = size > 0 && length > 0 ? size / length : 1;
      memory.x = memory.x.map((x, i) => x - lr * ratio * u[i]);
    },
  },
  // Defazio et al. 2024, algorithm 1, with the weights of the authors' package.
  ScheduleFreeAdamW: {
    defaults: {
      lr: 2.5e-3,
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weight_decay: 0,
      warmup_steps: 0,
      r: 0,
      weight_lr_power: 2,
    },
    begin(h, progress) {
      progress.t++;
      progress.largest = Math.max(progress.largest, rateOf(h, progress));
      progress.weights += weightOf(h, progress);
    },
    update(h, memory, g, progress) {
      const { beta2, eps, weight_decay } = h;
      const y = yOf(h, memory);
      memory.v = between(
        g.map((x) => x * x),
        memory.v,
        beta2,
      );
      const corrected = memory.v.map((v) => v / (1 - beta2 ** progress.t));
      const rate = rateOf(h, progress);
      memory.z = memory.z.map(
        (z, i) => z - (rate * g[i]) / (Math.sqrt(corrected[i]) + eps) - rate * weight_decay * y[i],
      );
      const share = progress.weights === 0 ? 0 : weightOf(h, progress) / progress.weights;
      memory.x = between(memory.x, memory.z, share);
    },
    shown: yOf,
  },
};

const rateOf = ({ lr, warmup_steps }: Hyper, { t }: Progress) =>
  lr * (warmup_steps > 0 ? Math.min(1, t / warmup_steps) : 1);
const weightOf = ({ r, weight_lr_power }: Hyper, { t, largest }: Progress) => t ** r * largest ** weight_lr_power;

const rows = database.filter(({ name }) => name in papers);
const make = (name: string, params: unknown, options: Options) =>
  rows.find((row) => row.name === name)!.make(params, options);

/** Runs a paper's algorithm over the golden file's gradients; gives x and what the parameters are in training. */
function transcribed(
  name: string,
  options: Options,
  dtype: 'float32' | 'float64',
): { x: number[][]; shown: number[][] } {
  const paper = papers[name];
  const { betas, ...given } = options;
  const h = { ...paper.defaults, ...given } as Hyper;
  if (betas) [h.beta1, h.beta2] = betas as [number, number];
  const rounded = (list: number[]) => (dtype === 'float32' ? list.map(Math.fround) : list);
  const zeros = (list: number[]) => list.map(() => 0);
  const memories = start.map((list): Memory => {
    const x = rounded(list);
    return { x, z: x, m: zeros(x), v: zeros(x), t: 0 };
  });
  const rates = [h.lr, h.lr / 3];
  const progress = rates.map((): Progress => ({ t: 0, largest: -1, weights: 0 }));
  gradients.forEach((grads, step) => {
    for (const change of changes) if (change.step === step) rates[change.group] *= change.factor;
    progress.forEach((p, group) => paper.begin?.({ ...h, lr: rates[group] }, p));
    grads.forEach((grad, i) => {
      if (grad === null) return;
      const group = i < 2 ? 0 : 1;
      const g = rounded(grad).map((x) => (options.maximize ? -x : x));
      paper.update({ ...h, lr: rates[group] }, memories[i], g, progress[group]);
    });
  });
  const x = memories.map((memory) => memory.x);
  return { x, shown: paper.shown ? memories.map((memory) => paper.shown!(h, memory)) : x };
}

// After 36 steps, in units of the dtype's epsilon and of the largest that an element has been: rounding alone.
const bound = 12;

function expectClose(actual: number[][], expected: number[][], largest: number[][], epsilon: number): void {
  actual.flat().forEach((x, i) => {
    const [value, size] = [expected.flat()[i], largest.flat()[i]];
    const deviation = Math.abs(x - value) / (epsilon * Math.max(size, Math.abs(value)));
    expect(deviation, `${i}: ${x} instead of ${value}`).toBeLessThanOrEqual(bound);
  });
}

describe.each(rows.flatMap(({ name, valid }) => valid.map((options) => ({ name, options }))))(
  '$name $options',
  (of) => {
    const { name, options } = of;
    test.each(['float32', 'float64'] as const)('does what the paper says, in %s', (dtype) => {
      const params = parameters(start, torch[dtype]);
      const optimizer = make(name, [{ params: params.slice(0, 2) }, { params: params.slice(2) }], options);
      optimizer.param_groups[1].lr /= 3;
      let largest = values(params).map((list) => list.map(Math.abs));
      run(optimizer, params, 0, gradients.length, {
        before(step) {
          for (const { step: at, group, factor } of changes)
            if (at === step) optimizer.param_groups[group].lr *= factor;
        },
        after() {
          const now = values(params);
          largest = largest.map((list, i) => list.map((x, k) => Math.max(x, Math.abs(now[i][k]))));
        },
      });
      const { x, shown } = transcribed(name, options, dtype);
      const epsilon = dtype === 'float32' ? 2 ** -23 : 2 ** -52;
      expectClose(values(params), shown, largest, epsilon);
      if (optimizer instanceof ScheduleFreeAdamW) {
        optimizer.eval();
        expectClose(values(params), x, largest, epsilon);
        optimizer.train();
        expectClose(values(params), shown, largest, epsilon);
      }
    });
  },
);

const names = Object.keys(papers);
const fullest: Options = { lr: 0.05, weight_decay: 0.3 };

test.each(names)('%s: the kernel does what the ops do, on long tensors too, whatever the number of threads', (name) => {
  torch.manual_seed(0);
  const shapes = [[70_000], [3, 5], [4097], [0], [1]];
  const first = shapes.map((shape) => torch.randn(shape, { dtype: torch.float64 }));
  const grads = [0, 1, 2].map(() => shapes.map((shape) => torch.randn(shape, { dtype: torch.float64 })));
  const trained = (options: Options) => {
    const params = first.map((t) => t.clone());
    const optimizer = make(name, params, { ...fullest, ...options });
    for (const list of grads) {
      params.forEach((p, i) => (p.grad = list[i]));
      optimizer.step();
    }
    return params;
  };
  const threads = torch.get_num_threads();
  try {
    torch.set_num_threads(1);
    const alone = trained({});
    torch.set_num_threads(2);
    const together = trained({});
    trained({ differentiable: true }).forEach((expected, i) => {
      expect(torch.equal(alone[i], together[i])).toBe(true);
      expect(alone[i].sub(expected).abs().le(expected.abs().mul(1e-12).add(1e-12)).all().item()).toBe(true);
    });
  } finally {
    torch.set_num_threads(threads);
  }
});

test.each(names)('%s learns, in few steps of an ill-conditioned problem', (name) => {
  const scales = torch.tensor([100, 10, 1], { dtype: torch.float64 });
  const x = torch.tensor([1, -1, 1], { dtype: torch.float64, requires_grad: true });
  const optimizer = make(name, [x], { lr: name === 'ScheduleFreeAdamW' ? 0.2 : 0.02 });
  const loss = () => x.mul(x).mul(scales).sum();
  for (let i = 0; i < 200; i++) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  if (optimizer instanceof ScheduleFreeAdamW) optimizer.eval();
  expect(loss().item()).toBeLessThan(0.1); // from 111
});

test('printed, they show the options of each group', () => {
  expect(String(new Lion([torch.zeros(1)]))).toBe(
    'Lion (\nParameter Group 0\n    betas: (0.9, 0.99)\n    differentiable: False\n    lr: 0.0001\n    maximize: False\n' +
      '    weight_decay: 0\n)',
  );
});

test('LAMB takes tensors and updates of zeros as they are', () => {
  const [zero, still] = [torch.zeros(2), torch.ones(2)];
  const optimizer = new LAMB([zero, still], { lr: 0.5, eps: 0, betas: [0.5, 0.75] });
  zero.grad = torch.tensor([2, -3]);
  still.grad = torch.zeros(2);
  new LAMB([still], { lr: 0.5 }).step();
  expect(still.tolist()).toEqual([1, 1]);
  still.grad = null;
  optimizer.step();
  expect(zero.tolist()).toEqual([-0.5, 0.5]);
});

test('Lion stands still where nothing moves it, and NaN stays NaN', () => {
  const p = torch.tensor([1, 2, 3]);
  p.grad = torch.tensor([0, 5, NaN]);
  new Lion([p], { lr: 0.5 }).step();
  expect(p.tolist()).toEqual([1, 1.5, NaN]);
});

describe('ScheduleFreeAdamW', () => {
  const trained = (options: Options = fullest) => {
    const params = parameters();
    const optimizer = make('ScheduleFreeAdamW', params, options) as InstanceType<typeof ScheduleFreeAdamW>;
    run(optimizer, params);
    return { params, optimizer };
  };

  test('begins in evaluation mode, where it refuses to step before the closure is called', () => {
    const params = parameters();
    const optimizer = new ScheduleFreeAdamW(params);
    const before = values(params);
    const closure = () => expect.unreachable();
    expect(() => optimizer.step(closure)).toThrow('step: ScheduleFreeAdamW is not in training mode: call its train()');
    optimizer.train();
    run(optimizer, params);
    expect(values(params)).not.toEqual(before);
    optimizer.eval();
    const averaged = values(params);
    expect(() => run(optimizer, params)).toThrow('is not in training mode');
    optimizer.eval();
    expect(values(params)).toEqual(averaged);
    expect(optimizer.param_groups[0].k).toBe(split);
  });

  test('a state saved in evaluation goes on as if there had been no evaluation', () => {
    const { params, optimizer } = trained();
    optimizer.eval();
    const copies = params.map((p) => p.detach().clone().requires_grad_());
    const other = new ScheduleFreeAdamW(copies);
    other.load_state_dict(optimizer.state_dict());
    for (const [o, ps] of [
      [optimizer, params],
      [other, copies],
    ] as const) {
      o.train();
      run(o, ps, split, gradients.length);
    }
    expect(values(copies)).toEqual(values(params));
    expect(other.state_dict().param_groups).toEqual(optimizer.state_dict().param_groups);
  });

  test('a group added later comes in the mode of the others', () => {
    const { params, optimizer } = trained();
    const late = torch.ones(2, { dtype: torch.float64, requires_grad: true });
    optimizer.add_param_group({ params: [late] });
    late.grad = torch.ones(2, { dtype: torch.float64 });
    optimizer.step();
    expect(optimizer.param_groups.map(({ k }) => k)).toEqual([split + 1, 1]);
    optimizer.eval();
    expect(optimizer.param_groups.map(({ train_mode }) => train_mode)).toEqual([false, false]);
    expect(params).toHaveLength(3);
  });

  test('a step that is refused is not counted', () => {
    const { params, optimizer } = trained();
    const before = optimizer.state_dict().param_groups;
    params[0].grad = gradientsOf(0)[0];
    optimizer.param_groups[0].eps = 'x' as never;
    expect(() => optimizer.step()).toThrow('step: eps: expected a number or a tensor of one element, got "x"');
    optimizer.param_groups[0].eps = 1e-8;
    expect(optimizer.state_dict().param_groups).toEqual(before);
  });

  test('with lr 0 it stays where it is', () => {
    const params = parameters();
    const optimizer = make('ScheduleFreeAdamW', params, { lr: 0 });
    run(optimizer, params);
    expect(values(params)).toEqual(start);
  });
});
