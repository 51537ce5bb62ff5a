import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const { autograd, tensor } = torch;
const leaf = (data: number[] | number[][] | number): torch.Tensor => tensor(data, { requires_grad: true });
const list = (t: torch.Tensor | null): unknown => t?.tolist();

describe('backward', () => {
  test('accumulates into the leaves, over several calls', () => {
    const x = leaf([1, 2, 3]);
    x.mul(x).sum().backward();
    x.mul(2).sum().backward();
    expect(list(x.grad)).toEqual([4, 6, 8]);
  });

  test('gradients of a tensor used many times add up', () => {
    const x = leaf([2]);
    const y = x.mul(x);
    y.mul(y).add(y).add(x).sum().backward(); // x⁴ + x² + x
    expect(list(x.grad)).toEqual([4 * 8 + 2 * 2 + 1]);
  });

  test('two leaves that receive one gradient do not share its memory', () => {
    const [x, y] = [leaf([1, 2]), leaf([3, 4])];
    x.add(y).sum().backward();
    x.grad!.mul_(10);
    expect(list(y.grad)).toEqual([1, 1]);
  });

  test('a given gradient is neither kept nor changed', () => {
    const x = leaf([1, 2]);
    const g = tensor([5, 7]);
    x.add(0).backward(g);
    x.add(0).backward(g);
    expect(list(g)).toEqual([5, 7]);
    expect(list(x.grad)).toEqual([10, 14]);
  });

  test('refuses what it cannot do, and says why', () => {
    const x = leaf([1, 2]);
    expect(() => x.mul(2).backward()).toThrow(/only for scalar outputs.*\[2\]/);
    expect(() => tensor([1]).backward()).toThrow(/does not require grad/);
    expect(() => x.mul(2).backward(tensor([1, 2, 3]))).toThrow(/mismatch in shape.*\[3\].*\[2\]/);
    const loss = x.mul(x).sum();
    loss.backward();
    expect(() => loss.backward()).toThrow(/second time.*retain_graph/);
    expect(list(x.grad)).toEqual([2, 4]);
    const kept = x.mul(x).sum();
    kept.backward(null, { retain_graph: true });
    kept.backward();
    expect(list(x.grad)).toEqual([6, 12]);
  });

  test('takes its options with or without a gradient before them', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const loss = y.mul(y).sum();
    loss.backward({ retain_graph: true });
    loss.backward({ gradient: tensor(2), retain_graph: true });
    expect(list(x.grad)).toEqual([54, 108]);
    loss.backward({ inputs: [y], retain_graph: true });
    expect([list(y.grad), list(x.grad)]).toEqual([[6, 12], [54, 108]]); // prettier-ignore
    autograd.backward([loss, y], { grad_tensors: [null, torch.ones(2).double()] });
    expect(list(x.grad)).toEqual([54 + 18 + 3, 108 + 36 + 3]);
    const anything = x as never;
    const rows: [() => unknown, RegExp][] = [
      [() => x.sum().backward({ retainGraph: true } as never), /backward: unknown option 'retainGraph'.*retain_graph/],
      [() => x.sum().backward('ones' as never), /backward: gradient: expected a Tensor, got "ones"/],
      [() => x.sum().backward({ inputs: [] }), /backward: inputs: expected at least one/],
      [() => autograd.backward([x.sum(), 1 as never]), /backward: tensors\[1\]: expected a Tensor, got 1/],
      [() => autograd.backward(x.sum(), [anything, anything]), /grad_tensors: expected 1 gradients/],
      [() => autograd.grad(x.sum(), undefined as never), /autograd.grad: inputs: expected a Tensor, got undefined/],
      [() => autograd.grad(x.sum(), x, { create: true } as never), /grad: unknown option 'create'.*create_graph/],
    ];
    for (const [call, message] of rows) expect(call).toThrow(message);
    const wrong = x.mul(1);
    wrong.register_hook(() => torch.ones(3));
    expect(() => wrong.sum().backward()).toThrow(/hook: result: expected a tensor of shape \[2\]/);
    expect(list(x.grad)).toEqual([75, 147]);
  });

  test('a graph of 100,000 nodes does not overflow the stack', () => {
    const x = leaf([1]);
    let y: torch.Tensor = x;
    for (let i = 0; i < 100_000; i++) y = y.add(1);
    y.sum().backward();
    expect(list(x.grad)).toEqual([1]);
  });

  test('without a graph nothing is recorded', () => {
    const x = leaf([1]);
    torch.no_grad(() => {
      expect(x.mul(2).requires_grad).toBe(false);
      torch.enable_grad(() => expect(x.mul(2).requires_grad).toBe(true));
      expect(torch.is_grad_enabled()).toBe(false);
    });
    expect(() =>
      torch.no_grad(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(torch.is_grad_enabled()).toBe(true);
    expect(() => torch.no_grad(async () => {})).toThrow(/synchronous/);
    expect(x.detach().requires_grad).toBe(false);
  });
});

describe('autograd.grad', () => {
  test('gives gradients of leaves and of intermediates, and leaves .grad alone', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const [gx, gy] = autograd.grad(y.mul(y).sum(), [x, y]);
    expect(list(gx)).toEqual([18, 36]);
    expect(list(gy)).toEqual([6, 12]);
    expect(x.grad).toBeNull();
  });

  test('gradients of gradients, to the third order', () => {
    const x = leaf([2]);
    let y = x.mul(x).mul(x).mul(x);
    const orders = [4 * 8, 12 * 4, 24 * 2];
    for (const expected of orders) {
      [y] = autograd.grad(y.sum(), x, { create_graph: true }) as [torch.Tensor];
      expect(list(y)).toEqual([expected]);
    }
  });

  test('unused inputs', () => {
    const [x, unused] = [leaf([1]), leaf([1, 2])];
    expect(() => autograd.grad(x.mul(2).sum(), [x, unused])).toThrow(/element 1 of inputs.*not have been used/);
    expect(autograd.grad(x.mul(2).sum(), [x, unused], { allow_unused: true })[1]).toBeNull();
    expect(list(autograd.grad(x.mul(2).sum(), [unused], { materialize_grads: true })[0])).toEqual([0, 0]);
    expect(() => autograd.grad(x.mul(2).sum(), tensor([1]))).toThrow(/does not require grad/);
  });

  test('only the part of the graph that leads to the inputs is walked', () => {
    const [x, y] = [leaf([3]), leaf([4])];
    const shared = y.mul(y);
    shared.sum().backward(); // frees it
    const [g] = autograd.grad(x.mul(x).add(shared).sum(), x);
    expect(list(g)).toEqual([6]);
  });
});

