import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as torch from 'cresset';

const F = torch.nn.functional;
type Numbers = (number | string)[] | null;

interface Case {
  f: string;
  args: unknown[];
  options: Record<string, unknown>;
  shape: number[];
  out: Numbers;
  node?: string;
  grads?: Record<string, Numbers>;
  second?: Numbers[] | null;
}

const golden: {
  tensors: Record<string, { shape: number[]; strided: boolean; dtype: string; values: number[] }>;
  cases: Case[];
} = JSON.parse(readFileSync(new URL('../golden/nn_functional.json', import.meta.url), 'utf8'));
const functions = F as unknown as Record<string, (...args: unknown[]) => torch.Tensor>;

/** A tensor of the table; floating-point ones in the dtype under test. */
function tensorOf(name: string, float: torch.DType): torch.Tensor {
  const { shape, strided, dtype, values } = golden.tensors[name];
  const type = dtype === 'float64' ? float : (torch[dtype as 'int64'] as torch.DType);
  const t = torch.tensor(values, { dtype: type }).reshape(shape);
  return strided ? t.t().contiguous().t() : t;
}

/** The output gradient of every case. */
function seeded(t: torch.Tensor): torch.Tensor {
  const values = Array.from({ length: t.numel() }, (_, i) => ((i * 7) % 5) / 2 - 0.75);
  return torch.tensor(values, { dtype: t.dtype }).reshape(t.shape);
}

/**
 * Expected values are PyTorch's in float64. Float32 may differ by the rounding of its own few operations: some units of the
 * greatest value (sums cancel), more for the sums of gradients of gradients.
 */
function near(got: torch.Tensor | null, expected: Numbers, tolerance: number, what: string): void {
  if (expected === null) {
    if (got !== null) expect(got.abs().max().item(), what).toBe(0);
    return;
  }
  if (got === null) {
    expect(
      expected.every((v) => v === 0),
      `${what}: no gradient`,
    ).toBe(true);
    return;
  }
  const values = got.detach().flatten().tolist() as number[];
  const numbers = expected.map(Number);
  expect(values.length, what).toBe(numbers.length);
  const scale = Math.max(1, ...numbers.filter(Number.isFinite).map(Math.abs));
  values.forEach((v, i) => {
    const same = Object.is(v, numbers[i]) || Math.abs(v - numbers[i]) <= tolerance * scale;
    if (!same) expect.fail(`${what}[${i}]: expected ${numbers[i]}, got ${v}`);
  });
}

function run({ f, args, options, shape, out, node, grads, second }: Case, dtype: torch.DType): void {
  const eps = dtype === torch.float32 ? 2 ** -23 : 2 ** -51;
  const leaves: Record<string, torch.Tensor> = {};
  const resolve = (value: unknown): unknown => {
    if (typeof value !== 'string' || !value.startsWith('@')) return value;
    const name = value.slice(1);
    const t = tensorOf(name, dtype);
    if (grads && name in grads) leaves[name] = t.requires_grad_();
    return t;
  };
  const given = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, resolve(value)]));
  const positional = args.map(resolve);
  const result = functions[f](...positional, ...(Object.keys(given).length > 0 ? [given] : []));
  expect(result.shape).toEqual(shape);
  near(result, out, 8 * eps, 'out');
  if (!grads) return;
  expect(result.grad_fn!.name()).toBe(node);
  const inputs = Object.keys(grads).map((name) => leaves[name]);
  const plain = torch.autograd.grad(result, inputs, {
    grad_outputs: seeded(result),
    allow_unused: true,
    retain_graph: true,
  });
  plain.forEach((x, i) => near(x, Object.values(grads)[i], 16 * eps, `gradient ${Object.keys(grads)[i]}`));
  const g = seeded(result).requires_grad_();
  const recorded = torch.autograd.grad(result, inputs, { grad_outputs: g, create_graph: true, allow_unused: true });
  recorded.forEach((x, i) => near(x, Object.values(grads)[i], 16 * eps, `recorded gradient ${Object.keys(grads)[i]}`));
  if (!second) return;
  const total = recorded
    .filter((x) => x !== null && x.requires_grad)
    .map((x) => x!.mul(seeded(x!)).sum())
    .reduce((a, b) => a.add(b));
  const again = torch.autograd.grad(total, [g, ...inputs], { allow_unused: true });
  again.forEach((x, i) => near(x, second[i], 64 * eps, `second gradient ${i}`));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(['float32', 'float64'] as const)("PyTorch's values and gradients in %s", (dtype) => {
  test.each([...new Set(golden.cases.map((c) => c.f))])('%s', (f) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    for (const c of golden.cases.filter((c) => c.f === f)) {
      try {
        run(c, torch[dtype]);
      } catch (error) {
        (error as Error).message =
          `${f}(${JSON.stringify(c.args)}, ${JSON.stringify(c.options)}): ${(error as Error).message}`;
        throw error;
      }
    }
  });
});
