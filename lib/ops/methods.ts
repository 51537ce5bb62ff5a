import './properties.js';
import * as hooks from '../autograd/hooks.js';
import { Tensor } from '../tensor/tensor.js';
import * as convert from './convert.js';
import * as linalg from './linalg.js';
import * as pointwise from './pointwise.js';
import * as reduce from './reduce.js';
import * as view from './view.js';
import { backward, type BackwardOptions } from '../autograd/engine.js';

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

type PointwiseMethods = Methods<typeof pointwise> & InPlaceMethods<typeof pointwise>;

declare module '../tensor/tensor.js' {
  interface Tensor
    extends
      PointwiseMethods,
      Methods<typeof convert>,
      Methods<typeof hooks>,
      Methods<typeof reduce>,
      Methods<typeof view>,
      Methods<typeof linalg> {
    /** Accumulates the gradients of the graph's leaves. PyTorch: `Tensor.backward`. */
    backward(gradient?: Tensor | null, options?: BackwardOptions): void;
  }
}

function install(module: Record<string, unknown>): void {
  for (const [name, f] of Object.entries(module)) {
    if (typeof f !== 'function') continue;
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

for (const module of [hooks, pointwise, convert, reduce, view, linalg]) install(module);
define('backward', ((input: Tensor, gradient: Tensor | null = null, options?: BackwardOptions) =>
  backward(input, gradient, options)) as never);
