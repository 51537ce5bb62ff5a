/** A number as PyTorch prints a Python float: `1.0`, `1e-05`, `0.3333333333333333`. */
export function float(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x < 0 ? '-inf' : 'inf';
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return x.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

/** A boolean as Python prints it. */
export function flag(x: boolean): string {
  return x ? 'True' : 'False';
}

/** Sizes as Python prints a tuple: `(4,)`, `(2, 3)`. */
export function tuple(sizes: readonly number[]): string {
  return sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(', ')})`;
}

/** Indents all lines but the first. */
export function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
