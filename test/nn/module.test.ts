import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn } = torch;

interface Golden {
  inputs: Record<string, { shape: number[]; values: number[] }>;
  models: Record<string, Record<string, string[]> & { printed: string }>;
  refusals: Record<string, string>;
  hooks: { seen: number[][]; grad: number[] };
}

const golden = JSON.parse(readFileSync(new URL('../golden/nn_modules.json', import.meta.url), 'utf8')) as Golden;

class Net extends nn.Module {
  scale = new nn.Parameter(torch.ones(2));
  base: torch.nn.Sequential;
  head: torch.nn.Linear;
  twin: torch.nn.Linear;
  shift: torch.nn.Parameter;
  nothing: torch.nn.Parameter | null = null;

  constructor() {
    super();
    this.register_buffer('mean', torch.zeros(2));
    this.base = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh());
    this.register_buffer('hidden', torch.zeros(1), { persistent: false });
    this.head = new nn.Linear(3, 1, { bias: false });
    this.twin = this.head;
    this.shift = new nn.Parameter(torch.zeros(2));
  }

  override forward(x: torch.Tensor): torch.Tensor {
    return this.head.forward(this.base.forward(x.mul(this.scale).add(this.shift)));
  }

  override extra_repr(): string {
    return 'two\nlines';
  }
}

const models: Record<string, () => torch.nn.Module> = {
  net: () => new Net(),
  empty: () => new nn.Sequential(),
  named: () => new nn.Sequential({ first: new nn.Linear(2, 2), act: new nn.ReLU() }),
  list: () =>
    new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2), new nn.ReLU(), new nn.Sequential(new nn.Tanh())]),
  emptyList: () => new nn.ModuleList(),
  dict: () =>
    new nn.ModuleDict([
      ['10', new nn.Linear(2, 1)],
      ['2', new nn.ReLU()],
      ['b', new nn.Linear(1, 2)],
    ]),
  parameters: () => new nn.ParameterList([torch.ones(2, 3), new nn.Parameter(torch.zeros(2))]),
  parameterDict: () => new nn.ParameterDict({ b: torch.ones(2, 3), a: new nn.Parameter(torch.tensor(0)) }),
};

const names = (pairs: readonly [string, unknown][]) => pairs.map(([name]) => name);

test.each(Object.entries(models))("%s has PyTorch's names, in PyTorch's order", (name, make) => {
  const expected = golden.models[name];
  const model = make();
  expect(String(model)).toBe(expected.printed);
  expect(inspect(model)).toBe(expected.printed);
  expect({
    printed: String(model),
    state: Object.keys(model.state_dict({ prefix: 'p.' })),
    parameters: names(model.named_parameters()),
    all: names(model.named_parameters({ remove_duplicate: false })),
    own: names(model.named_parameters({ prefix: 'p', recurse: false })),
    buffers: names(model.named_buffers()),
    modules: names(model.named_modules()),
    children: names(model.named_children()),
  }).toEqual(expected);
});

