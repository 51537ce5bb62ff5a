import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options } from './database.js';

interface Case {
  optimizer: string;
  options: Options;
  dtype: 'float32' | 'float64';
  middle: number[][];
  state: Record<string, Record<string, number[]>>;
  group: Options;
  end: number[][];
}

interface Golden {
  split: number;
  start: number[][];
  noise: number[][][];
  trajectories: Case[];
  printed: Record<string, string>;
}

const golden: Golden = JSON.parse(readFileSync(new URL('../golden/optim.json', import.meta.url), 'utf8'));
const shapes = [[2, 3], [2]];
const [early, late] = [golden.noise.slice(0, golden.split), golden.noise.slice(golden.split)];

function tensors(values: number[][], dtype: torch.DType): torch.Tensor[] {
  return values.map((v, i) => torch.tensor(v, { dtype }).reshape(shapes[i]).clone());
}

function parameters(values = golden.start, dtype: torch.DType = torch.float64): torch.Tensor[] {
  return tensors(values, dtype).map((t) => t.requires_grad_());
}

/** Steps with the gradients of the golden file: noise plus a quarter of the parameter. */
function run(optimizer: AnyOptimizer, params: torch.Tensor[], noise = early): void {
  for (const values of noise) {
    const grads = tensors(values, params[0].dtype);
    params.forEach((p, i) => (p.grad = p.detach().mul(0.25).add(grads[i])));
    optimizer.step();
  }
}

const values = (ts: torch.Tensor[]): number[][] => ts.map((t) => t.flatten().tolist() as number[]);

function expectClose(actual: number[][], expected: number[][], dtype: string): void {
  const bound = dtype === 'float32' ? 4e-6 : 1e-12;
  expected.forEach((list, i) =>
    list.forEach((value, k) => {
      const error = Math.abs(actual[i][k] - value) / Math.max(1, Math.abs(value));
      expect(error, `[${i}][${k}]: ${actual[i][k]} instead of ${value}`).toBeLessThan(bound);
    }),
  );
}

