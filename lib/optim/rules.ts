import { describe, Tensor } from '../tensor/tensor.js';

// What an optimizer's options may be.

/** A numeric option: a number, or a tensor of one element. */
export type Hyper = number | Tensor;

/** Options as they are given: any number may be a tensor of one element, and then stays one in the groups. */
export type Given<O> = {
  [K in keyof O]?: O[K] extends number
    ? Hyper
    : O[K] extends readonly [number, number]
      ? readonly [Hyper, Hyper]
      : O[K];
};

/** What values an option may have. */
export interface Rule {
  /** In the words of an error message. */
  readonly expected: string;
  holds(value: unknown): boolean;
}

/** The value of a numeric option. @throws TypeError if it is none. */
export function numberOf(option: string, value: unknown): number {
  if (typeof value === 'number') return value;
  if (value instanceof Tensor && value._numel === 1) return Number(value.item());
  throw new TypeError(`step: ${option}: expected a number or a tensor of one element, got ${describe(value)}`);
}

/** A number that `holds`. */
export function numeric(expected: string, holds: (x: number) => boolean): Rule {
  return {
    expected,
    holds: (value) =>
      (typeof value === 'number' || (value instanceof Tensor && value._numel === 1)) && holds(numberOf('', value)),
  };
}

export const finite = numeric('a finite number', Number.isFinite);
export const anyNumber = numeric('a number', (x) => !Number.isNaN(x));
export const positive = numeric('a number > 0', (x) => x > 0);
export const nonNegative = numeric('a number >= 0', (x) => x >= 0);
const fraction = numeric('a number in [0, 1)', (x) => x >= 0 && x < 1);

/** A whole number, from `least` on. */
export const integer = (least: number): Rule => ({
  expected: `an integer >= ${least}`,
  holds: (value) => Number.isInteger(value) && (value as number) >= least,
});

export const share = numeric('a number in [0, 1]', (x) => x >= 0 && x <= 1);

function pair(expected: string, first: Rule, second: Rule): Rule {
  return {
    expected,
    holds: (value) => Array.isArray(value) && value.length === 2 && first.holds(value[0]) && second.holds(value[1]),
  };
}

/** The decay rates of Adam's kind. */
export const betas = pair('two numbers in [0, 1)', fraction, fraction);
/** Those of a method that divides by the first. */
export const positiveBetas = pair(
  'two numbers, one in (0, 1) and one in [0, 1)',
  numeric('', (x) => x > 0 && x < 1),
  fraction,
);
export const numbers = pair('two numbers', anyNumber, anyNumber);
/** Factors that make smaller and larger. */
export const etas = pair(
  'two numbers, one in (0, 1) and one above 1',
  numeric('', (x) => x > 0 && x < 1),
  numeric('', (x) => x > 1),
);

export const flag: Rule = { expected: 'a boolean', holds: (value) => typeof value === 'boolean' };
export const optionalFlag: Rule = {
  expected: 'a boolean or null',
  holds: (value) => value === null || typeof value === 'boolean',
};

/** Refuses options that break their rules, or that PyTorch does not let go together. */
export function checkRules(name: string, options: object, rules: object): void {
  const values = options as Record<string, unknown>;
  for (const [option, rule] of Object.entries<Rule>(rules as Record<string, Rule>)) {
    const value = values[option];
    if (rule.holds(value)) continue;
    const message = `${name}: ${option}: expected ${rule.expected}, got ${describe(value)}`;
    throw typeof value === 'number' ? new RangeError(message) : new TypeError(message);
  }
  if (values.fused && (values.differentiable || values.foreach)) {
    throw new TypeError(`${name}: fused: cannot be true together with differentiable or foreach`);
  }
}

/** Options of most optimizers. */
export interface SharedOptions {
  /** Makes no difference; for PyTorch's sake. */
  foreach: boolean | null;
  /** Whether to climb instead of descend. Default false. */
  maximize: boolean;
  /** Makes no difference; for PyTorch's sake. */
  capturable: boolean;
  /** Whether the step is itself recorded for `backward`. Default false. */
  differentiable: boolean;
}

/** Their defaults, and what they may be. */
export const shared: SharedOptions = { foreach: null, maximize: false, capturable: false, differentiable: false };
export const sharedRules = { foreach: optionalFlag, maximize: flag, capturable: flag, differentiable: flag };

/** Refuses what PyTorch's `foreach` cannot do. */
export function checkForeach(options: { foreach: boolean | null; differentiable: boolean }, name: string): void {
  if (options.foreach && options.differentiable) {
    throw new TypeError(`${name}: foreach: cannot be true together with differentiable`);
  }
}

/** A value as Python prints it, as PyTorch's printed forms have it. */
export function pythonForm(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) {
    const items = value.map(pythonForm).join(', ');
    return typeof value[0] === 'string' ? `[${items}]` : `(${items})`;
  }
  if (typeof value !== 'number') return describe(value);
  const small = value !== 0 && Math.abs(value) < 1e-4;
  return (small ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, 'e$10$2');
}