describe('in-place changes', () => {
  test('of a saved tensor are noticed', () => {
    const x = leaf([1, 2]);
    const y = x.mul(1);
    const loss = y.mul(y).sum();
    y.add_(1);
    expect(() => loss.backward()).toThrow(
      /MulBackward0 was modified by an in-place operation.*version 1; expected version 0/,
    );
  });

  test('of leaves and their views are refused, but not under no_grad', () => {
    const x = leaf([1, 2]);
    expect(() => x.add_(1)).toThrow(/leaf tensor that requires grad.*in-place/);
    expect(() => x.view(2, 1).add_(1)).toThrow(/view of a leaf/);
    torch.no_grad(() => x.add_(1));
    expect(x.tolist()).toEqual([2, 3]);
    expect(() => tensor([1]).expand(3).add_(1)).toThrow(/single memory location/);
  });

  test('of views that the graph cannot follow are refused', () => {
    const y = leaf([[1, 2]]).mul(1);
    expect(() => y.unbind()[0].add_(1)).toThrow(
      /add_: a view that is one of several a function returned is being modif/,
    );
    const unseen = torch.no_grad(() => y.view(-1));
    expect(() => unseen.mul_(leaf([1, 2]))).toThrow(/mul_: a view that was made under no_grad is being modified/);
    expect(() => unseen.view(2).mul_(leaf([1, 2]))).toThrow(/under no_grad/);
    expect(y.tolist()).toEqual([[1, 2]]);
    const view = torch.zeros(2, 1).view(2).requires_grad_();
    expect(() => view.narrow(0, 0, 1).fill_(1)).toThrow(/fill_: a view of a leaf/);
  });

  test('by a copy leave the tensor in the graph', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    y.copy_(tensor([5, 6]));
    y.sum().backward();
    expect([list(y), list(x.grad)]).toEqual([[5, 6], [0, 0]]); // prettier-ignore
  });

  test('are recorded, and save what their backward needs', () => {
    const [x, w] = [leaf([1, 2]), leaf([3, 5])];
    const y = x.add(0);
    y.mul_(w).tanh_();
    y.sum().backward();
    const d = (a: number, b: number): number => b * (1 - Math.tanh(a * b) ** 2);
    (list(x.grad) as number[]).forEach((g, i) => expect(g).toBeCloseTo(d(i + 1, [3, 5][i]), 6));
    (list(w.grad) as number[]).forEach((g, i) => expect(g).toBeCloseTo(d([3, 5][i], i + 1), 6));
  });

  test('of a view reach the gradients of its base, and the other way round', () => {
    const [x, w] = [leaf([1, 2, 3, 4]), leaf([10, 20])];
    const base = x.mul(1);
    const view = base.view(2, 2);
    view.select(0, 1).mul_(w);
    const other = base.narrow(0, 1, 2);
    base.mul_(2);
    expect(other.tolist()).toEqual([4, 60]);
    base.sum().add(other.sum()).backward();
    expect(list(x.grad)).toEqual([2, 4, 40, 40]);
    expect(list(w.grad)).toEqual([12, 8]);
  });

  test('of a tensor outside the graph by one inside', () => {
    const w = leaf([2, 3]);
    const buffer = torch.zeros(2, 2);
    buffer.select(0, 0).add_(w);
    buffer.mul(buffer).sum().backward();
    expect(list(w.grad)).toEqual([4, 6]);
    expect(buffer.requires_grad).toBe(true);
  });
});

