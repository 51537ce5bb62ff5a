import './properties.js';
import * as hooks from '../autograd/hooks.js';
import { describe, Tensor, type Scalar } from '../tensor/tensor.js';
import * as advanced from './advanced.js';
import * as convert from './convert.js';
import type { NestedList } from './convert.js';
import * as indexing from './indexing.js';
import * as linalg from './linalg.js';
import * as masking from './masking.js';
import * as creation from './new.js';
import * as pointwise from './pointwise.js';
import * as rearrange from './rearrange.js';
import * as reduce from './reduce.js';
import * as sampling from './sampling.js';
import * as scan from './scan.js';
import * as slices from './slices.js';
import * as sorting from './sorting.js';
import * as sparse from './sparse.js';
import * as split from './split.js';
import * as statistics from './statistics.js';
import * as extrema from './extrema.js';
import * as fill from './fill.js';
import * as view from './view.js';
import { where } from './where.js';
import { backwardFrom, type BackwardOptions } from '../autograd/backward.js';

// Every function whose first argument is a tensor is a method of Tensor too. A module's exports become methods by being
// listed here, once; `x.f(…)` is `f(x, …)`.

/** A function of a tensor, seen as its method. The tensor is `any` here: asking what a Tensor is would ask for this type. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Method<F> = F extends (input: any, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;

/** The functions of a module all of whose exports take a tensor first. */
type Methods<Module> = { [Name in keyof Module]: Method<Module[Name]> };

/** The in-place forms, named with a trailing underscore. */
type InPlaceMethods<Module> = {
  [
    Name in keyof Module as Module[Name] extends { inPlace: unknown } ? `${Name & string}_` : never
  ]: Module[Name] extends {
    inPlace: infer F;
  }
    ? Method<F>
    : never;
};

/** What PyTorch has as functions only, and a class. */
const FUNCTIONS_ONLY = ['rsub', 'std_mean', 'var_mean', 'linear', 'ValuesIndices'] as const;
type FunctionsOnly = (typeof FUNCTIONS_ONLY)[number];

type PointwiseMethods = Omit<Methods<typeof pointwise>, FunctionsOnly> & InPlaceMethods<typeof pointwise>;
/** {@link extrema}'s overloaded functions as methods. */
interface ExtremaMethods {
  max(): Tensor;
  max(other: Tensor): Tensor;
  max(dim: number | extrema.ExtremumOptions, keepdim?: boolean | extrema.ExtremumOptions): extrema.ValuesIndices;
  min(): Tensor;
  min(other: Tensor): Tensor;
  min(dim: number | extrema.ExtremumOptions, keepdim?: boolean | extrema.ExtremumOptions): extrema.ValuesIndices;
}

type IndexingMethods = Methods<typeof indexing> & InPlaceMethods<typeof indexing>;
type MaskingMethods = Omit<Methods<typeof masking>, 'nonzero'> & InPlaceMethods<typeof masking>;
/** {@link masking.nonzero}'s overloads as a method. */
interface NonzeroMethod {
  nonzero(options?: { as_tuple?: false }): Tensor;
  nonzero(options: { as_tuple: true }): Tensor[];
}

declare module '../tensor/tensor.js' {
  interface Tensor
    extends
      PointwiseMethods,
      Omit<Methods<typeof convert>, 'item'>,
      Methods<typeof hooks>,
      Methods<typeof reduce>,
      Methods<typeof scan>,
      InPlaceMethods<typeof scan>,
      Omit<Methods<typeof statistics>, FunctionsOnly>,
      Omit<Methods<typeof extrema>, 'max' | 'min' | FunctionsOnly>,
      ExtremaMethods,
      Methods<typeof fill>,
      Methods<typeof view>,
      Methods<typeof slices>,
      Omit<Methods<typeof linalg>, FunctionsOnly>,
      IndexingMethods,
      MaskingMethods,
      Methods<typeof sampling>,
      Methods<typeof advanced>,
      Methods<typeof rearrange>,
      Methods<typeof sorting>,
      Methods<typeof sparse>,
      Methods<typeof creation>,
      NonzeroMethod,
      Methods<typeof split> {
    /** The views along the first dimension. @throws TypeError for a tensor without dimensions. */
    [Symbol.iterator](): IterableIterator<Tensor>;
    /**
     * The only element as a JS number; of a bool tensor as a boolean: `t.item<boolean>()`. PyTorch: `Tensor.item`.
     * @throws RangeError if there is not exactly one element, or an int64 beyond 2^53.
     */
    item<T extends number | boolean = number>(): T;
    /**
     * What JavaScript's operators take a tensor for: `loss < best` compares its only element, as in PyTorch; where a text is asked
     * for it is {@link Tensor.toString}'s.
     * @throws TypeError if there is not exactly one element. RangeError for an int64 beyond 2^53.
     */
    [Symbol.toPrimitive](hint: 'default' | 'number' | 'string'): string | number | boolean;
    /** What `JSON.stringify` writes: {@link Tensor.tolist}. @throws RangeError for an int64 beyond 2^53. */
    toJSON(): NestedList;
    /** The elements of the tensor where `condition` holds, else those of `other`. PyTorch: `Tensor.where`. */
    where(condition: Tensor, other: Tensor | Scalar): Tensor;
    /** Accumulates the gradients of the graph's leaves. PyTorch: `Tensor.backward`. */
    backward(gradient?: Tensor | null, options?: BackwardOptions): void;
    backward(options: BackwardOptions & { gradient?: Tensor | null }): void;
  }
}

function install(module: Record<string, unknown>): void {
  for (const [name, f] of Object.entries(module)) {
    if (typeof f !== 'function' || (FUNCTIONS_ONLY as readonly string[]).includes(name)) continue;
    define(name, f as never);
    if ('inPlace' in f) define(`${name}_`, f.inPlace as never);
  }
}

function define(name: string, f: (input: Tensor, ...rest: unknown[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return f(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}

for (const module of [
  hooks,
  pointwise,
  convert,
  reduce,
  scan,
  statistics,
  extrema,
  fill,
  view,
  slices,
  linalg,
  indexing,
  masking,
  sampling,
  advanced,
  rearrange,
  sorting,
  sparse,
  split,
  creation,
])
  install(module);
define('where', (input, condition, other) => where(condition as Tensor, input, other as Tensor | Scalar));
Object.defineProperty(Tensor.prototype, Symbol.iterator, {
  value(this: Tensor) {
    if (this._dims.length === 0) throw new TypeError('iteration over a 0-dim tensor');
    return split.unbind(this)[Symbol.iterator]();
  },
});
Object.defineProperty(Tensor.prototype, Symbol.toPrimitive, {
  value(this: Tensor, hint: string) {
    if (hint === 'string') return this.toString();
    if (this._numel === 1) return this.item();
    throw new TypeError(
      `Tensor: expected one element where JavaScript takes a number, got ${describe(this)}: ` +
        'its operators do not work on tensors, use add(), lt() and the like, or String() for a text',
    );
  },
});
define('toJSON', (input) => input.tolist() as never);
define('backward', backwardFrom as never);
