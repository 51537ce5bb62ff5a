import { describe, Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { indent } from './repr.js';

/** A module whose parts are numbered from 0. */
abstract class Numbered<T> extends Module {
  /** The part at an index from 0. */
  [index: number]: T;

  /** @throws TypeError for what cannot be a part. */
  protected abstract convert(method: string, part: unknown): T;

  /** Its parts with their names, in their order. */
  protected abstract entries(): [string, T][];

  /** Its parts in their order. */
  protected parts(): T[] {
    return this.entries().map(([, part]) => part);
  }

  /** How many parts there are. */
  get length(): number {
    return this.parts().length;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.parts()[Symbol.iterator]();
  }

  private index(method: string, index: number, length: number): number {
    if (!Number.isInteger(index)) throw new TypeError(`${method}: index: expected an integer, got ${describe(index)}`);
    if (index < -length || index >= length)
      throw new RangeError(`${method}: index: expected an index of ${length} parts, got ${index}`);
    return index < 0 ? index + length : index;
  }

  /** The part at `index`, counted from the end if negative. @throws RangeError if there is none. */
  get(index: number): T {
    const parts = this.parts();
    return parts[this.index('get', index, parts.length)];
  }

  /** Replaces the part at `index`. @throws RangeError if there is none. */
  set(index: number, part: T): void {
    const entries = this.entries();
    const [name] = entries[this.index('set', index, entries.length)];
    this[name as unknown as number] = this.convert('set', part);
  }

  /** Adds a part at the end. */
  append(part: T): this {
    return this.extend([part]);
  }

  /** Adds parts at the end. */
  extend(parts: Iterable<T>): this {
    if (typeof parts !== 'object' || parts === null || !(Symbol.iterator in parts)) {
      throw new TypeError(`extend: expected parts in an array or another iterable, got ${describe(parts)}`);
    }
    const added = Array.from(parts, (part) => this.convert('extend', part));
    const { length } = this;
    added.forEach((part, i) => {
      this[length + i] = part;
      this._order?.add(String(length + i));
    });
    return this;
  }

  /** Puts a part before the one at `index`; those behind it move up. */
  insert(index: number, part: T): this {
    const parts = this.parts();
    const at = index === parts.length ? index : this.index('insert', index, parts.length);
    parts.splice(at, 0, this.convert('insert', part));
    return this.renumber(parts);
  }

  /** Takes out the part at `index` and returns it; those behind it move down. */
  pop(index = -1): T {
    const parts = this.parts();
    const [part] = parts.splice(this.index('pop', index, parts.length), 1);
    this.renumber(parts);
    return part;
  }

  private renumber(parts: readonly T[]): this {
    for (const [name] of this.entries()) delete this[name as unknown as number];
    this._order = null;
    parts.forEach((part, i) => (this[i] = part));
    return this;
  }
}

function checkModule(owner: string, value: unknown): Module {
  if (value instanceof Module) return value;
  throw new TypeError(`${owner}: expected a Module, got ${describe(value)}`);
}

/**
 * Modules called one after the other, each with what the one before gave. PyTorch: `torch.nn.Sequential`.
 *
 * Made of modules, named `0`, `1`, …, or of an object of named ones; `model[0]` is the first. One that is added later under
 * another name is added by {@link add_module}.
 */
export class Sequential extends Numbered<Module> {
  constructor(...modules: readonly Module[] | [Record<string, Module>]) {
    super();
    const [first] = modules;
    if (modules.length === 1 && isPlainObject(first)) {
      const named: [string, unknown][] = Object.entries(first);
      for (const [name, module] of named) this.add_module(name, checkModule('Sequential', module));
    } else this.extend(modules as readonly Module[]);
  }

  protected override convert(method: string, part: unknown): Module {
    return checkModule(`Sequential.${method}`, part);
  }

  protected override entries(): [string, Module][] {
    return this._ownModules();
  }

  override add_module(name: string, module: Module | null): void {
    super.add_module(name, module);
    if (!/^\d+$/.test(name)) this._order ??= new Set(this.entries().map(([key]) => key));
    this._order?.add(name);
  }

  /** The last module's output. */
  override forward(input: Tensor): Tensor {
    // By number where it can: the list of names would take longer than a small layer.
    if (this._order !== null || this[0] === undefined)
      for (const module of this.parts()) input = module.forward(input) as Tensor;
    else for (let i = 0; this[i] !== undefined; i++) input = this[i].forward(input) as Tensor;
    return input;
  }

  /** A Sequential of the modules from `start` up to but not including `end`, as an array's `slice`. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(...this.parts().slice(start, end));
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Module) && !(value instanceof Tensor);
}

/** Modules in a list; it is not called itself. PyTorch: `torch.nn.ModuleList`. */
export class ModuleList extends Numbered<Module> {
  constructor(modules: Iterable<Module> = []) {
    super();
    this.extend(modules);
  }

  protected override convert(method: string, part: unknown): Module {
    return checkModule(`ModuleList.${method}`, part);
  }

  protected override entries(): [string, Module][] {
    return this._ownModules();
  }

  /** A ModuleList of the modules from `start` up to but not including `end`, as an array's `slice`. */
  slice(start?: number, end?: number): ModuleList {
    return new ModuleList(this.parts().slice(start, end));
  }

  override _childLines(): string[] {
    // Equal neighbours share a line.
    const lines: { first: number; count: number; text: string }[] = [];
    this.parts().forEach((module, i) => {
      const text = String(module);
      const last = lines.at(-1);
      if (last?.text === text) last.count++;
      else lines.push({ first: i, count: 1, text });
    });
    return lines.map(({ first, count, text }) =>
      indent(count === 1 ? `(${first}): ${text}` : `(${first}-${first + count - 1}): ${count} x ${text}`),
    );
  }
}

function toParameter(owner: string, value: unknown): Parameter {
  if (value instanceof Parameter) return value;
  if (value instanceof Tensor) return new Parameter(value);
  throw new TypeError(`${owner}: expected a Parameter or a Tensor, got ${describe(value)}`);
}

function parameterLine(name: string | number, parameter: Parameter, type: string): string {
  return `  (${name}): Parameter containing: [${type} of size ${parameter.shape.join('x')}]`;
}

/** Parameters in a list; tensors become parameters. PyTorch: `torch.nn.ParameterList`. */
export class ParameterList extends Numbered<Parameter> {
  constructor(values: Iterable<Tensor> = []) {
    super();
    this.extend(values as Iterable<Parameter>);
  }

  protected override convert(method: string, part: unknown): Parameter {
    return toParameter(`ParameterList.${method}`, part);
  }

  protected override entries(): [string, Parameter][] {
    return this._ownParameters();
  }

  override extra_repr(): string {
    return this.parts()
      .map((parameter, i) => parameterLine(i, parameter, `torch.${parameter.dtype.name}`))
      .join('\n');
  }
}

/** A module whose parts have names given by the user. */
abstract class Keyed<T> extends Module {
  override _order = new Set<string>();

  /** @throws TypeError for what cannot be a part. */
  protected abstract convert(method: string, part: unknown): T;

  private slot(): Record<string, T> {
    return this as unknown as Record<string, T>;
  }

  /** The part of that name. @throws RangeError if there is none. */
  get(key: string): T {
    if (!this._order.has(key)) throw new RangeError(`${this._get_name()}.get: key: no part is named ${describe(key)}`);
    return this.slot()[key];
  }

  /** Adds or replaces the part of that name. @throws Error for a name that is taken by something else. */
  set(key: string, part: T): void {
    const value = this.convert('set', part);
    if (value instanceof Module) this.register_module(key, value);
    else this.register_parameter(key, value as Parameter);
    this._order.add(key);
  }

  /** Whether there is a part of that name. */
  has(key: string): boolean {
    return this._order.has(key);
  }

  /** Takes out the part of that name and returns it. @throws RangeError if there is none. */
  pop(key: string): T {
    const part = this.get(key);
    this._order.delete(key);
    delete this.slot()[key];
    return part;
  }

  /** Takes out all parts. */
  clear(): void {
    for (const key of this.keys()) this.pop(key);
  }

  /** Adds or replaces parts: those of an object, or pairs of a name and a part. */
  update(parts: Record<string, T> | Iterable<readonly [string, T]>): void {
    if (typeof parts !== 'object' || parts === null) {
      throw new TypeError(`${this._get_name()}.update: expected an object of parts, got ${describe(parts)}`);
    }
    const pairs = Symbol.iterator in parts ? parts : this.pairsOf(parts);
    for (const pair of pairs) {
      if (!Array.isArray(pair)) {
        throw new TypeError(`${this._get_name()}.update: expected pairs of a name and a part, got ${describe(pair)}`);
      }
      this.set((pair as [string, T])[0], (pair as [string, T])[1]);
    }
  }

  protected pairsOf(parts: Record<string, T>): [string, T][] {
    return Object.entries(parts);
  }

  /** How many parts there are. */
  get length(): number {
    return this._order.size;
  }

  /** The names. */
  keys(): string[] {
    return [...this._order];
  }

  /** The parts. */
  values(): T[] {
    return this.keys().map((key) => this.slot()[key]);
  }

  /** The names with the parts. */
  items(): [string, T][] {
    return this.keys().map((key) => [key, this.slot()[key]]);
  }

  /** Over the names, as PyTorch's. */
  [Symbol.iterator](): Iterator<string> {
    return this.keys()[Symbol.iterator]();
  }
}

/** Modules by names; it is not called itself. PyTorch: `torch.nn.ModuleDict`. */
export class ModuleDict extends Keyed<Module> {
  constructor(modules: Record<string, Module> | Iterable<readonly [string, Module]> = {}) {
    super();
    this.update(modules);
  }

  protected override convert(method: string, part: unknown): Module {
    return checkModule(`ModuleDict.${method}`, part);
  }
}

/**
 * Parameters by names; tensors become parameters. Those of an object come in the order of their names, pairs in their own,
 * as in PyTorch. PyTorch: `torch.nn.ParameterDict`.
 */
export class ParameterDict extends Keyed<Parameter> {
  constructor(parameters: Record<string, Tensor> | Iterable<readonly [string, Tensor]> = {}) {
    super();
    this.update(parameters as Record<string, Parameter>);
  }

  protected override convert(method: string, part: unknown): Parameter {
    return toParameter(`ParameterDict.${method}`, part);
  }

  protected override pairsOf(parts: Record<string, Parameter>): [string, Parameter][] {
    return super.pairsOf(parts).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  override extra_repr(): string {
    return this.items()
      .map(([key, parameter]) => parameterLine(key, parameter, `torch.${parameter.dtype.label}Tensor`))
      .join('\n');
  }
}
