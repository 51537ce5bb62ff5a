/** Indices of one dimension: Python's `start:end:step`. Made by {@link slice}. */
export class Slice {
  /** @internal */
  constructor(
    readonly start: number | null,
    readonly end: number | null,
    readonly step: number,
  ) {}

  toString(): string {
    return `slice(${this.start}, ${this.end}, ${this.step})`;
  }
}

/**
 * Python's `start:end:step` for {@link Tensor.index}: indices count from the end where negative; null leaves a side open.
 */
export function slice(start: number | null = null, end: number | null = null, step = 1): Slice {
  return new Slice(start, end, step);
}