describe('members', () => {
  test('are found by their paths', () => {
    const net = new Net();
    expect(net.get_submodule('base.0')).toBe(net.base[0]);
    expect(net.get_submodule('')).toBe(net);
    expect(net.get_parameter('base.0.bias')).toBe((net.base[0] as torch.nn.Linear).bias);
    expect(net.get_buffer('mean').tolist()).toEqual([0, 0]);
    expect(() => net.get_submodule('base.2')).toThrow("get_submodule: target: Sequential has no module '2'");
    expect(() => net.get_parameter('head.bias')).toThrow("get_parameter: target: Linear has no parameter 'bias'");
    expect(() => net.get_buffer('scale')).toThrow("get_buffer: target: Net has no buffer 'scale'");
  });

  test('can be registered by name', () => {
    const module = new nn.Module();
    const weight = new nn.Parameter(torch.ones(1));
    module.register_parameter('weight', weight);
    module.register_parameter('bias', null);
    module.add_module('part', new nn.ReLU());
    module.register_buffer('count', torch.zeros(1));
    expect(Object.keys(module.state_dict())).toEqual(['weight', 'count']);
    expect(module.children()).toHaveLength(1);
    (module as unknown as { count: torch.Tensor }).count = torch.ones(1);
    expect(module.get_buffer('count').tolist()).toEqual([1]);
  });

  test.each([
    [(m: torch.nn.Module) => m.add_module('a.b', new nn.ReLU()), RangeError, /without dots/],
    [(m: torch.nn.Module) => m.add_module('', new nn.ReLU()), RangeError, /not empty/],
    [(m: torch.nn.Module) => m.add_module('forward', new nn.ReLU()), Error, /attribute 'forward' already exists/],
    [(m: torch.nn.Module) => m.add_module('x', 1 as never), TypeError, /expected a Module or null, got 1/],
    [(m: torch.nn.Module) => m.register_parameter('x', torch.ones(1) as never), TypeError, /expected a Parameter/],
    [(m: torch.nn.Module) => m.register_buffer('training', torch.ones(1)), Error, /'training' already exists/],
    [(m: torch.nn.Module) => m.register_buffer(1 as never, torch.ones(1)), TypeError, /name: expected a string, got 1/],
    [(m: torch.nn.Module) => void m.forward(), Error, /missing the required "forward" function/],
    [(m: torch.nn.Module) => m.train(1 as never), TypeError, /train: mode: expected a boolean, got 1/],
    [(m: torch.nn.Module) => m.apply(1 as never), TypeError, /apply: fn: expected a function, got 1/],
    [(m: torch.nn.Module) => m.to([] as never), TypeError, /to: expected a dtype/],
    [(m: torch.nn.Module) => m.to({ type: torch.float64 } as never), TypeError, /to: unknown option 'type'/],
    [(m: torch.nn.Module) => m.to(torch.int64), TypeError, /expected a floating-point dtype, got torch.int64/],
    [(m: torch.nn.Module) => m.to('cuda' as never), TypeError, /to: expected a dtype/],
    [(m: torch.nn.Module) => m.to(undefined as never), TypeError, /to: expected a dtype/],
    [(m: torch.nn.Module) => m.parameters({ recur: true } as never), TypeError, /Did you mean 'recurse'/],
    [(m: torch.nn.Module) => m.register_forward_hook(1 as never), TypeError, /expected a function, got 1/],
    [() => new nn.Parameter([1] as never), TypeError, /Parameter: data: expected a Tensor/],
    [() => new nn.Parameter(torch.tensor([1n])), Error, /floating-point/],
    [() => new nn.Sequential(1 as never), TypeError, /expected a Module, got 1/],
    [() => new nn.ModuleDict({ keys: new nn.ReLU() }), Error, /attribute 'keys' already exists/],
  ])('%s is refused and changes nothing', (act, type, message) => {
    const module = new nn.Module();
    expect(() => act(module)).toThrow(type);
    expect(() => act(module)).toThrow(message);
    expect(module.modules()).toEqual([module]);
    expect(module.state_dict()).toEqual({});
  });
});

test('a parameter is a leaf over the memory of its data', () => {
  const data = torch.ones(2);
  const parameter = new nn.Parameter(data);
  expect([parameter.requires_grad, parameter.is_leaf]).toEqual([true, true]);
  data.mul_(3);
  expect(parameter.tolist()).toEqual([3, 3]);
  expect(String(parameter)).toBe('Parameter containing:\ntensor([3., 3.], requires_grad=True)');
  expect(new nn.Parameter(data, false).requires_grad).toBe(false);
  expect(new nn.Parameter(torch.tensor([1n]), { requires_grad: false }).dtype).toBe(torch.int64);
});

test('an assigned Buffer is a buffer', () => {
  class Counting extends nn.Module {
    seen = new nn.Buffer(torch.zeros(1));
    scratch = new nn.Buffer(torch.zeros(1), { persistent: false });
  }
  const module = new Counting();
  expect(names(module.named_buffers())).toEqual(['seen', 'scratch']);
  expect(Object.keys(module.state_dict())).toEqual(['seen']);
});

test('train, eval, apply and requires_grad_ reach every module', () => {
  const net = new Net();
  expect(net.eval()).toBe(net);
  expect(net.modules().map((m) => m.training)).toEqual([false, false, false, false, false]);
  net.base.train();
  expect(net.modules().map((m) => m.training)).toEqual([false, true, true, true, false]);
  const order: string[] = [];
  net.apply((module) => order.push(module.constructor.name));
  expect(order).toEqual(['Linear', 'Tanh', 'Sequential', 'Linear', 'Net']);
  net.requires_grad_(false);
  expect(net.parameters().some((p) => p.requires_grad)).toBe(false);
});

