import { execFileSync } from 'node:child_process';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { pool } from '../lib/backend/index.js';

const run = (name: string, ...args: string[]) => {
  const program = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  return execFileSync(process.execPath, ['--import', 'tsx', program, ...args], { encoding: 'utf8' });
};

test('memory stays bounded in a synchronous loop, and held tensors stay as they were', () => {
  // 200 steps of about 16 MiB: 3.2 GiB are taken in all.
  const [early, late] = JSON.parse(run('soak', '200', '16')) as [number, number];
  // What is left to the engine's own heuristics on the reference backend varies more.
  expect(late).toBeLessThan(600);
  expect(late - early).toBeLessThan(150);
});

// Node.js 20 has no way to.
test.runIf('transfer' in ArrayBuffer.prototype)('memory that a worker thread handed on outlives the thread', () => {
  expect(run('handed_on').trim()).toBe('2000');
});

// On the reference backend the engine collects by its own rules.
const native = torch.backends.file !== null;
describe.runIf(native)('major collections are rare', () => {
  const { nn } = torch;
  const evaluation = () => {
    const linear = () => new nn.Linear(64, 64);
    const net = new nn.Sequential(linear(), new nn.ReLU(), new nn.LayerNorm(64), linear(), new nn.ReLU(), linear());
    const images = torch.ones(65536, 64);
    return () => torch.no_grad(() => net.forward(images));
  };
  const addition = (size: number) => {
    const [a, b] = [0, 1].map(() => torch.ones(size, size));
    return () => a.add(b);
  };
  const training = () => {
    const net = new nn.Sequential(new nn.Linear(784, 64), new nn.ReLU(), new nn.Linear(64, 10));
    const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.01 });
    const images = torch.ones(10000, 784);
    const order = torch.arange(10000);
    // A function of its own: until it is optimized, one keeps what it computed until it returns.
    const loss = () => net.forward(images.index_select(0, order)).square().mean();
    return () => {
      optimizer.zero_grad();
      loss().backward();
      optimizer.step();
    };
  };
  test.each([
    { where: 'a model is evaluated on 16 MiB', program: evaluation, times: 40 },
    {
      where: 'half of 64 MiB is held, and a quarter more is taken each time',
      program: () => addition(2048),
      times: 40,
    },
    { where: 'results of 4 MiB are taken for long', program: () => addition(1024), times: 4500 },
    { where: 'a model is trained on a copy of 30 MiB', program: training, times: 40 },
  ])('where $where', async ({ program, times }) => {
    const run = program();
    let majors = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[])
        majors += Number(detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
    });
    observer.observe({ entryTypes: ['gc'] });
    for (let i = 0; i < times; i++) run();
    await setTimeout(20);
    observer.disconnect();
    // Where each step collects, as some did, there are 40. The engine makes some of its own, Node.js 24 up to eight.
    expect(majors).toBeLessThan(16);
  });
});

test.runIf(native)('the engine keeps the memory of young objects where few are made', () => {
  const [often, slowly] = JSON.parse(run('young_space')) as [number, number];
  expect(slowly).toBeGreaterThanOrEqual(often);
});

