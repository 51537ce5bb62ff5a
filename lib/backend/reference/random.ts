import { boxMuller32, boxMuller64 } from './box_muller.js';
import {
  isFloating,
  isNumeric,
  KernelError,
  operand,
  type NumberArray,
  type StridedCall,
  type StridedKernel,
  type TypedArray,
} from './call.js';
import { fma64 } from '../../fma.js';
import { Mt19937, STATE_LENGTH } from '../mt19937.js';
import { Status } from '../status.js';

const { fround } = Math;

/** How elements [start, start + n) of an array are drawn. */
type Fill<A> = (gen: Mt19937, out: A, start: number, n: number, scalars: readonly number[]) => void;

/** A kernel from how it fills an array. */
function filling(fill: Fill<TypedArray>, allowed?: (dtype: number) => boolean): StridedKernel {
  return (call: StridedCall) => {
    const out = operand(call, 0, allowed);
    const { data, offset, strides } = operand(call, 1);
    const [n, length] = call.shape;
    if (length !== STATE_LENGTH || strides[1] !== 1 || (n > 1 && out.strides[0] !== 1))
      throw new KernelError(Status.bad_frame);
    const gen = new Mt19937((data as Int32Array).subarray(offset, offset + STATE_LENGTH));
    fill(gen, out.data, out.offset, n, call.scalars);
  };
}

/** For int64 what is drawn are numbers, which are then stored as such: several times faster than BigInts. */
const asNumbers =
  (fill: Fill<NumberArray>): Fill<TypedArray> =>
  (gen, out, start, n, scalars) => {
    if (!(out instanceof BigInt64Array)) return fill(gen, out, start, n, scalars);
    const numbers = new Float64Array(n);
    fill(gen, numbers, 0, n, scalars);
    const halves = new Int32Array(out.buffer, out.byteOffset + 8 * start, 2 * n);
    for (let i = 0; i < n; i++) {
      halves[2 * i] = numbers[i];
      halves[2 * i + 1] = Math.floor(numbers[i] / 2 ** 32);
    }
  };

function fillUniform(gen: Mt19937, out: NumberArray, start: number, n: number, [low, high]: readonly number[]): void {
  const single = out instanceof Float32Array;
  const [from, to] = single ? [fround(low), fround(high)] : [low, high];
  const scale = single ? fround(to - from) : to - from;
  for (let i = start; i < start + n; i++) {
    const value = single ? fround(gen.uniform32() * scale + from) : fma64(gen.uniform64(), scale, from);
    out[i] = value === to ? from : value;
  }
}

function fillNormal(gen: Mt19937, out: NumberArray, start: number, n: number, [mean, std]: readonly number[]): void {
  if (n < 16) throw new KernelError(Status.bad_frame);
  const pairs = (first: number, length: number) => {
    if (out instanceof Float32Array) boxMuller32(out, first, first + length, fround(mean), fround(std));
    else boxMuller64(out as Float64Array, first, first + length, mean, std);
  };
  fillUniform(gen, out, start, n, [0, 1]);
  pairs(start, n - (n % 16));
  if (n % 16 === 0) return;
  // The last 16 are drawn again, over what the whole runs left there.
  fillUniform(gen, out, start + n - 16, 16, [0, 1]);
  pairs(start + n - 16, 16);
}

function fillBernoulli(gen: Mt19937, out: NumberArray, start: number, n: number, [p]: readonly number[]): void {
  for (let i = start; i < start + n; i++) out[i] = gen.uniform64() < p ? 1 : 0;
}

const fillNarrow = asNumbers((gen, out, start, n, [high, low, , range]) => {
  const from = high * 2 ** 32 + low;
  for (let i = start; i < start + n; i++) out[i] = from + (gen.random32() % range);
});

function fillRandom(gen: Mt19937, out: TypedArray, start: number, n: number, scalars: readonly number[]): void {
  const [from, range] = [0, 2].map((i) => (BigInt(scalars[i]) << 32n) | BigInt(scalars[i + 1]));
  const wide = scalars[4] === 2;
  if (!wide && from >= Number.MIN_SAFE_INTEGER && from + range <= Number.MAX_SAFE_INTEGER)
    return fillNarrow(gen, out, start, n, scalars);
  for (let i = start; i < start + n; i++) {
    const word = wide ? gen.random64() : BigInt(gen.random32());
    const value = from + (range === 0n ? word : word % range);
    if (out instanceof BigInt64Array) out[i] = value;
    else out[i] = Number(value);
  }
}

function fillPermutation(gen: Mt19937, out: NumberArray, start: number, n: number): void {
  const order = new Uint32Array(n);
  if (n < 214748364) {
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = 0; i < n - 1; i++) {
      const left = n - i;
      const drawn = gen.random32();
      const other = i + drawn - Math.floor(drawn / left) * left; // the remainder, for which V8 takes twice as long
      const value = order[i];
      order[i] = order[other];
      order[other] = value;
    }
  } else {
    for (let i = 0; i < n; i++) {
      const other = Number(gen.random64() % BigInt(i + 1));
      order[i] = order[other];
      order[other] = i;
    }
  }
  out.set(order, start);
}

function fillExponential(gen: Mt19937, out: NumberArray, start: number, n: number, [lambd]: readonly number[]): void {
  for (let i = start; i < start + n; i++) out[i] = (-1 / lambd) * Math.log1p(-gen.uniform64());
}

function fillCauchy(gen: Mt19937, out: NumberArray, start: number, n: number, scalars: readonly number[]): void {
  const [median, sigma] = scalars;
  for (let i = start; i < start + n; i++) out[i] = fma64(sigma, Math.tan(Math.PI * (gen.uniform64() - 0.5)), median);
}

function fillGeometric(gen: Mt19937, out: NumberArray, start: number, n: number, [p]: readonly number[]): void {
  const failed = Math.log1p(-p);
  for (let i = start; i < start + n; i++) out[i] = Math.ceil(Math.log(gen.uniform64()) / failed);
}

/** Turns u 2^53 into the category in which u of a row's weights ends. */
function multinomial(call: StridedCall): void {
  const [a, out] = [operand(call, 0, isFloating), operand(call, 1)];
  const [rows, samples, categories] = call.shape;
  if (categories > 1 && a.strides[2] !== 1) throw new KernelError(Status.bad_frame);
  for (let row = 0; row < rows; row++) {
    const first = a.offset + row * a.strides[0];
    const sums = (a.data as Float32Array).slice(first, first + categories);
    for (let i = 1; i < categories; i++) sums[i] += sums[i - 1];
    const sum = sums[categories - 1];
    for (let i = 0; i < categories; i++) sums[i] /= sum;
    for (let i = 0; i < samples; i++) {
      const at = out.offset + row * out.strides[0] + i * out.strides[1];
      const u = Number(out.data[at]) * 2 ** -53;
      let low = 0;
      let high = categories - 1; // the last one bounds every u, whatever its rounding
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (sums[middle] < u) low = middle + 1;
        else high = middle;
      }
      out.data[at] = BigInt(low);
    }
  }
}

/** Random numbers. */
export const randomKernels = {
  uniform: filling(asNumbers(fillUniform), isFloating),
  normal: filling(asNumbers(fillNormal), isFloating),
  bernoulli: filling(asNumbers(fillBernoulli)),
  random: filling(fillRandom),
  randperm: filling(asNumbers(fillPermutation), isNumeric),
  exponential: filling(asNumbers(fillExponential), isFloating),
  cauchy: filling(asNumbers(fillCauchy), isFloating),
  geometric: filling(asNumbers(fillGeometric), isNumeric),
  multinomial,
};
