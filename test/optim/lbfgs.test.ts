import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import type { Options } from './database.js';

const { LBFGS } = torch.optim;

interface Case {
  kind: 'quadratic' | 'regression' | 'rosenbrock';
  options: Options;
  dtype: 'float32' | 'float64';
  losses: number[];
  path: number[][][];
  /** How far PyTorch's own path strays when the start changes in the last bit. */
  spread: number[];
  group: Options;
  state?: Record<string, unknown>;
  counts?: [number, number];
}

interface Golden {
  split: number;
  start: number[][];
  x: number[];
  y: number[];
  noise: number[][][];
  printed: string;
  cases: Case[];
}

const golden: Golden = JSON.parse(readFileSync(new URL('../golden/lbfgs.json', import.meta.url), 'utf8'));
const shapes = [[2, 3], [2]];

function tensors(values: number[][], dtype: torch.DType): torch.Tensor[] {
  return values.map((v, i) => torch.tensor(v, { dtype }).reshape(shapes[i]).clone());
}

const parameters = (dtype: torch.DType = torch.float64, values = golden.start): torch.Tensor[] =>
  tensors(values, dtype).map((t) => t.requires_grad_());

const values = (ts: torch.Tensor[]): number[][] => ts.map((t) => t.flatten().tolist() as number[]);

/** The golden file's objectives. */
function objective(kind: Case['kind'], params: torch.Tensor[], step: number): torch.Tensor {
  const [weight, bias] = params;
  const { dtype } = weight;
  if (kind === 'quadratic') {
    const noise = tensors(golden.noise[step], dtype);
    const [a, b] = params.map((p, i) => p.mul(p).mul(0.125).add(noise[i].mul(p)).sum());
    return a.add(b);
  }
  if (kind === 'rosenbrock') {
    const x = torch.cat([weight.flatten(), bias]);
    const [before, after] = [x.narrow(0, 0, 7), x.narrow(0, 1, 7)];
    return after.sub(before.mul(before)).pow(2).mul(100).add(before.neg().add(1).pow(2)).sum();
  }
  const [x, y] = [torch.tensor(golden.x, { dtype }).reshape([8, 3]), torch.tensor(golden.y, { dtype }).reshape([8, 2])];
  const out = torch.tanh(x.matmul(weight.t()).add(bias));
  return out.sub(y).pow(2).mean().add(weight.mul(weight).sum().mul(0.01));
}

/** Steps from `first` up to `end`; returns the losses. */
function run(
  optimizer: torch.optim.LBFGS,
  params: torch.Tensor[],
  kind: Case['kind'],
  first = 0,
  end = golden.split,
  each: (step: number) => void = () => {},
): number[] {
  const losses: number[] = [];
  for (let step = first; step < end; step++) {
    const loss = optimizer.step(() => {
      optimizer.zero_grad();
      const value = objective(kind, params, step);
      value.backward();
      return value;
    });
    losses.push(loss.item());
    each(step);
  }
  return losses;
}

function distance(actual: number[][], expected: number[][]): number {
  return Math.max(
    ...expected.flatMap((list, i) => list.map((v, k) => Math.abs(actual[i][k] - v) / Math.max(1, Math.abs(v)))),
  );
}

/** PyTorch's state, with its tensors made. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  const content = (value as { tensor?: number } | null)?.tensor;
  return content === undefined ? value : torch.tensor(content, { dtype: torch.float64 });
}

const directory = mkdtempSync(join(tmpdir(), 'cresset-lbfgs-'));
afterAll(() => rmSync(directory, { recursive: true }));

const fullest = { lr: 0.5, max_iter: 5, history_size: 4, line_search_fn: 'strong_wolfe' } as const;

describe.each(golden.cases)('LBFGS $kind $options $dtype', (c) => {
  /** In multiples of what a change in the last bit does to PyTorch's own path; where that is too much, nothing can be said. */
  const expectClose = (params: torch.Tensor[], step: number): void => {
    const spread = Math.max(...c.spread.slice(0, step + 1));
    if (spread > 1e-3) return;
    const bound = 16 * spread + (c.dtype === 'float32' ? 1e-6 : 1e-14);
    expect(distance(values(params), c.path[step]), `step ${step}`).toBeLessThan(bound);
  };

  test('follows PyTorch', () => {
    const params = parameters(torch[c.dtype]);
    const optimizer = new LBFGS(params, c.options);
    run(optimizer, params, c.kind, 0, c.losses.length, (step) => expectClose(params, step));
    const { state, param_groups } = optimizer.state_dict();
    expect(param_groups).toEqual([c.group]);
    if (c.counts && Math.max(...c.spread) < 1e-3) expect([state[0].func_evals, state[0].n_iter]).toEqual(c.counts);
  });

  test.runIf(c.state)("continues from PyTorch's state, and has its structure", () => {
    const params = parameters(torch.float64, c.path[golden.split - 1]);
    const state = Object.fromEntries(Object.entries(c.state!).map(([key, value]) => [key, revive(value)]));
    const optimizer = new LBFGS(params);
    optimizer.load_state_dict({ state: { 0: state }, param_groups: [c.group] } as never);
    const before = new LBFGS(parameters(), c.options);
    run(before, before.param_groups[0].params, c.kind);
    const own = before.state_dict().state[0];
    expect(Object.keys(own).sort()).toEqual(Object.keys(state).sort());
    const shape = (value: unknown): unknown => (value instanceof torch.Tensor ? value.shape : Array.isArray(value));
    for (const key of ['d', 'prev_flat_grad', 'old_dirs', 'old_stps', 'ro', 'al', 'H_diag'])
      expect(shape(own[key]), key).toEqual(shape(state[key]));
    run(optimizer, params, c.kind, golden.split, golden.split + 5, (step) => expectClose(params, step));
  });
});