test('zero_grad forgets gradients or zeroes them', () => {
  const net = new Net();
  net.forward(torch.ones(1, 2)).sum().backward();
  const { grad } = net.scale;
  net.zero_grad({ set_to_none: false });
  expect(net.scale.grad).toBe(grad);
  expect(grad!.tolist()).toEqual([0, 0]);
  net.zero_grad();
  expect(net.scale.grad).toBeNull();
});

test('a gradient with a graph is taken out of it and zeroed in place', () => {
  const net = new Net();
  net.forward(torch.ones(1, 2)).sum().backward(null, { create_graph: true });
  const { grad } = net.scale;
  expect(grad!.grad_fn).not.toBeNull();
  net.zero_grad({ set_to_none: false });
  expect(net.scale.grad).toBe(grad);
  expect(grad!.grad_fn).toBeNull();
  expect(grad!.tolist()).toEqual([0, 0]);
});

test('to converts floating-point parameters, gradients and buffers, and keeps the parameters', () => {
  const net = new Net();
  net.register_buffer('count', torch.tensor([1n]));
  net.forward(torch.ones(1, 2)).sum().backward();
  const { scale } = net;
  net.to({ dtype: torch.float64 });
  expect(net.scale).toBe(scale);
  expect([scale.dtype, scale.grad!.dtype, scale.requires_grad]).toEqual([torch.float64, torch.float64, true]);
  expect([net.get_buffer('mean').dtype, net.get_buffer('count').dtype]).toEqual([torch.float64, torch.int64]);
  expect(net.forward(torch.ones(1, 2, { dtype: torch.float64 })).dtype).toBe(torch.float64);
  expect(net.float().to('cpu').scale.dtype).toBe(torch.float32);
});

describe('state', () => {
  const one = (...sizes: number[]) => torch.ones(...sizes);
  const bad: Record<string, Record<string, torch.Tensor>> = {
    missing: { '0.weight': one(1, 2) },
    unexpected: { '0.weight': one(1, 2), '0.bias': one(1), '0.other': one(1), '1.weight': one(1) },
    sizes: { '0.weight': one(2, 2), '0.bias': one(1) },
    all: { '0.weight': one(2), extra: one(1) },
  };

  test.each(Object.keys(golden.refusals))('with %s that do not fit: PyTorch’s message, nothing changed', (key) => {
    const model = new nn.Sequential(new nn.Linear(2, 1));
    const before = model.parameters().map((p) => p.tolist());
    expect(() => model.load_state_dict(bad[key])).toThrow(new Error(golden.refusals[key]));
    expect(model.parameters().map((p) => p.tolist())).toEqual(before);
  });

  test('is checked before anything is written', () => {
    const model = new nn.Linear(2, 1);
    const before = model.weight.tolist();
    expect(() => model.load_state_dict({ weight: one(1, 2), bias: 1 as never })).toThrow(
      /"bias", expected torch.Tensor/,
    );
    expect(() => model.load_state_dict(null as never)).toThrow(/load_state_dict: state_dict: expected an object/);
    const whole = { weight: one(1, 2), bias: torch.tensor([1n]) };
    expect(() => model.load_state_dict(whole, { assign: true })).toThrow(/dtype mismatch for bias/);
    expect(model.weight.tolist()).toEqual(before);
  });

  test('is outside the graph and shares memory, or is the parameters themselves', () => {
    const model = new nn.Linear(2, 1);
    const state = model.state_dict();
    expect(state.weight.requires_grad).toBe(false);
    state.weight.zero_();
    expect(model.weight.tolist()).toEqual([[0, 0]]);
    expect(model.state_dict({ keep_vars: true }).weight).toBe(model.weight);
  });

  test('need not fit when strict is false, and can be taken over by assign', () => {
    const model = new nn.Sequential(new nn.Linear(2, 1));
    const result = model.load_state_dict({ '0.bias': one(1), other: one(1) }, { strict: false });
    expect(result).toEqual({ missing_keys: ['0.weight'], unexpected_keys: ['other'] });
    expect((model[0] as torch.nn.Linear).bias!.tolist()).toEqual([1]);
    const weight = one(1, 2).double();
    model.load_state_dict({ '0.weight': weight, '0.bias': one(1) }, { assign: true });
    const taken = (model[0] as torch.nn.Linear).weight;
    expect(taken).toBeInstanceOf(nn.Parameter);
    expect([taken.dtype, taken.requires_grad]).toEqual([torch.float64, true]);
    weight.zero_();
    expect(taken.tolist()).toEqual([[0, 0]]);
  });

  test('has hooks', () => {
    const model = new nn.Sequential(new nn.Linear(1, 1));
    const calls: string[] = [];
    model[0].register_state_dict_pre_hook((_m, prefix) => calls.push(`pre ${prefix}`));
    model[0].register_state_dict_post_hook((_m, state, prefix) => delete state[`${prefix}bias`]);
    expect(Object.keys(model.state_dict())).toEqual(['0.weight']);
    expect(calls).toEqual(['pre 0.']);
    model.register_load_state_dict_pre_hook((_m, state, prefix) => {
      state[`${prefix}0.weight`] = state.old;
      delete state.old;
    });
    const forgiving = model.register_load_state_dict_post_hook((_m, keys) => (keys.missing_keys.length = 0));
    const given = { old: one(1, 1) };
    expect(model.load_state_dict(given).missing_keys).toEqual([]);
    expect((model[0] as torch.nn.Linear).weight.tolist()).toEqual([[1]]);
    expect(Object.keys(given)).toEqual(['old']);
    forgiving.remove();
    expect(() => model.load_state_dict(given)).toThrow(/Missing key\(s\) in state_dict: "0.bias"/);
  });
});