describe('leaves and the graph', () => {
  test('a gradient that does not fit is refused', () => {
    const x = leaf([1, 2]);
    const assign = (value: unknown) => () => (x.grad = value as torch.Tensor);
    expect(assign('zero')).toThrow(/^grad: value: expected a Tensor, got "zero"$/);
    expect(assign(undefined)).toThrow(TypeError);
    expect(assign(tensor([1]))).toThrow(/expected a tensor of shape \[2\] and dtype float32, got .*\[1\]/);
    expect(assign(torch.zeros(2).double())).toThrow(TypeError);
    expect(assign(x)).toThrow(/its own gradient/);
    expect(x.grad).toBeNull();
  });

  test('elements of an expanded tensor share the gradient of their place', () => {
    const x = tensor([[1], [2]], { requires_grad: true });
    const wide = x.expand(2, 3);
    wide.as_strided([2], [1]).sum().backward();
    expect(list(x.grad)).toEqual([[1], [1]]);
  });

  test('flags', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    expect([x.is_leaf, y.is_leaf, x.grad_fn, String(y.grad_fn)]).toEqual([true, false, null, '<MulBackward0>']);
    expect(() => y.requires_grad_(false)).toThrow(/leaf/);
    expect(() => tensor([1], { dtype: torch.int64 }).requires_grad_()).toThrow(/floating-point/);
    expect(y.detach().requires_grad).toBe(false);
    expect(y.grad_fn!.next_functions[0][0]!.name()).toBe('AccumulateGrad');
  });

  test('data shares memory but not the version', () => {
    const x = leaf([1, 2]);
    const loss = x.mul(x).sum();
    x.data.mul_(10);
    expect(x._version).toBe(0);
    loss.backward();
    expect(list(x.grad)).toEqual([20, 40]);
    x.data = tensor([7, 8, 9]);
    expect(x.tolist()).toEqual([7, 8, 9]);
    expect(x.requires_grad).toBe(true);
  });

  test('hooks see and replace gradients', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const seen: unknown[] = [];
    const handle = y.register_hook((g) => {
      seen.push(g.tolist());
      return g.mul(2);
    });
    x.register_hook((g) => void seen.push(g.tolist()));
    x.register_post_accumulate_grad_hook((p) => void seen.push(p.grad!.tolist()));
    y.sum().backward(null, { retain_graph: true });
    expect(seen).toEqual([
      [1, 1],
      [6, 6],
      [6, 6],
    ]);
    handle.remove();
    x.grad = null;
    y.sum().backward();
    expect(list(x.grad)).toEqual([3, 3]);
    expect(() => tensor([1]).register_hook(() => {})).toThrow(/doesn't require gradient/);
  });

  test('a gradient that a hook kept stays as it was', () => {
    const x = leaf(new Array<number>(3000).fill(1));
    let kept: torch.Tensor | null = null;
    const y = x.mul(2);
    y.register_hook((g) => void (kept = g));
    for (let i = 0; i < 3; i++)
      y.mul(i + 5)
        .sum()
        .backward(null, { retain_graph: true });
    const last = kept!;
    for (let i = 0; i < 50; i++) x.mul(3).mul(4).sum().backward();
    expect(new Set(last.tolist() as number[])).toEqual(new Set([7]));
  });

  test('retain_grad keeps the gradient of an intermediate', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    expect(y.retains_grad).toBe(false);
    y.retain_grad();
    y.mul(y).sum().backward();
    expect([y.retains_grad, list(y.grad), list(x.grad)]).toEqual([true, [6, 12], [18, 36]]);
    const z = x.mul(3);
    z.retain_grad();
    z.mul_(5).sum().backward();
    expect(list(z.grad)).toEqual([1, 1]);
  });

  test('backward may run inside a hook', () => {
    const x = leaf([2]);
    const shared = x.mul(1);
    const y = shared.mul(shared);
    let inner: unknown = null;
    y.register_hook(() => {
      const loss = torch.enable_grad(() => shared.mul(3).sum());
      inner = list(autograd.grad(loss, x, { retain_graph: true })[0]);
    });
    y.sum().backward();
    expect(inner).toEqual([3]);
    expect(list(x.grad)).toEqual([4]);
  });
});

