import { fma64 } from '../../fma.js';

// The arithmetic of PyTorch's vectorised normal numbers, reproduced to the bit where doubles allow: `fround(a * b + c)` of
// float32 numbers is a fused multiply-add (but for a rare double rounding).
const { fround } = Math;

const TWO_PI = fround(2 * Math.PI);
const FOUR_OVER_PI = fround(4 / Math.PI);
const SQRT_HALF = 11863283; // times 2^-24
// ln 2 in two parts, and -pi/4 in three.
const LN2_HIGH = 0.693359375;
const LN2_LOW = fround(-2.1219444e-4);
const QUARTER_1 = -0.78515625;
const QUARTER_2 = fround(-2.4187564849853515625e-4);
const QUARTER_3 = fround(-3.774894977445941e-8);
// The polynomials of Cephes' logf, sinf and cosf.
const L0 = fround(7.0376836292e-2);
const L1 = fround(-1.151461031e-1);
const L2 = fround(1.167699874e-1);
const L3 = fround(-1.2420140846e-1);
const L4 = fround(1.4249322787e-1);
const L5 = fround(-1.6668057665e-1);
const L6 = fround(2.0000714765e-1);
const L7 = fround(-2.4999993993e-1);
const L8 = fround(3.3333331174e-1);
const S0 = fround(-1.9515295891e-4);
const S1 = fround(8.3321608736e-3);
const S2 = fround(-1.6666654611e-1);
const C0 = fround(2.443315711809948e-5);
const C1 = fround(-1.388731625493765e-3);
const C2 = fround(4.166664568298827e-2);

// 2^-i, and the sine of i eighths of a turn where that is 0 or 1: tables, as branches on random bits are slow.
const POWERS = Float64Array.from({ length: 26 }, (_, i) => 2 ** -i);
const SINES = new Float64Array([0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 1]);

/**
 * Turns uniform float32 numbers, multiples of 2^-24 in [0, 1), into normal ones: in each run of 16 the first 8 with the
 * last 8. `end - start` is a multiple of 16.
 */
export function boxMuller32(out: Float32Array, start: number, end: number, mean: number, std: number): void {
  for (let run = start; run < end; run += 16) {
    for (let i = run; i < run + 8; i++) {
      // ln(1 - out[i]): m / 2^bits is in [sqrt(1/2), sqrt(2)), times 2^(bits - 24).
      const m = (0x1000000 - out[i] * 0x1000000) | 0;
      const width = 32 - Math.clz32(m);
      const bits = width - (((m << (24 - width)) - SQRT_HALF) >>> 31);
      const e = bits - 24;
      let x = fround(m * POWERS[bits] - 1);
      let z = fround(x * x);
      let y = fround(L0 * x + L1);
      y = fround(y * x + L2);
      y = fround(y * x + L3);
      y = fround(y * x + L4);
      y = fround(y * x + L5);
      y = fround(y * x + L6);
      y = fround(y * x + L7);
      y = fround(y * x + L8);
      y = fround(fround(y * x) * z + fround(e * LN2_LOW));
      y = fround(y - z * 0.5);
      const radius = fround(Math.sqrt(fround(-2 * fround(e * LN2_HIGH + fround(x + y)))));

      // The angle as an even number of quarter turns over two, `octant`, and a rest in [-pi/4, pi/4].
      const theta = fround(TWO_PI * out[i + 8]);
      const octant = (fround(theta * FOUR_OVER_PI) + 1) & ~1;
      x = fround(octant * QUARTER_1 + theta);
      x = fround(octant * QUARTER_2 + x);
      x = fround(octant * QUARTER_3 + x);
      z = fround(x * x);
      y = fround(C0 * z + C1);
      y = fround(y * z + C2);
      y = fround(fround(y * z) * z - z * 0.5);
      const even = fround(y + 1);
      y = fround(S0 * z + S1);
      y = fround(y * z + S2);
      const odd = fround(fround(y * z) * x + x);
      const s = SINES[octant];
      const c = SINES[octant + 2];
      out[i] = fround(radius * (even * c - odd * s)) * std + mean;
      out[i + 8] = fround(radius * (odd * c + even * s)) * std + mean;
    }
  }
}

/** The same of float64 numbers, by the platform's functions. */
export function boxMuller64(out: Float64Array, start: number, end: number, mean: number, std: number): void {
  for (let run = start; run < end; run += 16) {
    for (let i = run; i < run + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - out[i]));
      const theta = 2 * Math.PI * out[i + 8];
      out[i] = fma64(radius * Math.cos(theta), std, mean);
      out[i + 8] = fma64(radius * Math.sin(theta), std, mean);
    }
  }
}