describe('hooks', () => {
  test('run around forward, in order, and can replace arguments and results', () => {
    const model = new nn.Sequential(new nn.Identity());
    const calls: string[] = [];
    const handles = [
      model.register_forward_pre_hook((_m, [x]: torch.Tensor[]) => {
        calls.push('pre');
        return x.mul(2);
      }),
      model.register_forward_pre_hook(() => void calls.push('first'), { prepend: true }),
      model.register_forward_hook((m, [x]: torch.Tensor[], out: torch.Tensor) => {
        calls.push(`post ${m === model} ${x.item()} ${out.item()}`);
        return out.add(1);
      }),
    ];
    expect(model.forward(torch.tensor(3)).item()).toBe(7);
    expect(calls).toEqual(['first', 'pre', 'post true 6 6']);
    expect(Object.keys(model.state_dict())).toEqual([]);
    expect(model.children()).toHaveLength(1);
    handles.forEach((handle) => handle.remove());
    expect(model.forward(torch.tensor(3)).item()).toBe(3);
  });

  test('run around a forward that is a property too', () => {
    class Doubling extends nn.Module {
      override forward = (x: torch.Tensor) => x.mul(2);
    }
    const module = new Doubling();
    module.register_forward_hook((_m, _args, out: torch.Tensor) => out.add(1));
    expect(module.forward(torch.tensor(3)).item()).toBe(7);
  });

  test('with always_call run even if forward throws', () => {
    const module = new nn.Module();
    const outputs: unknown[] = [];
    const handle = module.register_forward_hook((_m, _args, out) => void outputs.push(out), { always_call: true });
    expect(() => void module.forward(1)).toThrow(/missing the required "forward"/);
    expect(outputs).toEqual([null]);
    handle.remove();
    expect(() => void module.forward(1)).toThrow(/missing the required "forward"/);
    expect(outputs).toHaveLength(1);
  });

  test("on backward see and replace PyTorch's gradients", () => {
    torch.manual_seed(0);
    const first = new nn.Linear(4, 3);
    const model = new nn.Sequential(first, new nn.Tanh(), new nn.Linear(3, 1)).double();
    const seen: number[][] = [];
    const numbers = (t: torch.Tensor | null) => t!.flatten().tolist() as number[];
    model[1].register_full_backward_pre_hook((_m, [grad]) => {
      seen.push(numbers(grad));
      return [grad!.mul(2)];
    });
    model[1].register_full_backward_hook((_m, [gradInput], [gradOutput]) => {
      seen.push(numbers(gradInput), numbers(gradOutput));
      return gradInput!.mul(2);
    });
    const { shape, values } = golden.inputs.x;
    model
      .forward(torch.tensor(values, { dtype: torch.float64 }).reshape(shape))
      .sum()
      .backward();
    const close = (rows: number[][]) => rows.map((row) => row.map((x) => expect.closeTo(x, 12) as number));
    expect(seen).toEqual(close(golden.hooks.seen));
    expect([numbers(first.weight.grad)]).toEqual(close([golden.hooks.grad]));
  });

  test('on backward run where no input wants a gradient, and refuse another number of gradients', () => {
    const module = new nn.Linear(2, 1);
    const seen: unknown[] = [];
    const handle = module.register_full_backward_hook((_m, gradInput, gradOutput) => {
      seen.push(
        gradInput,
        gradOutput.map((g) => g!.tolist()),
      );
    });
    module.forward(torch.ones(1, 2)).sum().backward();
    expect(seen).toEqual([[null], [[[1]]]]);
    handle.remove();
    module.register_full_backward_hook(() => []);
    expect(() =>
      module
        .forward(torch.ones(1, 2, { requires_grad: true }))
        .sum()
        .backward(),
    ).toThrow('full_backward_hook: expected the hook to return 1 gradients, got 0');
  });
});

