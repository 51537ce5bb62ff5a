import { defineOptions } from '../options.js';
import { bool, get_default_dtype, int64 } from './dtype.js';
import { describe, memoryOf, stridesOf, type Tensor } from './tensor.js';

// What a tensor prints as: PyTorch's text, character for character.

/** How tensors are printed. */
export interface PrintOptions {
  /** Digits behind the point. Default 4. */
  precision: number;
  /** With more elements than this the middle is left out. Default 1000. */
  threshold: number;
  /** How many rows stay at both ends of a dimension then. Default 3. */
  edgeitems: number;
  /** Characters a line. Default 80. */
  linewidth: number;
  /** Whether to use scientific notation; null: where the numbers call for it. */
  sci_mode: boolean | null;
}

const profiles = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
};

let current: PrintOptions = { ...profiles.default, sci_mode: null };

const setOptions = defineOptions('set_printoptions', {
  precision: null as number | null,
  threshold: null as number | null,
  edgeitems: null as number | null,
  linewidth: null as number | null,
  profile: null as keyof typeof profiles | null,
  sci_mode: null as boolean | null,
});

/**
 * Sets how tensors are printed; what is not given stays, but for `sci_mode`. PyTorch: `torch.set_printoptions`.
 * @throws TypeError for a profile other than `default`, `short` and `full`; RangeError for a negative number.
 */
export function set_printoptions(
  options: Partial<PrintOptions> & { profile?: keyof typeof profiles | null } = {},
): void {
  const { profile, sci_mode, ...numbers } = setOptions(options as Parameters<typeof setOptions>[0]);
  if (profile !== null && !Object.hasOwn(profiles, profile)) {
    throw new TypeError(`set_printoptions: profile: expected 'default', 'short' or 'full', got ${describe(profile)}`);
  }
  const next: PrintOptions = { ...current, ...(profile === null ? {} : profiles[profile]), sci_mode };
  for (const [name, value] of Object.entries(numbers)) {
    if (value === null) continue;
    const whole = Number.isInteger(value) || (name === 'threshold' && value === Infinity);
    if (!whole || value < 0 || (name === 'precision' && value > 75)) {
      throw new RangeError(`set_printoptions: ${name}: expected a non-negative integer, got ${describe(value)}`);
    }
    next[name as keyof typeof numbers] = value;
  }
  current = next;
}

/** How tensors are printed, a copy. PyTorch: `torch.get_printoptions`. */
export function get_printoptions(): PrintOptions {
  return { ...current };
}

const PROBE = 25;
const HALF = `5${'0'.repeat(PROBE - 1)}`;

/** Digits cut to `precision` behind the point: halves go to the even digit, where JavaScript goes away from zero. */
function halfToEven(rounded: string, exact: string): string {
  if (!exact.endsWith(HALF)) return rounded;
  const cut = exact.slice(0, -PROBE).replace(/\.$/, '');
  return '02468'.includes(cut[cut.length - 1]) ? cut : rounded;
}

function withSign(value: number, digits: string): string {
  return value < 0 || Object.is(value, -0) ? `-${digits}` : digits;
}

function special(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function fixed(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value);
  const abs = Math.abs(value);
  if (abs >= 1e21) return withSign(value, `${BigInt(abs)}${precision > 0 ? `.${'0'.repeat(precision)}` : ''}`);
  return withSign(value, halfToEven(abs.toFixed(precision), abs.toFixed(precision + PROBE)));
}

function scientific(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value);
  const abs = Math.abs(value);
  const [rounded, exponent] = abs.toExponential(precision).split('e');
  const [exact, exactExponent] = abs.toExponential(precision + PROBE).split('e');
  const digits = exponent === exactExponent ? halfToEven(rounded, exact) : rounded;
  return withSign(value, `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`);
}

/** How the elements of one tensor are written, all in the same width. */
class Formatter {
  private readonly write: (value: number | bigint) => string;
  private width = 1;

  /** @param values Those that will be shown. */
  constructor(values: readonly (number | bigint)[], t: Tensor) {
    if (t._dtype.is_floating_point) {
      this.write = this.floating(values as number[]);
    } else {
      this.write = t._dtype === bool ? (value) => (value !== 0 ? 'True' : 'False') : String;
      this.measure(values, this.write);
    }
  }

  get elementWidth(): number {
    return this.width;
  }