test('goes to the minimum of the Rosenbrock function', () => {
  const params = parameters(torch.float64);
  const optimizer = new LBFGS(params, { max_iter: 100, line_search_fn: 'strong_wolfe' });
  run(optimizer, params, 'rosenbrock', 0, 3);
  expect(
    distance(values(params), [
      [1, 1, 1, 1, 1, 1],
      [1, 1],
    ]),
  ).toBeLessThan(1e-6);
});

test.each([{}, fullest])('a run stopped after any step continues bit for bit: %o', (options) => {
  const file = (step: number): string => join(directory, `${step}.safetensors`);
  for (const dtype of [torch.float32, torch.float64]) {
    const params = parameters(dtype);
    const optimizer = new LBFGS(params, options);
    const paths: number[][][] = [];
    const saved: torch.Tensor[][] = [];
    run(optimizer, params, 'regression', 0, 8, () => {
      paths.push(values(params));
      torch.save(optimizer.state_dict(), file(saved.length));
      saved.push(params.map((p) => p.detach().clone()));
    });
    saved.forEach((at, stopped) => {
      const others = at.map((p) => p.requires_grad_());
      const other = new LBFGS(others, { lr: 0.1 });
      other.load_state_dict(torch.load(file(stopped)));
      run(other, others, 'regression', stopped + 1, 8, (step) => expect(values(others)).toEqual(paths[step]));
    });
  }
});

test('a parameter without a gradient counts as flat, and one of any layout or empty takes part', () => {
  const [weight, bias] = parameters();
  const alone = parameters();
  const strided = tensors(golden.start, torch.float64)[0].t().contiguous().t().requires_grad_();
  const unused = torch.ones(3, { dtype: torch.float64, requires_grad: true });
  const empty = torch.zeros(0, { dtype: torch.float64, requires_grad: true });
  run(new LBFGS(alone, fullest), alone, 'regression', 0, 4);
  run(new LBFGS([strided, unused, bias, empty], fullest), [strided, bias], 'regression', 0, 4);
  expect(distance(values([strided, bias]), values(alone))).toBeLessThan(1e-9);
  expect(strided.stride()).toEqual([1, 2]);
  expect(unused.tolist()).toEqual([1, 1, 1]);
  expect(weight.grad).toBeNull();
});

test('step returns the first loss, runs hooks, and ends at once where the gradient is small', () => {
  const p = torch.tensor([2, 0], { requires_grad: true });
  const optimizer = new LBFGS([p], { lr: 0.5, max_iter: 1 });
  const calls: string[] = [];
  optimizer.register_step_pre_hook(() => void calls.push('pre'));
  optimizer.register_step_post_hook(() => void calls.push('post'));
  const closure = (): torch.Tensor => {
    optimizer.zero_grad();
    const loss = p.mul(p).sum();
    loss.backward();
    return loss;
  };
  expect(torch.no_grad(() => optimizer.step(closure)).item()).toBe(4);
  // The first step is as long as lr / |gradient|₁ of the gradient: 2 - 0.5 · (1 / 4) · 4.
  expect(p.tolist()).toEqual([1.5, 0]);
  expect(calls).toEqual(['pre', 'post']);
  torch.no_grad(() => p.zero_());
  expect(optimizer.step(closure).item()).toBe(0);
  expect(optimizer.state_dict().state[0]).toMatchObject({ func_evals: 2, n_iter: 1 });
});