describe('containers', () => {
  const tanh = new nn.Tanh();
  const relu = new nn.ReLU();
  const sigmoid = new nn.Sigmoid();

  test.each([
    ['Sequential', () => new nn.Sequential(tanh, relu)],
    ['ModuleList', () => new nn.ModuleList([tanh, relu])],
  ])('%s is numbered', (_name, make) => {
    const list = make();
    expect([list[0], list.get(-1), list.length, [...list]]).toEqual([tanh, relu, 2, [tanh, relu]]);
    expect([...list.append(sigmoid)]).toEqual([tanh, relu, sigmoid]);
    expect([...list.insert(1, sigmoid)]).toEqual([tanh, sigmoid, relu, sigmoid]);
    expect(list.pop()).toBe(sigmoid);
    expect(list.pop(0)).toBe(tanh);
    list.set(-1, tanh);
    expect([...list.extend([relu])]).toEqual([sigmoid, tanh, relu]);
    expect(names(list.named_children())).toEqual(['0', '1', '2']);
    expect([...list.slice(1)]).toEqual([tanh, relu]);
    expect(() => list.get(3)).toThrow(new RangeError('get: index: expected an index of 3 parts, got 3'));
    expect(() => list.append(1 as never)).toThrow(TypeError);
    expect(list.length).toBe(3);
  });

  test('Sequential calls its modules by number or by name', () => {
    const x = torch.tensor([-1, 0.5]);
    expect(new nn.Sequential().forward(x)).toBe(x);
    expect(new nn.Sequential(relu, tanh).forward(x).tolist()).toEqual([0, Math.fround(Math.tanh(0.5))]);
    expect(new nn.Sequential({ tanh, relu }).forward(x).tolist()).toEqual([0, Math.fround(Math.tanh(0.5))]);
    class Named extends nn.Sequential {
      relu = relu;
    }
    expect(new Named().forward(x).tolist()).toEqual([0, 0.5]);
    const named = new nn.Sequential({ relu }).append(tanh);
    expect(names(named.named_children())).toEqual(['relu', '1']);
    expect(named.forward(x).tolist()).toEqual([0, Math.fround(Math.tanh(0.5))]);
    named.set(0, sigmoid);
    expect([...named]).toEqual([sigmoid, tanh]);
    named.pop();
    expect(names(named.named_children())).toEqual(['0']);
    const mixed = new nn.Sequential(relu);
    mixed.add_module('last', tanh);
    expect(mixed.forward(x).tolist()).toEqual([0, Math.fround(Math.tanh(0.5))]);
  });

  test('ModuleDict and ParameterDict hold parts by name', () => {
    const dict = new nn.ModuleDict({ tanh });
    dict.update({ relu });
    dict.set('tanh', sigmoid);
    expect([dict.keys(), dict.values(), dict.length, dict.has('relu')]).toEqual([
      ['tanh', 'relu'],
      [sigmoid, relu],
      2,
      true,
    ]);
    expect(dict.pop('tanh')).toBe(sigmoid);
    expect(dict.items()).toEqual([['relu', relu]]);
    expect(() => dict.get('tanh')).toThrow(new RangeError('ModuleDict.get: key: no part is named "tanh"'));
    dict.clear();
    expect([...dict]).toEqual([]);
    const parameters = new nn.ParameterDict({ a: torch.ones(1) });
    expect(parameters.get('a')).toBeInstanceOf(nn.Parameter);
    expect(() => parameters.set('b', 1 as never)).toThrow(TypeError);
  });

  test('ParameterList makes parameters of tensors', () => {
    const list = new nn.ParameterList([torch.ones(1)]);
    list.append(torch.zeros(1));
    expect(list.parameters().map((p) => p.tolist())).toEqual([[1], [0]]);
  });
});