  private measure(values: readonly (number | bigint)[], write: (value: never) => string): void {
    for (const value of values) this.width = Math.max(this.width, write(value as never).length);
  }

  private floating(values: readonly number[]): (value: number | bigint) => string {
    const { precision, sci_mode } = current;
    const shown = values.filter((value) => Number.isFinite(value) && value !== 0);
    const sizes = shown.map(Math.abs);
    const max = sizes.reduce((a, b) => Math.max(a, b), 0);
    const min = sizes.reduce((a, b) => Math.min(a, b), Infinity);
    const whole = shown.every(Number.isInteger);
    const sci = shown.length > 0 && (sci_mode ?? (max / min > 1000 || max > 1e8 || min < 1e-4));
    const write = sci
      ? (value: number) => scientific(value, precision)
      : whole
        ? (value: number) => fixed(value, 0) + (Number.isFinite(value) ? '.' : '')
        : (value: number) => fixed(value, precision);
    this.measure(shown, write);
    return write as (value: number | bigint) => string;
  }

  format(value: number | bigint): string {
    return this.write(value).padStart(this.width);
  }
}

/** The indices of a dimension that are shown; -1 stands for those left out. */
function shownIndices(size: number, summarize: boolean): number[] {
  const { edgeitems } = current;
  if (!summarize || size <= 2 * edgeitems) return Array.from({ length: size }, (_, i) => i);
  const edge = Array.from({ length: edgeitems }, (_, i) => i);
  return [...edge, -1, ...edge.map((i) => size - edgeitems + i)];
}

/** The elements, in the brackets of their dimensions. */
function contents(t: Tensor, indent: number): string {
  const memory = memoryOf(t);
  const strides = stridesOf(t);
  const n = t._dims.length;
  const summarize = t._numel > current.threshold;
  const indices = t._dims.map((size) => shownIndices(size, summarize));
  const values: (number | bigint)[] = [];
  const collect = (depth: number, at: number): void => {
    if (depth === n) values.push(memory[at]);
    else for (const i of indices[depth]) if (i !== -1) collect(depth + 1, at + i * strides[depth]);
  };
  collect(0, t._offset);
  const formatter = new Formatter(values, t);
  if (n === 0) return formatter.format(values[0]);
  const perLine = Math.max(1, Math.floor((current.linewidth - (indent + n - 1)) / (formatter.elementWidth + 2)));
  let next = 0;
  const write = (depth: number): string => {
    const inner = ' '.repeat(indent + depth + 1);
    if (depth < n - 1) {
      const parts = indices[depth].map((i) => (i === -1 ? '...' : write(depth + 1)));
      return `[${parts.join(`,${'\n'.repeat(n - 1 - depth)}${inner}`)}]`;
    }
    const data = indices[depth].map((i) =>
      i === -1 ? (current.edgeitems > 0 ? ' ...' : '...') : formatter.format(values[next++]),
    );
    const lines: string[] = [];
    for (let i = 0; i < data.length; i += perLine) lines.push(data.slice(i, i + perLine).join(', '));
    return `[${lines.join(`,\n${inner}`)}]`;
  };
  return write(0);
}

/** What PyTorch prints for the tensor. @internal */
export function formatTensor(t: Tensor): string {
  const prefix = 'tensor(';
  const { _dtype: dtype } = t;
  const suffixes: string[] = [];
  if (t._numel === 0 ? t._dims.length !== 1 : current.edgeitems === 0) suffixes.push(`size=${tuple(t._dims)}`);
  const implied = dtype === get_default_dtype() || (t._numel > 0 && (dtype === int64 || dtype === bool));
  if (!implied) suffixes.push(`dtype=${dtype.toString()}`);
  if (t.grad_fn !== null) suffixes.push(`grad_fn=<${t.grad_fn.name()}>`);
  else if (t.requires_grad) suffixes.push('requires_grad=True');
  let text = prefix + (t._numel === 0 ? '[]' : contents(t, prefix.length));
  let lineLength = text.length - text.lastIndexOf('\n') + 1;
  for (const suffix of suffixes) {
    if (lineLength + suffix.length + 2 > current.linewidth) {
      text += `,\n${' '.repeat(prefix.length)}${suffix}`;
      lineLength = prefix.length + suffix.length;
    } else {
      text += `, ${suffix}`;
      lineLength += suffix.length + 2;
    }
  }
  return `${text})`;
}

function tuple(dims: readonly number[]): string {
  return dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
}