describe.each(database)('$name', ({ name, make, valid, invalid, fullest }) => {
  const cases = golden.trajectories.filter((c) => c.optimizer === name);

  test('the golden file has every valid combination', () => {
    expect(cases.map((c) => c.options)).toEqual(valid.flatMap((options) => [options, options]));
  });

  test.each(cases)('follows PyTorch: $options $dtype', ({ options, dtype, middle, state, group, end }) => {
    const params = parameters(golden.start, torch[dtype]);
    const optimizer = make(params, options);
    run(optimizer, params);
    expectClose(values(params), middle, dtype);
    const dict = optimizer.state_dict();
    expect(Object.keys(dict.state)).toEqual(Object.keys(state));
    for (const [id, own] of Object.entries(state)) {
      const ours = dict.state[Number(id)] as Record<string, torch.Tensor>;
      expect(Object.keys(ours).sort()).toEqual(Object.keys(own).sort());
      for (const [key, value] of Object.entries(own)) {
        expectClose([ours[key].flatten().tolist() as number[]], [value], dtype);
        expect(ours[key].dtype).toBe(key === 'step' ? torch.float32 : torch[dtype]);
        expect(ours[key].shape).toEqual(key === 'step' ? [] : shapes[Number(id)]);
      }
    }
    expect(dict.param_groups).toEqual([group]);
    run(optimizer, params, late);
    expectClose(values(params), end, dtype);
  });

  test.each(cases.filter((c) => c.dtype === 'float64'))("continues from PyTorch's state: $options", (c) => {
    const params = parameters(c.middle);
    const optimizer = make(params, {});
    const state: Record<string, Record<string, torch.Tensor>> = {};
    for (const [id, own] of Object.entries(c.state)) {
      const entries = Object.entries(own).map(([key, value]) => {
        const shape = key === 'step' ? [] : shapes[Number(id)];
        return [key, torch.tensor(value, { dtype: torch.float64 }).reshape(shape)] as const;
      });
      state[id] = Object.fromEntries(entries);
    }
    optimizer.load_state_dict({ state, param_groups: [c.group as never] });
    run(optimizer, params, late);
    expectClose(values(params), c.end, 'float64');
  });

  test('refuses bad options and changes nothing', () => {
    for (const [options, message] of invalid) {
      expect(() => make(parameters(), options)).toThrow(message);
      const optimizer = make(parameters());
      if (/fused|nesterov|decoupled/.test(message)) continue; // known in groups, or checked with the defaults only
      expect(() => optimizer.add_param_group({ params: [torch.zeros(1)], ...options })).toThrow(message);
      expect(optimizer.param_groups).toHaveLength(1);
    }
  });

  test('refuses bad parameters', () => {
    const p = torch.ones(2, { requires_grad: true });
    expect(() => make([])).toThrow(`${name}: params: optimizer got an empty parameter list`);
    expect(() => make(p)).toThrow(`${name}: params: expected an iterable of Tensors or of groups`);
    expect(() => make(null)).toThrow(`${name}: params: expected an iterable of Tensors or of groups, got null`);
    expect(() => make([p, 3])).toThrow('optimizer can only optimize Tensors, got 3');
    expect(() => make([p.mul(2)])).toThrow("can't optimize a non-leaf Tensor");
    expect(() => make([{ params: [p] }, null])).toThrow(
      `${name}: params: expected a group such as { params, lr }, got null`,
    );
    expect(() => make([{ params: [] }, p])).toThrow(
      `${name}: params: expected a group such as { params, lr }, got a tensor`,
    );
    expect(() => make([p, p])).toThrow('some parameters appear more than once');
    expect(() => make([{ params: [p] }, { params: [p] }])).toThrow(
      'some parameters appear in more than one parameter group',
    );
  });

  test('a group with its own options goes its own way', () => {
    const params = parameters();
    const alone = parameters();
    const optimizer = make([{ params: params[0] }, { params: [params[1]], lr: 0.3 }], fullest);
    const first = make([alone[0]], fullest);
    const second = make([alone[1]], { ...fullest, lr: 0.3 });
    run(optimizer, params);
    for (const grads of early) {
      tensors(grads, torch.float64).forEach((g, i) => (alone[i].grad = alone[i].detach().mul(0.25).add(g)));
      first.step();
      second.step();
    }
    expect(values(params)).toEqual(values(alone));
    expect(optimizer.state_dict().param_groups.map((g) => [g.params, g.lr])).toEqual([
      [[0], fullest.lr],
      [[1], 0.3],
    ]);
  });

  test('a group added later joins with fresh state', () => {
    const params = parameters();
    const optimizer = make([params[0]], fullest);
    run(optimizer, [params[0]], early);
    optimizer.add_param_group({ params: [params[1]], lr: 0.2 });
    run(optimizer, params, early);
    const alone = parameters();
    const other = make([alone[1]], { ...fullest, lr: 0.2 });
    for (const grads of early) {
      alone[1].grad = alone[1].detach().mul(0.25).add(tensors(grads, torch.float64)[1]);
      other.step();
    }
    expect(values([params[1]])).toEqual(values([alone[1]]));
  });

  test('parameters without a gradient stay, and do not count the step', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    const before = values(params);
    params[0].grad = torch.ones(2, 3, { dtype: torch.float64 });
    optimizer.step();
    expect(values([params[1]])).toEqual([before[1]]);
    expect(values([params[0]])).not.toEqual([before[0]]);
    expect(Object.keys(optimizer.state_dict().state)).toEqual(['0']);
  });

  test('a change of lr takes effect, as a number or a tensor', () => {
    const [p, q] = [parameters(), parameters()];
    const [a, b] = [make(p, fullest), make(q, { ...fullest, lr: torch.tensor(0.1, { dtype: torch.float64 }) })];
    run(a, p);
    run(b, q);
    expect(values(q)).toEqual(values(p));
    a.param_groups[0].lr = 0;
    b.param_groups[0].lr = 0;
    const before = values(p);
    run(a, p);
    expect(values(p)).toEqual(before);
    a.param_groups[0].lr = 'fast';
    expect(() => run(a, p)).toThrow('step: lr: expected a number or a tensor of one element, got "fast"');
    expect(values(p)).toEqual(before);
  });

  test('a state dict continues bit for bit, and shares no memory', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const copy = params.map((p) => p.detach().clone().requires_grad_());
    const other = make(copy, { lr: 0.7 });
    other.load_state_dict(optimizer.state_dict());
    run(optimizer, params, late);
    run(other, copy, late);
    expect(values(copy)).toEqual(values(params));
  });

  test('state takes the dtype of the parameter, but for the step', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const other = make(parameters(golden.start, torch.float32), fullest);
    other.load_state_dict(optimizer.state_dict());
    for (const own of other.state.values()) {
      for (const value of Object.values(own)) expect((value as torch.Tensor).dtype).toBe(torch.float32);
    }
  });

  test('refuses a state dict that does not fit, and keeps its own', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const dict = optimizer.state_dict();
    const [group] = dict.param_groups;
    const slot = Object.keys(dict.state[0]).find((key) => key !== 'step')!;
    const state = (value: unknown) => ({ ...dict, state: { 0: { ...dict.state[0], [slot]: value } } });
    const bad: [unknown, string][] = [
      [{}, 'expected an object with state and param_groups'],
      [{ ...dict, param_groups: [] }, 'different number of parameter groups: expected 1, got 0'],
      [{ ...dict, param_groups: [{ ...group, params: [0] }] }, "doesn't match the size of optimizer's group"],
      [{ ...dict, param_groups: [{ ...group, lr: -1 }] }, `${name}: lr: expected a number >= 0, got -1`],
      [{ ...dict, state: { 5: {} } }, 'state[5]: no parameter of the loaded groups has this number'],
      [state(torch.zeros(7)), `state[0].${slot}: expected a tensor of the parameter's shape [2, 3]`],
      [state('x'), `state[0].${slot}: expected a tensor of the parameter's shape [2, 3], got "x"`],
    ];
    for (const [given, message] of bad) expect(() => optimizer.load_state_dict(given as never)).toThrow(message);
    const copy = params.map((p) => p.detach().clone().requires_grad_());
    const other = make(copy, fullest);
    other.load_state_dict(dict);
    run(optimizer, params, late);
    run(other, copy, late);
    expect(values(copy)).toEqual(values(params));
  });

  test('refuses a gradient or state that does not fit, and changes nothing', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const before = values(params);
    const step = optimizer.state.get(params[0])?.step as torch.Tensor | undefined;
    const count = step?.item();
    params[1].grad!.data = torch.ones(3).double();
    expect(() => optimizer.step()).toThrow("step: grad: expected a tensor of the parameter's shape [2]");
    params[1].grad = torch.ones(2).double();
    const own = optimizer.state.get(params[1])!;
    const slot = Object.keys(own).find((key) => key !== 'step')!;
    own[slot] = torch.zeros(5);
    expect(() => optimizer.step()).toThrow(`step: state ${slot}: expected one like a tensor of shape [2]`);
    expect(values(params)).toEqual(before);
    expect(step?.item()).toBe(count);
  });

  test('parameters and gradients of any layout', () => {
    const reference = parameters();
    const transposed = torch.tensor(golden.start[0], { dtype: torch.float64 }).reshape([2, 3]).t().contiguous().t();
    const params = [transposed.requires_grad_(), parameters()[1]];
    const [a, b] = [make(reference, fullest), make(params, fullest)];
    for (const grads of early) {
      const [g, h] = tensors(grads, torch.float64);
      [reference[0].grad, reference[1].grad] = [g, h];
      [params[0].grad, params[1].grad] = [g.t().contiguous().t(), h];
      a.step();
      b.step();
    }
    expect(values(params)).toEqual(values(reference));
    expect(params[0].stride()).toEqual([1, 2]);
    const empty = torch.zeros(0, { requires_grad: true });
    empty.grad = torch.zeros(0);
    make([empty], fullest).step();
  });

  test('a step marks what it changed: backward refuses a stale saved parameter', () => {
    const p = torch.ones(2, { requires_grad: true });
    const loss = p.mul(p).sum();
    p.grad = torch.ones(2);
    make([p], fullest).step();
    expect(() => loss.backward()).toThrow('modified by an in-place operation');
  });

  test('zero_grad drops gradients, or fills them with zeros', () => {
    const params = parameters();
    const optimizer = make(params);
    params[0].grad = torch.ones(2, 3, { dtype: torch.float64 });
    const { grad } = params[0];
    optimizer.zero_grad({ set_to_none: false });
    expect(params[0].grad).toBe(grad);
    expect(grad.tolist()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(params[1].grad).toBeNull();
    optimizer.zero_grad();
    expect(params[0].grad).toBeNull();
    expect(() => optimizer.zero_grad({ set_none: true } as never)).toThrow("Did you mean 'set_to_none'?");
  });

  test('step returns what the closure returns, which runs with gradients', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    expect(optimizer.step()).toBeNull();
    const before = values(params);
    const loss = torch.no_grad(() =>
      optimizer.step(() => {
        optimizer.zero_grad();
        const sum = params[0].mul(params[0]).sum();
        sum.backward();
        return sum;
      }),
    );
    expect(loss.item()).toBeCloseTo(before[0].reduce((sum, x) => sum + x * x, 0));
    expect(values(params)[0]).not.toEqual(before[0]);
  });

  test('step refuses a closure that is none', () => {
    const params = parameters();
    const optimizer = make(params);
    params.forEach((p) => (p.grad = torch.ones_like(p)));
    const before = values(params);
    expect(() => optimizer.step(0.1 as never)).toThrow('step: closure: expected a function or null, got 0.1');
    expect(values(params)).toEqual(before);
  });

  test('hooks come in order, can replace, and can be removed', () => {
    const optimizer = make(parameters());
    const calls: string[] = [];
    const note = (call: string) => () => void calls.push(call);
    const handles = [
      optimizer.register_step_pre_hook((o, args) => {
        expect(o).toBe(optimizer);
        calls.push(`pre ${args.length}`);
        return [note('closure')];
      }),
      optimizer.register_step_post_hook(note('post')),
      optimizer.register_state_dict_pre_hook(note('state pre')),
      optimizer.register_state_dict_pre_hook(note('state first'), { prepend: true }),
      optimizer.register_state_dict_post_hook((_, dict) => ({ ...dict, note: 'made' }) as never),
      optimizer.register_load_state_dict_pre_hook((_, dict) => void calls.push((dict as unknown as Options).note)),
      optimizer.register_load_state_dict_post_hook(note('loaded')),
    ];
    optimizer.step();
    optimizer.load_state_dict(optimizer.state_dict());
    const expected = ['pre 1', 'closure', 'post', 'state first', 'state pre', 'made', 'loaded'];
    expect(calls).toEqual(expected);
    handles.forEach((handle) => handle.remove());
    optimizer.step();
    expect(calls).toEqual(expected);
  });

  test.each(cases.filter((c) => c.dtype === 'float64' && !c.options.fused))('differentiable: $options', (c) => {
    const lr = torch.tensor(c.options.lr ?? 0.01, { dtype: torch.float64, requires_grad: true });
    const trained = (rate: torch.Tensor | number): torch.Tensor => {
      const params = parameters().map((p) => p.clone());
      const optimizer = make(params, { ...c.options, lr: rate, differentiable: true });
      for (const grads of early.slice(0, 3)) {
        const noise = tensors(grads, torch.float64);
        params.forEach((p, i) => (p.grad = p.mul(0.25).add(noise[i])));
        optimizer.step();
      }
      return params[0].mul(params[0]).sum();
    };
    const loss = trained(lr);
    loss.backward();
    const h = 1e-6;
    const slope =
      (Number(trained(Number(lr.item()) + h).item()) - Number(trained(Number(lr.item()) - h).item())) / (2 * h);
    expect(Math.abs(Number(lr.grad!.item()) - slope)).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope)));

    const plain = parameters();
    const optimizer = make(plain, { ...c.options, lr: lr.item() });
    run(optimizer, plain, early.slice(0, 3));
    expect(loss.item()).toBeCloseTo(Number(plain[0].mul(plain[0]).sum().item()), 10);
  });

  test('prints as PyTorch does', () => {
    expect(String(make([torch.zeros(1)]))).toBe(golden.printed[name]);
  });
});

