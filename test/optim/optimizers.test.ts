import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options } from './database.js';
import { gradients, gradientsOf, parameters, printed, run, split, start, values } from './trajectories.js';

const end = gradients.length;

/** The name of a state tensor that has the parameter's shape. */
const slotOf = (state: object) =>
  Object.keys(state).find((key) => (state as Record<string, torch.Tensor>)[key].dim() > 0)!;

describe.each(database)('$name', ({ name, make, valid, invalid, fullest, lrActs, stateFromStart }) => {
  test('refuses bad options and changes nothing', () => {
    for (const [options, message] of invalid) {
      expect(() => make(parameters(), options)).toThrow(message);
      const optimizer = make(parameters());
      if (/fused|nesterov|foreach: cannot|both to be|AdamW: unknown option 'decoupled/.test(message)) continue; // known in groups, or checked with the defaults only
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
    const optimizer = make([{ params: params[0] }, { params: params.slice(1), lr: 0.3 }], fullest);
    run(optimizer, params);
    const first = make([alone[0]], fullest);
    const second = make(alone.slice(1), { ...fullest, lr: 0.3 });
    for (let step = 0; step < split; step++) {
      gradientsOf(step).forEach((grad, i) => (alone[i].grad = grad));
      first.step();
      second.step();
    }
    expect(values(params)).toEqual(values(alone));
    expect(optimizer.state_dict().param_groups.map((g) => [g.params, g.lr])).toEqual([
      [[0], fullest.lr],
      [[1, 2], 0.3],
    ]);
  });

  test('a group added later joins with fresh state', () => {
    const params = parameters();
    const optimizer = make([params[0]], fullest);
    run(optimizer, params);
    optimizer.add_param_group({ params: [params[1]], lr: 0.2 });
    run(optimizer, params);
    const alone = parameters();
    run(make([alone[1]], { ...fullest, lr: 0.2 }), alone);
    expect(values([params[1]])).toEqual(values([alone[1]]));
  });

  test('parameters without a gradient stay, and do not count the step', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    const before = values(params);
    params[0].grad = torch.ones(2, 3, { dtype: torch.float64 });
    optimizer.step();
    expect(values(params.slice(1))).toEqual(before.slice(1));
    expect(values([params[0]])).not.toEqual([before[0]]);
    const { state } = optimizer.state_dict();
    expect(Object.keys(state)).toEqual(stateFromStart ? ['0', '1', '2'] : ['0']);
    expect((state[1]?.step as torch.Tensor | undefined)?.item() ?? 0).toBe(0);
  });

  test('state is there from the start, or from the first step', () => {
    const { state } = make(parameters(), fullest);
    expect(state.size).toBe(stateFromStart ? 3 : 0);
  });

  test('lr is a number or a tensor', () => {
    const [p, q] = [parameters(), parameters()];
    run(make(p, fullest), p);
    run(make(q, { ...fullest, lr: torch.tensor(fullest.lr, { dtype: torch.float64 }) }), q);
    expect(values(q)).toEqual(values(p));
  });

  test('a change of lr takes effect when it should', () => {
    const [p, q] = [parameters(), parameters()];
    const [optimizer, unchanged] = [make(p, fullest), make(q, fullest)];
    run(optimizer, p);
    run(unchanged, q);
    optimizer.param_groups[0].lr = 0;
    const steps = lrActs === undefined || lrActs === 'on z' ? 0 : 1;
    const moved = (o: AnyOptimizer, [first]: torch.Tensor[]) =>
      values([lrActs === 'on z' ? (o.state.get(first)!.z as torch.Tensor) : first]);
    run(optimizer, p, split, split + steps);
    run(unchanged, q, split, split + steps);
    expect(values(p)).toEqual(values(q));
    run(optimizer, p, split + steps, end);
    if (lrActs === 'never') run(unchanged, q, split + steps, end);
    expect(moved(optimizer, p)).toEqual(moved(unchanged, q));
  });

  test.each([false, true])(
    'an lr that is no number is refused, and changes nothing; differentiable: %s',
    (differentiable) => {
      const params = parameters().map((p) => p.detach());
      const optimizer = make([{ params: params.slice(0, 2) }, { params: params.slice(2) }], {
        ...fullest,
        differentiable,
      });
      run(optimizer, params);
      const before = values(params);
      const { step } = optimizer.state_dict().state[0] ?? {};
      const count = (step as torch.Tensor | undefined)?.item();
      optimizer.param_groups[1].lr = 'fast';
      expect(() => run(optimizer, params)).toThrow(
        'step: lr: expected a number or a tensor of one element, got "fast"',
      );
      expect(values(params)).toEqual(before);
      expect((step as torch.Tensor | undefined)?.item()).toBe(count);
    },
  );

  test('a state dict continues bit for bit, and shares no memory', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const copy = params.map((p) => p.detach().clone().requires_grad_());
    const other = make(copy, { lr: 0.7 });
    other.load_state_dict(optimizer.state_dict());
    run(optimizer, params, split, end);
    run(other, copy, split, end);
    expect(values(copy)).toEqual(values(params));
  });

  test('state takes the dtype of the parameter, but for the step', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const other = make(parameters(start, torch.float32), fullest);
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
    const slot = slotOf(dict.state[0]);
    const state = (value: unknown) => ({ ...dict, state: { 0: { ...dict.state[0], [slot]: value } } });
    const bad: [unknown, string][] = [
      [{}, 'expected an object with state and param_groups'],
      [{ ...dict, param_groups: [] }, 'different number of parameter groups: expected 1, got 0'],
      [{ ...dict, param_groups: [{ ...group, params: [0] }] }, "doesn't match the size of optimizer's group"],
      [{ ...dict, param_groups: [{ ...group, lr: -1 }] }, `${name}: lr: expected a number >= 0, got -1`],
      [{ ...dict, state: { 5: {} } }, 'state[5]: no parameter of the loaded groups has this number'],
      [state(torch.zeros(7)), `state[0].${slot}: expected a tensor of shape [2, 3]`],
      [state('x'), `state[0].${slot}: expected a tensor of shape [2, 3], got "x"`],
    ];
    for (const [given, message] of bad) expect(() => optimizer.load_state_dict(given as never)).toThrow(message);
    const copy = params.map((p) => p.detach().clone().requires_grad_());
    const other = make(copy, fullest);
    other.load_state_dict(dict);
    run(optimizer, params, split, end);
    run(other, copy, split, end);
    expect(values(copy)).toEqual(values(params));
  });

  test('refuses a gradient or state that does not fit, and changes nothing', () => {
    const params = parameters();
    const optimizer = make(params, fullest);
    run(optimizer, params);
    const before = values(params);
    const step = optimizer.state.get(params[0])?.step as torch.Tensor | undefined;
    const count = step?.item();
    params[1].grad = torch.ones(2).double();
    params[1].grad.data = torch.ones(3).double();
    expect(() => optimizer.step()).toThrow("step: grad: expected a tensor of the parameter's shape [2]");
    params[1].grad = torch.ones(2).double();
    const own = optimizer.state.get(params[1])!;
    const slot = slotOf(own);
    own[slot] = torch.zeros(5);
    expect(() => optimizer.step()).toThrow(`step: state ${slot}: expected a tensor of shape [2]`);
    expect(values(params)).toEqual(before);
    expect(step?.item()).toBe(count);
  });

  test('parameters and gradients of any layout', () => {
    const reference = parameters();
    const transposed = torch.tensor(start[0], { dtype: torch.float64 }).reshape([2, 3]).t().contiguous().t();
    const params = [transposed.requires_grad_(), ...parameters().slice(1)];
    const optimizer = make(params, fullest);
    run(make(reference, fullest), reference);
    for (let step = 0; step < split; step++) {
      const [grad, ...others] = gradientsOf(step);
      [grad!.t().contiguous().t(), ...others].forEach((g, i) => (params[i].grad = g));
      optimizer.step();
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

  // Finite differences take long: of many combinations, those at one learning rate that name an even number of options, in
  // which any options but one still come in all combinations.
  const plainly = valid.filter((options) => {
    if (options.foreach || options.fused) return false;
    return valid.length < 10 || ('lr' in options && Object.keys(options).length % 2 === 0);
  });

  test.each(plainly.map((options) => ({ options })))('differentiable: $options', ({ options }) => {
    // The loss after a few steps, by the learning rate and the scale of the gradients.
    const loss = (lr: torch.Tensor | number, scale: torch.Tensor | number, differentiable = true): torch.Tensor => {
      const params = parameters().map((p) => (differentiable ? p.clone() : p.detach()));
      const optimizer = make(params, { ...options, lr, differentiable });
      for (let step = 2; step < 5; step++) {
        gradientsOf(step).forEach((grad, i) => {
          // Neither large nor zero, so that finite differences are exact; SGD's first momentum is out of the graph.
          if (grad)
            params[i].grad = params[i]
              .mul(0.25)
              .add(grad.tanh())
              .add(0.3)
              .mul(step === 2 ? 1 : scale);
        });
        optimizer.step();
      }
      const elements = torch.cat(params.map((p) => p.flatten()));
      return elements.mul(elements).sum();
    };
    const inputs = [options.lr ?? 0.01, 0.7] as const;
    const [lr, scale] = inputs.map((x) => torch.tensor(x, { dtype: torch.float64, requires_grad: true }));
    const value = loss(lr, scale);
    value.backward();
    const at = (x: number, y: number) => loss(x, y).item() as number;
    const h = 1e-6;
    const byLr =
      lrActs === undefined || lrActs === 'on z' ? (at(inputs[0] + h, 0.7) - at(inputs[0] - h, 0.7)) / (2 * h) : 0;
    const byScale = (at(inputs[0], 0.7 + h) - at(inputs[0], 0.7 - h)) / (2 * h);
    for (const [input, slope] of [
      [lr, byLr],
      [scale, byScale],
    ] as const) {
      const found = (input.grad?.item() as number | undefined) ?? 0;
      expect(Math.abs(found - slope)).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope)));
    }
    expect(value.item()).toBeCloseTo(loss(...inputs, false).item() as number, 10);
  });

  test.skipIf(!(name in printed))('prints as PyTorch does', () => {
    // A JavaScript number does not tell 1.0 from 1.
    expect(String(make([torch.zeros(1)]))).toBe(printed[name].replace(/\.0$/gm, ''));
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

test.each([
  ['Adam', 'max_exp_avg_sq', { amsgrad: true }],
  ['Adamax', 'exp_inf', {}],
])('%s: a NaN in a gradient stays in %s', (name, slot, options) => {
  const { make } = database.find((row) => row.name === name)!;
  const p = torch.tensor(Array(9).fill(1), { requires_grad: true });
  const optimizer = make([p], options);
  for (const g of [1, NaN, 1]) {
    p.grad = torch.tensor([g, ...Array<number>(7).fill(1), g]); // within a vector, and left over
    optimizer.step();
  }
  const isNaN = [true, ...Array<boolean>(7).fill(false), true];
  const state = optimizer.state.get(p)![slot] as torch.Tensor;
  for (const values of [p, state]) expect((values.tolist() as number[]).map(Number.isNaN)).toEqual(isNaN);
});

test('ASGD: ax is the parameter itself until it begins to average', () => {
  const p = torch.tensor([0.1, 3e7, -3e7], { requires_grad: true });
  const optimizer = new torch.optim.ASGD([p], { lr: 0.1, lambd: 0 });
  for (const g of [0, 3e8, 1]) {
    p.grad = torch.tensor([g, g, -g]); // to numbers so much smaller that a difference is rounded
    optimizer.step();
    expect(torch.equal(optimizer.state.get(p)!.ax as torch.Tensor, p)).toBe(true);
  }
});