test('refuses what it cannot do, and changes nothing', () => {
  const [p, q] = parameters();
  const bad: [Options, string][] = [
    [{ lr: -1 }, 'LBFGS: lr: expected a number >= 0, got -1'],
    [{ lr: NaN }, 'LBFGS: lr: expected a number >= 0, got NaN'],
    [{ lr: torch.ones(2) }, 'LBFGS: lr: expected a number >= 0, got a tensor'],
    [{ max_iter: 1.5 }, 'LBFGS: max_iter: expected an integer >= 0, got 1.5'],
    [{ max_iter: '3' }, 'LBFGS: max_iter: expected an integer >= 0, got "3"'],
    [{ max_eval: -1 }, 'LBFGS: max_eval: expected an integer >= 0, got -1'],
    [{ tolerance_grad: NaN }, 'LBFGS: tolerance_grad: expected a finite number, got NaN'],
    [{ tolerance_change: null }, 'LBFGS: tolerance_change: expected a finite number, got null'],
    [{ history_size: 0 }, 'LBFGS: history_size: expected an integer >= 1, got 0'],
    [{ line_search_fn: 'wolfe' }, `LBFGS: line_search_fn: expected 'strong_wolfe' or null, got "wolfe"`],
    [{ maxIter: 3 }, "LBFGS: unknown option 'maxIter'. Did you mean 'max_iter'?"],
  ];
  for (const [options, message] of bad) expect(() => new LBFGS([p], options)).toThrow(message);
  expect(() => new LBFGS([{ params: [p] }, { params: [q] }])).toThrow("doesn't support per-parameter options");
  const optimizer = new LBFGS([p]);
  expect(() => optimizer.add_param_group({ params: [q] })).toThrow("doesn't support per-parameter options");
  expect(optimizer.param_groups).toHaveLength(1);
  expect(() => optimizer.step()).toThrow('step: closure: expected a function that evaluates the loss, got null');
  expect(() => optimizer.step(() => 'low')).toThrow('step: closure: expected it to return the loss');
  expect(() => optimizer.step(() => torch.ones(2))).toThrow('got a tensor of shape [2] and dtype float32');
  optimizer.param_groups[0].max_iter = 'many' as never;
  expect(() => optimizer.step(() => 1)).toThrow('step: max_iter: expected an integer >= 0, got "many"');
  expect(values([p])).toEqual([golden.start[0]]);
});

test('a closure that fails in the line search leaves the parameters where they were', () => {
  const params = parameters();
  const optimizer = new LBFGS(params, fullest);
  let calls = 0;
  const closure = (): torch.Tensor => {
    if (++calls === 2) throw new Error('out of data');
    optimizer.zero_grad();
    const loss = objective('rosenbrock', params, 0);
    loss.backward();
    return loss;
  };
  expect(() => optimizer.step(closure)).toThrow('out of data');
  expect(values(params)).toEqual(golden.start);
});

test('refuses a state dict that does not fit, and keeps its own', () => {
  const params = parameters();
  const optimizer = new LBFGS(params, fullest);
  run(optimizer, params, 'regression', 0, 3);
  const dict = optimizer.state_dict();
  const state = (own: object): unknown => ({ ...dict, state: { 0: { ...dict.state[0], ...own } } });
  const bad: [unknown, string][] = [
    [state({ d: torch.ones(7) }), 'load_state_dict: state[0].d: expected a tensor of shape [8], got a tensor'],
    [state({ prev_flat_grad: 3 }), 'load_state_dict: state[0].prev_flat_grad: expected a tensor of shape [8], got 3'],
    [state({ t: torch.ones(2) }), 'load_state_dict: state[0].t: expected a number'],
    [state({ old_dirs: [] }), 'load_state_dict: state[0].old_dirs: expected as many tensors of shape [8] as ro has'],
    [state({ al: 1 }), 'load_state_dict: state[0].al: expected an array, got 1'],
    [state({ d: 'x' }), 'expected a Tensor, a number, null or an array of those, got "x"'],
  ];
  for (const [given, message] of bad) expect(() => optimizer.load_state_dict(given as never)).toThrow(message);
  expect(optimizer.state_dict().state[0].d).toBe(dict.state[0].d);
  optimizer.state.get(params[0])!.d = torch.ones(2);
  expect(() => run(optimizer, params, 'regression', 3, 4)).toThrow('step: state.d: expected a tensor of shape [8]');
});

test('prints as PyTorch does', () => {
  expect(String(new LBFGS([torch.zeros(1)]))).toBe(golden.printed);
});
