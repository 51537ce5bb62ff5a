import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';

type Value = number | string | boolean;

/** One call of a function of torch; see test/golden/ops_math.py. */
interface Case {
  f: string;
  args: (Value | Value[])[];
  options?: Record<string, Value>;
  out: (Value[] | boolean)[];
  shapes: number[][];
  dtypes: string[];
  grads?: Record<string, Value[] | null>;
  /** Whether PyTorch allows the in-place form; absent where there is none. */
  in_place?: boolean;
}

const golden: {
  tensors: Record<string, { shape: number[]; dtype: string; strided: boolean; values: Value[] }>;
  cases: Case[];
  promotion: Record<string, Record<string, string>>;
} = JSON.parse(readFileSync(new URL('../golden/ops_math.json', import.meta.url), 'utf8'));

type AnyFunction = (...args: unknown[]) => unknown;
const functions = torch as unknown as Record<string, AnyFunction>;
const methods = torch.Tensor.prototype as unknown as Record<string, AnyFunction>;
const dtypes = torch as unknown as Record<string, torch.DType>;

/** How far from PyTorch a function may be, where rounding does not bound it: PyTorch's own trigamma has nine digits. */
const TOLERANCE: Record<string, number> = { digamma: 1e-8 };

function tensorOf(name: string, float: torch.DType, requires_grad: boolean): torch.Tensor {
  const { shape, dtype, strided, values } = golden.tensors[name];
  const type = dtype === 'float64' ? float : dtypes[dtype];
  const t = torch
    .tensor(
      values.map((v) => (typeof v === 'string' ? Number(v) : v)),
      { dtype: type },
    )
    .reshape(shape);
  const laidOut = strided ? t.t().contiguous().t() : t;
  return requires_grad && type.is_floating_point ? laidOut.detach().requires_grad_() : laidOut;
}

/** The arguments of a case, and those of them that take gradients. */
function argumentsOf({ args, options }: Case, float: torch.DType, requires_grad: boolean) {
  const leaves: Record<string, torch.Tensor> = {};
  const resolve = (value: Value | Value[]): unknown => {
    if (typeof value !== 'string') return value;
    if (!value.startsWith('@')) return Number.isNaN(Number(value)) && value !== 'NaN' ? value : Number(value);
    return (leaves[value.slice(1)] ??= tensorOf(value.slice(1), float, requires_grad));
  };
  const given: unknown[] = args.map(resolve);
  if (options) given.push(Object.fromEntries(Object.entries(options).map(([k, v]) => [k, resolve(v)])));
  return { given, leaves };
}

function seed(t: torch.Tensor): torch.Tensor {
  const values = Array.from({ length: t.numel() }, (_, i) => ((i * 7) % 5) / 2 - 0.75);
  return torch.tensor(values, { dtype: t.dtype }).reshape(t.shape);
}

function expectNear(got: torch.Tensor | null, expected: readonly Value[] | null, f: string, what: string): void {
  if (expected === null || got === null) {
    if (got !== null) expect(got.abs().sum().item(), what).toBe(0);
    else expect(expected === null || expected.every((v) => v === 0), `${what}: no gradient`).toBe(true);
    return;
  }
  const eps = Math.max(got.dtype === torch.float64 ? 2e-12 : 4e-6, TOLERANCE[f] ?? 0);
  const values = got.detach().flatten().tolist() as (number | boolean)[];
  expect(values.length, what).toBe(expected.length);
  expected.forEach((e, i) => {
    const v = values[i];
    if (typeof e === 'boolean' || typeof v === 'boolean') return expect(v, `${what}[${i}]`).toBe(e);
    const wanted = Number(e);
    const close = Object.is(v, wanted) || v === wanted || Math.abs(v - wanted) <= eps * Math.max(1, Math.abs(wanted));
    if (!close) expect.fail(`${what}[${i}]: expected ${e}, got ${v}`);
  });
}

function tensorsOf(result: unknown): torch.Tensor[] {
  if (result instanceof torch.Tensor) return [result];
  return Symbol.iterator in Object(result) ? [...(result as torch.Tensor[])] : Object.values(result as object);
}

