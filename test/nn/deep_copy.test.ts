import { expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn, deepCopy } = torch;

test('a copied model computes the same, and goes its own way', () => {
  torch.manual_seed(0);
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Dropout({ p: 0.5 }), new nn.Linear(4, 2)).eval();
  model.get_parameter('0.bias').requires_grad_(false);
  const copy = deepCopy(model);
  expect(copy).toBeInstanceOf(nn.Sequential);
  expect(String(copy)).toBe(String(model));
  expect(copy.modules().map((m) => m.training)).toEqual([false, false, false, false]);
  expect(copy.parameters().map((p) => p.requires_grad)).toEqual([true, false, true, true]);
  const x = torch.randn(5, 3);
  const before = model.forward(x).tolist();
  expect(copy.forward(x).tolist()).toEqual(before);
  torch.no_grad(() => copy.parameters().forEach((p) => p.add_(1)));
  expect(model.forward(x).tolist()).toEqual(before);
  copy.forward(x).sum().backward();
  expect(model.parameters().map((p) => p.grad)).toEqual([null, null, null, null]);
  copy.train();
  expect(model.training).toBe(false);
});

test('a parameter comes without its gradient, of its own class', () => {
  class Scale extends nn.Parameter {}
  const parameter = new Scale(torch.tensor([1, 2]));
  parameter.grad = torch.ones(2);
  const copy = deepCopy(parameter);
  expect(copy).toBeInstanceOf(Scale);
  expect([copy.tolist(), copy.requires_grad, copy.grad]).toEqual([[1, 2], true, null]);
});

test('what is there twice is there twice in the copy', () => {
  class Tied extends nn.Module {
    readonly a = new nn.Linear(2, 2);
    readonly b = new nn.Linear(2, 2);
    readonly again = this.a;
    readonly table = new Map<string, unknown>([['self', this]]);
    constructor() {
      super();
      this.b.weight = this.a.weight;
    }
  }
  const copy = deepCopy(new Tied());
  expect(copy.b.weight).toBe(copy.a.weight);
  expect(copy.again).toBe(copy.a);
  expect(copy.table.get('self')).toBe(copy);
  expect(copy.parameters()).toHaveLength(3);
});

test('buffers keep their names, persistence and shared memory', () => {
  class Stateful extends nn.Module {
    readonly saved = new nn.Buffer(torch.arange(4));
    readonly unsaved = new nn.Buffer(torch.zeros(1), { persistent: false });
    readonly view = this.saved.narrow(0, 1, 2);
    constructor() {
      super();
      this.register_buffer('count', torch.tensor(7, { dtype: torch.int64 }));
    }
  }
  const module = new Stateful();
  const copy = deepCopy(module);
  expect(copy.named_buffers().map(([name]) => name)).toEqual(['saved', 'unsaved', 'count']);
  expect(Object.keys(copy.state_dict())).toEqual(['saved', 'count']);
  copy.saved.fill_(9);
  expect(copy.view.tolist()).toEqual([9, 9]);
  expect(module.view.tolist()).toEqual([1, 2]);
  copy.register_buffer('late', torch.zeros(1));
  expect(module.buffers()).toHaveLength(3);
});

test('hooks run on the copy with the copy, and are added and removed apart', () => {
  const module = new nn.Linear(1, 1);
  const seen: unknown[] = [];
  const handle = module.register_forward_hook((m) => void seen.push(m));
  const copy = deepCopy(module);
  handle.remove();
  module.forward(torch.ones(1));
  copy.forward(torch.ones(1));
  expect(seen).toHaveLength(1);
  expect(seen[0]).toBe(copy);
  copy.register_forward_pre_hook(() => [torch.zeros(1)]);
  expect(module.forward(torch.ones(1)).item()).toBeCloseTo(Number(module.weight.item()) + Number(module.bias!.item()));
  expect(copy.forward(torch.ones(1)).item()).toBe(copy.bias!.item());
});

test('a state dict, layouts, gradients and plain data', () => {
  const t = torch.arange(6).reshape(2, 3).float().t().detach().requires_grad_();
  t.grad = torch.ones(3, 2);
  const data = { t, again: [t], dtype: torch.float32, bytes: new Uint8Array([1, 2]), none: null, set: new Set([1]) };
  const copy = deepCopy(data);
  expect(copy.again[0]).toBe(copy.t);
  expect([copy.t.stride(), copy.t.tolist(), copy.t.requires_grad]).toEqual([t.stride(), t.tolist(), true]);
  expect(copy.t.grad!.tolist()).toEqual(t.grad.tolist());
  expect(copy.t.grad === t.grad).toBe(false);
  expect(copy.dtype).toBe(torch.float32);
  expect(copy.set).toEqual(new Set([1]));
  data.bytes[0] = 9;
  data.set.add(2);
  torch.no_grad(() => t.zero_());
  expect(copy.bytes).toEqual(new Uint8Array([1, 2]));
  expect(copy.set.size).toBe(1);
  expect(copy.t.tolist()).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  const empty = deepCopy(torch.zeros(0, 3));
  expect(empty.shape).toEqual([0, 3]);
});

test('refuses what it cannot copy, and shares what a module has of other classes', () => {
  const x = torch.ones(1, { requires_grad: true });
  expect(() => deepCopy(x.mul(2))).toThrow('deepCopy: value: only leaf tensors can be copied');
  expect(() => deepCopy({ optimizer: new torch.optim.SGD([x]) })).toThrow(
    'deepCopy: value: expected a Tensor, a Module or plain data, got an object of class SGD',
  );
  class Arrow extends nn.Module {
    override forward = (input: torch.Tensor) => input;
  }
  const module = new Arrow();
  expect(() => deepCopy(module)).toThrow('deepCopy: value: Arrow has its forward as a property');
  module.register_forward_hook(() => {});
  expect(() => deepCopy(module)).toThrow('deepCopy: value: Arrow has its forward as a property');
  class Random extends nn.Module {
    readonly generator = new torch.Generator();
    readonly activation = torch.relu;
  }
  const random = new Random();
  const copy = deepCopy(random);
  expect(copy.generator).toBe(random.generator);
  expect(copy.activation).toBe(torch.relu);
});