describe('autograd.Function', () => {
  class Cube extends autograd.Function {
    static forward(ctx: torch.autograd.FunctionCtx, x: torch.Tensor, scale: number): torch.Tensor {
      ctx.save_for_backward(x);
      ctx.scale = scale;
      return x.mul(x).mul(x).mul(scale);
    }
    static backward(ctx: torch.autograd.FunctionCtx, g: torch.Tensor | null): (torch.Tensor | null)[] {
      const [x] = ctx.saved_tensors;
      return [
        g!
          .mul(x!)
          .mul(x!)
          .mul(3 * (ctx.scale as number)),
        null,
      ];
    }
  }

  test('has the backward it states, to any order', () => {
    const x = tensor([1, 2, -0.5], { dtype: torch.float64, requires_grad: true });
    const y = Cube.apply(x, 2);
    expect(y.grad_fn!.name()).toBe('CubeBackward');
    expect(autograd.gradcheck((t) => Cube.apply(t, 2), x)).toBe(true);
    expect(autograd.gradgradcheck((t) => Cube.apply(t, 2), x)).toBe(true);
    expect(Cube.apply(tensor([3]), 1).requires_grad).toBe(false);
  });

  test('several outputs, of which one gets no gradient', () => {
    class Pair extends autograd.Function {
      static forward(_ctx: torch.autograd.FunctionCtx, x: torch.Tensor): torch.Tensor[] {
        return [x.mul(2), x.mul(3)];
      }
      static backward(_ctx: torch.autograd.FunctionCtx, a: torch.Tensor | null, b: torch.Tensor | null): torch.Tensor {
        return a!.mul(2).add(b!.mul(3));
      }
    }
    const x = leaf([1, 1]);
    const [, second] = Pair.apply(x);
    second.sum().backward();
    expect(list(x.grad)).toEqual([3, 3]);
  });

  test('inputs changed in place, also through a view', () => {
    class Increment extends autograd.Function {
      static forward(ctx: torch.autograd.FunctionCtx, x: torch.Tensor, returned = true): torch.Tensor {
        ctx.mark_dirty(x.add_(1));
        return returned ? x : x.mul(1);
      }
      static backward(_ctx: torch.autograd.FunctionCtx, g: torch.Tensor | null): (torch.Tensor | null)[] {
        return [g!.mul(2), null];
      }
    }
    const x = leaf([1, 2, 3]);
    const base = x.mul(1);
    const view = base.narrow(0, 0, 2);
    expect(Increment.apply(view)).toBe(view);
    expect(Increment.apply(base)).toBe(base);
    base.sum().backward();
    expect([list(base), list(x.grad)]).toEqual([[3, 4, 4], [4, 4, 2]]); // prettier-ignore
    expect(() => Increment.apply(leaf([1]))).toThrow(/Increment: a leaf tensor/);
    expect(() => Increment.apply(x.mul(1), false)).toThrow(/Increment.forward: a tensor that was marked dirty/);
  });

  test('gradients that do not fit are refused by name', () => {
    class Wrong extends autograd.Function {
      static forward(_ctx: torch.autograd.FunctionCtx, x: torch.Tensor): torch.Tensor {
        return x.mul(1);
      }
      static backward(): torch.Tensor {
        return torch.ones(7);
      }
    }
    const x = leaf([1, 2]);
    expect(() => Wrong.apply(x).sum().backward()).toThrow(/WrongBackward: .*index 0: got \[7\].*\[2\]/);
    expect(x.grad).toBeNull();
  });

  test('gradcheck finds a wrong gradient', () => {
    class Off extends autograd.Function {
      static forward(_ctx: torch.autograd.FunctionCtx, x: torch.Tensor): torch.Tensor {
        return x.mul(2);
      }
      static backward(_ctx: torch.autograd.FunctionCtx, g: torch.Tensor | null): torch.Tensor {
        return g!.mul(2.1);
      }
    }
    const x = tensor([1, 2], { dtype: torch.float64, requires_grad: true });
    expect(() => autograd.gradcheck((t) => Off.apply(t), x)).toThrow(/numerical [\d.]+, analytical 2.1/);
    expect(autograd.gradcheck((t) => Off.apply(t), x, { raise_exception: false })).toBe(false);
  });
});