function check(c: Case, float: torch.DType): void {
  const { given, leaves } = argumentsOf(c, float, c.grads !== undefined);
  const result = functions[c.f](...given);
  if (typeof result === 'boolean') return expect(result).toBe(c.out[0]);
  const outs = tensorsOf(result);
  outs.forEach((out, i) => {
    expect(out.shape, 'shape').toEqual(c.shapes[i]);
    expectNear(out, c.out[i] as Value[], c.f, `result ${i}`);
    if (float === torch.float32) expect(out.dtype.name, 'dtype').toBe(c.dtypes[i]);
  });
  if (c.grads !== undefined) {
    const roots = outs.filter((out) => out.requires_grad);
    const inputs = Object.values(leaves).filter((leaf) => leaf.requires_grad);
    for (const create_graph of [false, true]) {
      const grads = torch.autograd.grad(roots, inputs, {
        grad_outputs: roots.map(seed),
        allow_unused: true,
        retain_graph: true,
        create_graph,
      });
      inputs.forEach((leaf, i) => {
        const name = Object.keys(leaves).find((key) => leaves[key] === leaf)!;
        expectNear(grads[i], c.grads![name], c.f, `gradient of ${name}${create_graph ? ', recorded' : ''}`);
      });
    }
    torch.no_grad(() => {
      for (const out of tensorsOf(functions[c.f](...given))) {
        if (c.f !== 'positive') expect(out.requires_grad, 'a result under no_grad').toBe(false);
      }
    });
  }
  if (given[0] instanceof torch.Tensor && c.f !== 'where') {
    const method = tensorsOf(methods[c.f].apply(given[0], given.slice(1)));
    method.forEach((out, i) => expectNear(out, c.out[i] as Value[], c.f, `result ${i} of the method`));
  }
}

function checkInPlace(c: Case, float: torch.DType): void {
  const { given } = argumentsOf(c, float, false);
  const [input, ...rest] = given as [torch.Tensor, ...unknown[]];
  const target = input.clone();
  const version = target._version;
  if (!c.in_place) {
    expect(() => methods[`${c.f}_`].apply(target, rest)).toThrow();
    expect(target.isnan().logical_or(target.eq(input)).all().item(), 'unchanged after an error').toBe(true);
    return;
  }
  expect(methods[`${c.f}_`].apply(target, rest)).toBe(target);
  expectNear(
    target,
    tensorsOf(functions[c.f](...given))[0]
      .to(target.dtype)
      .flatten()
      .tolist() as Value[],
    c.f,
    'in place',
  );
  if (target.is_floating_point()) expect(target._version, 'version').toBeGreaterThan(version);
  if (c.grads === undefined) return;
  // The same gradients through the in-place form of a tensor that is no leaf.
  const recorded = argumentsOf(c, float, true);
  const changed = (recorded.given[0] as torch.Tensor).mul(1);
  methods[`${c.f}_`].apply(changed, recorded.given.slice(1));
  changed.backward(seed(changed));
  for (const [name, expected] of Object.entries(c.grads)) {
    expectNear(recorded.leaves[name].grad, expected, c.f, `gradient of ${name} in place`);
  }
}

const names = [...new Set(golden.cases.map((c) => c.f))];

/** Runs every case of a function, saying which one failed. */
function forCases(f: string, run: (c: Case) => void): void {
  for (const c of golden.cases.filter((c) => c.f === f)) {
    try {
      run(c);
    } catch (error) {
      (error as Error).message =
        `${f}(${JSON.stringify(c.args)}, ${JSON.stringify(c.options)}): ${(error as Error).message}`;
      throw error;
    }
  }
}

describe.each(['float32', 'float64'])('in %s', (float) => {
  test.each(names)("%s has PyTorch's values and gradients", (f) => forCases(f, (c) => check(c, dtypes[float])));
});

test.each([...new Set(golden.cases.filter((c) => c.in_place !== undefined).map((c) => c.f))])('%s_', (f) => {
  forCases(f, (c) => c.in_place !== undefined && checkInPlace(c, torch.float32));
});

test("types are promoted as PyTorch's result_type says", () => {
  const operand = (name: string): torch.Tensor | number | boolean => {
    if (!(name.split(' ')[0] in torch)) return JSON.parse(name);
    const [dtype, single] = name.split(' ');
    return torch.ones(single === undefined ? [2] : [], { dtype: dtypes[dtype] });
  };
  for (const [a, row] of Object.entries(golden.promotion)) {
    for (const [b, dtype] of Object.entries(row)) {
      expect(torch.result_type(operand(a), operand(b)).name, `${a}, ${b}`).toBe(dtype);
      expect(torch.eq(operand(a), operand(b)).dtype).toBe(torch.bool);
      if (dtype !== 'bool') expect(torch.mul(operand(a), operand(b)).dtype.name, `${a} * ${b}`).toBe(dtype);
    }
  }
});