test('parameters given with names keep them', () => {
  const [p, q] = parameters();
  const optimizer = new torch.optim.SGD([
    ['weight', p],
    ['bias', q],
  ]);
  expect(optimizer.state_dict().param_groups[0].param_names).toEqual(['weight', 'bias']);
  expect(String(optimizer)).toContain("    param_names: ['weight', 'bias']\n");
  expect(() => new torch.optim.SGD([['weight', p], q])).toThrow('expected all parameters with names, or all without');
  expect(() => optimizer.add_param_group({ params: [torch.zeros(1)] })).toThrow(
    'expected all parameter groups with names',
  );
});

test('integers are refused once they have a gradient', () => {
  const p = torch.zeros(2, { dtype: torch.int64 });
  const optimizer = new torch.optim.SGD([p]);
  optimizer.step();
  p.grad = torch.ones(2).long();
  expect(() => optimizer.step()).toThrow('step: params: expected a floating-point dtype, got a tensor of shape [2]');
});

test('differentiable refuses leaves that require gradients', () => {
  const [p, q] = [torch.zeros(2), torch.zeros(2, { requires_grad: true })];
  const optimizer = new torch.optim.SGD([p, q], { lr: 1, differentiable: true });
  p.grad = q.grad = torch.ones(2);
  expect(() => optimizer.step()).toThrow('a leaf tensor that requires grad is being used in an in-place operation');
  expect(p.tolist()).toEqual([0, 0]);
});

test('options in arrays cannot be changed for all optimizers at once', () => {
  const { betas } = new torch.optim.Adam([torch.zeros(1)]).param_groups[0];
  expect(() => ((betas as unknown as number[])[0] = 0)).toThrow(TypeError);
});

test('a parameter whose elements share memory is refused before anything changes', () => {
  const p = torch.zeros(2, { requires_grad: true });
  const q = torch.ones(1).expand(3).detach().requires_grad_();
  const optimizer = new torch.optim.SGD([p, q], { lr: 1 });
  p.grad = torch.ones(2);
  q.grad = torch.ones(3);
  expect(() => optimizer.step()).toThrow('more than one element of the written-to tensor');
  expect(p.tolist()).toEqual([0, 0]);
});
