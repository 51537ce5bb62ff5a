import { boxMuller32, boxMuller64 } from './box_muller.js';
import { isFloating, KernelError, operand, type NumberArray, type StridedCall, type StridedKernel } from './call.js';
import { fma64 } from '../../fma.js';
import { Mt19937, STATE_LENGTH } from '../mt19937.js';
import { Status } from '../status.js';

const { fround } = Math;

/** A kernel from how it fills elements [start, start + n) of an array. */
function filling(
  fill: (gen: Mt19937, out: NumberArray, start: number, n: number, scalars: readonly number[]) => void,
  allowed?: (dtype: number) => boolean,
): StridedKernel {
  return (call: StridedCall) => {
    const out = operand(call, 0, allowed);
    const { data, offset, strides } = operand(call, 1);
    const [n, length] = call.shape;
    if (length !== STATE_LENGTH || strides[1] !== 1 || (n > 1 && out.strides[0] !== 1))
      throw new KernelError(Status.bad_frame);
    const gen = new Mt19937((data as Int32Array).subarray(offset, offset + STATE_LENGTH));
    if (!(out.data instanceof BigInt64Array)) return fill(gen, out.data, out.offset, n, call.scalars);
    const numbers = new Float64Array(n);
    fill(gen, numbers, 0, n, call.scalars);
    for (let i = 0; i < n; i++) out.data[out.offset + i] = BigInt(numbers[i]);
  };
}

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

function fillRandom(gen: Mt19937, out: NumberArray, start: number, n: number, [from, range]: readonly number[]): void {
  for (let i = start; i < start + n; i++) out[i] = from + (gen.random32() % range);
}

/** Random numbers. */
export const randomKernels = {
  uniform: filling(fillUniform, isFloating),
  normal: filling(fillNormal, isFloating),
  bernoulli: filling(fillBernoulli),
  random: filling(fillRandom),
};
