/** A stream of choices from a seed. */
export class Choices {
  constructor(private state: number) {}

  /** In [0, 1). */
  real(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** An integer from `low` to `high`. */
  int(low: number, high: number): number {
    return low + Math.floor(this.real() * (high - low + 1));
  }
  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)];
  }
  chance(p: number): boolean {
    return this.real() < p;
  }
}

/** Numbers that are often handled wrongly. */
export const ODD_NUMBERS = [
  ...[0, -0, 1, -1, 2, 0.5, -0.5, 3, 7, 1e-310, 1e-45, 1e38, 1e308, -1e308, NaN, Infinity, -Infinity],
  ...[2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63],
];