describe('the memory of a gradient', () => {
  const leaf = () => torch.ones(4096, { requires_grad: true });
  const backward = (w: torch.Tensor, factor: number) => w.mul(factor).sum().backward();

  test('is used again at once after zero_grad, unless it was seen', () => {
    const w = leaf();
    const optimizer = new torch.optim.SGD([w], { lr: 0.1 });
    backward(w, 2);
    const seen = w.grad!;
    const view = seen.narrow(0, 0, 2);
    optimizer.zero_grad();
    for (let i = 3; i < 20; i++) {
      backward(w, i);
      optimizer.step();
      optimizer.zero_grad();
      expect(torch.full([4096], i).sum().item()).toBe(4096 * i);
    }
    expect(seen.sum().item()).toBe(2 * 4096);
    expect(view.tolist()).toEqual([2, 2]);
    backward(w, 5);
    expect(w.grad!.sum().item()).toBe(5 * 4096);
  });

  test.each(['null', 'another'])('is used again at once after %s took its place, unless it was seen', (what) => {
    const w = leaf();
    const replace = () => {
      w.grad = what === 'null' ? null : torch.zeros(4096);
    };
    backward(w, 2);
    const seen = w.grad!;
    replace();
    w.grad = null;
    for (let i = 3; i < 20; i++) {
      backward(w, i);
      replace();
      expect(torch.full([4096], i).sum().item()).toBe(4096 * i);
      w.grad = null;
    }
    expect(seen.sum().item()).toBe(2 * 4096);
    // The same gradient for two leaves: one gets a copy.
    const [a, b] = [leaf(), leaf()];
    a.add(b).mul(3).sum().backward();
    a.grad = null;
    expect(torch.full([4096], 7).sum().item()).toBe(7 * 4096);
    expect(b.grad!.sum().item()).toBe(3 * 4096);
  });

  test('stays when the user gave it, or reaches it from a hook', () => {
    const w = leaf();
    const given = torch.full([4096], 7);
    w.grad = given;
    new torch.optim.SGD([w]).zero_grad();
    expect(given.sum().item()).toBe(7 * 4096);
    let kept: torch.Tensor | null = null;
    w.register_post_accumulate_grad_hook((t: torch.Tensor) => {
      kept = t.grad;
    });
    backward(w, 3);
    for (let i = 0; i < 4; i++) {
      new torch.optim.SGD([w]).zero_grad();
      torch.full([4096], 11);
    }
    expect(kept!.sum().item()).toBe(3 * 4096);
  });
});

describe.runIf(native)('what an op makes on its way to a result', () => {
  const bytes = 4 * 2 ** 16;
  /** What `f` leaves in use, in tensors of 256 KiB; the first call makes what stays for good. */
  const taken = (f: () => unknown): number => {
    f();
    const before = pool.stats.inUse;
    const result = f();
    const after = pool.stats.inUse;
    expect(result).toBeDefined();
    return (after - before) / bytes;
  };
  const filled = (value: number) => torch.full([2 ** 16], value);

  test('is given back at once where a backward makes it', () => {
    const x = filled(3).requires_grad_();
    const loss = torch.nn.functional.softsign(x).sum();
    const gradient = () => {
      x.grad = null;
      loss.backward({ retain_graph: true });
      return x.grad!;
    };
    const first = gradient();
    expect(taken(gradient)).toBe(1);
    // Each is 1 / (1 + |x|)^2, also after the memory was used again.
    for (let i = 0; i < 20; i++) filled(i);
    expect(first.sum().item()).toBe(2 ** 16 / 16);
    expect(x.grad!.sum().item()).toBe(2 ** 16 / 16);
  });

  test('is given back at once where another op is made of several', () => {
    const x = filled(2);
    expect(taken(() => x.count_nonzero())).toBe(0);
    expect(taken(() => torch.logsumexp(x, 0))).toBe(0);
    const [a, b] = [torch.logaddexp(x, x), torch.xlogy(x, x)];
    expect(taken(() => torch.xlogy(x, x))).toBe(1);
    for (let i = 0; i < 20; i++) filled(i);
    expect(a.min().item()).toBeCloseTo(2 + Math.LN2, 6);
    expect(b.max().item()).toBeCloseTo(2 * Math.LN2, 6);
  });

  test('stays where the backward is itself recorded, or the user’s', () => {
    const x = filled(3).requires_grad_();
    const [g] = torch.autograd.grad([torch.nn.functional.softsign(x).sum()], [x], { create_graph: true });
    for (let i = 0; i < 20; i++) filled(i);
    const [second] = torch.autograd.grad([g!.sum()], [x]);
    expect(second!.sum().item()).toBe((-2 * 2 ** 16) / 64);
    const kept: torch.Tensor[] = [];
    class Twice extends torch.autograd.Function {
      static forward = (_: unknown, t: torch.Tensor) => t.mul(2);
      static backward = (_: unknown, grad: torch.Tensor) => {
        kept.push(grad.mul(2));
        return grad.mul(2);
      };
    }
    (Twice.apply(x) as torch.Tensor).sum().backward();
    for (let i = 0; i < 20; i++) filled(i);
    expect(kept[0].sum().item()).toBe(2 * 2 ** 16);
  });
});
