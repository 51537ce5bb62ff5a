import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import * as random from '../lib/tensor/distributions.js';
import type { TypedArray } from '../lib/tensor/dtype.js';
import { Generator } from '../lib/tensor/generator.js';

interface Case {
  op: string;
  dtype: keyof typeof arrays;
  seed: string;
  n: number;
  args: (number | string | null)[];
  values?: (number | string)[];
  sha256?: string; // of the bytes, where there are many values
  state: string; // the generator's afterwards: the start of its sha256
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
};
const cases: Case[] = JSON.parse(readFileSync(new URL('./golden/generator.json', import.meta.url), 'utf8'));

const sha256 = (bytes: ArrayBufferView) =>
  createHash('sha256')
    .update(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    .digest('hex');
const integer = (x: number | string | null) => (typeof x === 'string' ? BigInt(x) : x);

/** Draws a case, into the middle of an array if it fills one, and checks that the rest is left alone. */
function draw({ op, dtype, seed, n, args }: Case): { out: TypedArray; gen: Generator } {
  const gen = new Generator().manual_seed(BigInt(seed));
  const [a, b] = args as number[];
  let whole: TypedArray = new arrays[dtype](n + 5);
  const intoTensor = (fill: (middle: torch.Tensor) => void) => {
    const tensor = torch.zeros(n + 5, { dtype: torch[dtype] });
    fill(tensor.narrow(0, 3, n));
    whole = tensor.toTypedArray();
  };
  switch (op) {
    case 'uniform_':
      intoTensor((middle) => middle.uniform_(a, b, { generator: gen }));
      break;
    case 'normal_':
      intoTensor((middle) => middle.normal_(a, b, { generator: gen }));
      break;
    case 'log_normal_':
      intoTensor((middle) => middle.log_normal_(a, b, { generator: gen }));
      break;
    case 'exponential_':
      intoTensor((middle) => middle.exponential_(a, { generator: gen }));
      break;
    case 'cauchy_':
      intoTensor((middle) => middle.cauchy_(a, b, { generator: gen }));
      break;
    case 'geometric_':
      intoTensor((middle) => middle.geometric_(a, { generator: gen }));
      break;
    case 'bernoulli_':
      intoTensor((middle) => middle.bernoulli_(a, { generator: gen }));
      break;
    case 'bernoulli':
      intoTensor((middle) => {
        const each = (whole as Float32Array).slice(5).map((_, i) => i / 1000);
        middle.bernoulli_(torch.tensor(each, { dtype: torch[dtype] }), { generator: gen });
      });
      break;
    case 'random_':
      intoTensor((middle) => middle.random_(...args.map(integer), { generator: gen }));
      break;
    case 'randperm':
      return { out: torch.randperm(n, { dtype: torch[dtype], generator: gen }).toTypedArray(), gen };
    case 'multinomial': {
      const ramp = torch.arange(1, n + 1, { dtype: torch[dtype] });
      const weights = torch.stack([ramp, ramp.flip([0])]);
      return { out: torch.multinomial(weights, a, { replacement: b === 1, generator: gen }).toTypedArray(), gen };
    }
    default:
      throw new Error(op);
  }
  expect([...whole.slice(0, 3), ...whole.slice(-2)].map(Number)).toEqual([0, 0, 0, 0, 0]);
  return { out: whole.slice(3, -2), gen };
}

describe("PyTorch's numbers", () => {
  // Float64 functions of the platform differ in their last bits; all else is exact, float32 normals included.
  const inexact = ['normal_', 'log_normal_', 'exponential_', 'cauchy_'];
  const groups = new Set(cases.map((c) => `${c.op} ${c.dtype}`));
  test.each([...groups])('%s', (group) => {
    for (const c of cases.filter((c) => `${c.op} ${c.dtype}` === group)) {
      const { out, gen } = draw(c);
      const name = JSON.stringify({ ...c, values: undefined });
      if (c.sha256) {
        expect(sha256(out), name).toBe(c.sha256);
      } else if (c.dtype === 'float64' && inexact.includes(c.op)) {
        const worst = c.values!.map((v, i) => Math.abs(Number(out[i]) - Number(v)) / Math.max(1, Math.abs(Number(v))));
        expect(Math.max(...worst), name).toBeLessThanOrEqual(2 ** -50);
      } else {
        expect([...out].map(String), name).toEqual(c.values!.map(String));
      }
      // A cached float64 normal is inexact too.
      if (gen.nextNormal === null) expect(sha256(gen.get_state()).slice(0, 16), name).toBe(c.state);
    }
  });
});

describe('Generator', () => {
  const next = (gen: Generator, n = 700) =>
    torch.rand(n, { dtype: torch.float64, generator: gen }).toTypedArray() as Float64Array;

  test('continues from a state, wherever in a block it was taken and with half a normal pair left', () => {
    for (const drawn of [0, 1, 623, 624, 625]) {
      const gen = new Generator().manual_seed(7);
      torch.randperm(drawn + 1, { generator: gen });
      random.normalFill(gen, new Float32Array(3), 0, 3, 0, 1);
      const copy = new Generator().set_state(gen.get_state());
      expect(copy.initial_seed()).toBe(7);
      expect(copy.get_state()).toEqual(gen.get_state());
      const normals = [gen, copy, gen.clone_state()].map((g) => {
        const out = new Float64Array(4);
        random.normalFill(g, out, 0, 4, 0, 1);
        return [...out, ...next(g)];
      });
      expect(normals[1]).toEqual(normals[0]);
      expect(normals[2]).toEqual(normals[0]);
    }
  });

  test('seeds', () => {
    const gen = new Generator();
    expect(gen.initial_seed()).toBe(67280421310721);
    expect(gen.manual_seed(-1)).toBe(gen);
    expect(gen.initial_seed()).toBe(2n ** 64n - 1n);
    expect(gen.manual_seed(-(2n ** 63n)).initial_seed()).toBe(2n ** 63n);
    const seed = gen.seed();
    expect(gen.initial_seed()).toBe(seed);
    expect(next(gen)).toEqual(next(new Generator().manual_seed(seed)));
  });

  test.each<[unknown, RegExp]>([
    [1.5, /manual_seed: expected an integer seed, got 1.5/],
    [NaN, /got NaN/],
    [2 ** 53, /give a BigInt/],
    [2n ** 64n, /\[-2\^63, 2\^64\), got 18446744073709551616/],
    [-(2n ** 63n) - 1n, /\[-2\^63, 2\^64\)/],
    ['1', /expected a number or a BigInt as seed, got string/],
    [null, /got null/],
  ])('refuses the seed %s', (seed, message) => {
    const gen = new Generator().manual_seed(3);
    expect(() => gen.manual_seed(seed as number)).toThrow(message);
    expect(gen.initial_seed()).toBe(3);
  });

  test('refuses what is not a state', () => {
    const gen = new Generator().manual_seed(3);
    const before = gen.get_state();
    expect(() => gen.set_state(new Uint8Array(10))).toThrow('set_state: expected 5056 bytes, got 10');
    expect(() => gen.set_state(new Uint8Array(5056))).toThrow('not an mt19937 state');
    expect(() => gen.set_state([] as unknown as Uint8Array)).toThrow('expected a Uint8Array');
    expect(gen.get_state()).toEqual(before);
  });
});

test('bad arguments are refused before anything is drawn', () => {
  const gen = new Generator();
  const before = gen.get_state();
  const t = torch.zeros(20);
  const i = torch.zeros(20, { dtype: torch.int32 });
  const p = new Float32Array([0.5, 1.5]);
  const draws = (weights: torch.Tensor, samples: number, replacement = false) =>
    torch.multinomial(weights, samples, { replacement, generator: gen });
  const refusals: [() => void, string][] = [
    [() => t.uniform_(2, 1, { generator: gen }), 'uniform_: expected from <= to'],
    [
      () => t.uniform_(0, 1e39, { generator: gen }),
      'uniform_: expected to to be a finite number of the dtype, got 1e+39',
    ],
    [() => t.normal_(0, -1, { generator: gen }), 'normal_: expected std >= 0, got -1'],
    [() => t.log_normal_(0, 0, { generator: gen }), 'log_normal_: expected std > 0, got 0'],
    [() => t.exponential_(NaN, { generator: gen }), 'exponential_: expected lambd > 0, got NaN'],
    [() => t.cauchy_(0, 0, { generator: gen }), 'cauchy_: expected sigma > 0, got 0'],
    [() => t.geometric_(1, { generator: gen }), 'geometric_: expected p in (0, 1), got 1'],
    [() => t.bernoulli_(1.5, { generator: gen }), 'bernoulli_: expected p in [0, 1], got 1.5'],
    [() => torch.zeros(2).bernoulli_(torch.tensor(p), { generator: gen }), 'bernoulli_: expected p in [0, 1], got 1.5'],
    [() => torch.tensor([0.5, NaN]).bernoulli({ generator: gen }), 'bernoulli: expected p in [0, 1], got NaN'],
    [() => torch.tensor([-0.5, 1]).bernoulli({ generator: gen }), 'bernoulli: expected p in [0, 1], got -0.5'],
    [() => i.random_(3, 3, { generator: gen }), 'random_: expected from < to, got from=3, to=3'],
    [() => i.random_(0, 2 ** 32, { generator: gen }), 'random_: expected to - 1 <= 2147483647'],
    [() => i.random_(0.5, 2, { generator: gen }), 'random_: expected from to be an integer'],
    [
      () => torch.randperm(300, { dtype: torch.uint8, generator: gen }),
      'randperm: expected n - 1 <= 255, the greatest of the dtype, got 300',
    ],
    [() => torch.randperm(3, { dtype: torch.bool, generator: gen }), 'randperm: not implemented for dtype bool'],
    [() => draws(t, 0), 'multinomial: expected num_samples > 0, got 0'],
    [() => draws(torch.ones(2), 3), 'multinomial: expected at most 2 samples without replacement, got 3'],
    [() => draws(torch.tensor([1, -0.5]), 1), 'multinomial: expected each probability finite and >= 0, got -0.5'],
    [() => draws(torch.tensor([1, NaN]), 1), 'multinomial: expected each probability finite and >= 0, got NaN'],
    [
      () => draws(torch.tensor([1, Infinity]), 1),
      'multinomial: expected each probability finite and >= 0, got Infinity',
    ],
    [
      () => draws(torch.tensor([[1, 1], [0, 0]]), 1), // prettier-ignore
      'multinomial: expected the probabilities of a row to have a sum > 0, got 0',
    ],
    [() => draws(torch.zeros(2, 0), 1, true), 'multinomial: expected the probabilities of a row to have a sum > 0'],
  ];
  for (const [call, message] of refusals) expect(call).toThrow(message);
  expect(gen.get_state()).toEqual(before);
});
