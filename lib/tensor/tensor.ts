import { pool } from '../backend/index.js';
import { nodeOf, requiresGrad, type Node } from '../autograd/node.js';
import type { DType, TypedArray } from './dtype.js';
import { formatTensor } from './format.js';
import type { Storage } from './storage.js';

/** Sizes or strides, one a dimension. */
export type Dims = readonly number[];

/** A JS value that stands for a single element. */
export type Scalar = number | boolean | bigint;

/**
 * A multi-dimensional array of one dtype. PyTorch: `torch.Tensor`. Made by the creation functions (`torch.tensor`,
 * `torch.zeros`, …); its operations are the functions of the same names with the tensor as their first argument.
 */
export class Tensor {
  // What starts with an underscore is internal: it is read in the hot path of every op.
  /** @internal */ _storage: Storage;
  /** In elements, from the beginning of the storage's block. @internal */ _offset: number;
  /** @internal */ _dims: Dims;
  /** In elements; null where the tensor is contiguous. @internal */ _strides: Dims | null;
  /** @internal */ _numel: number;
  /** @internal */ _dtype: DType;
  /** Whether a leaf requires a gradient. @internal */ _leafGrad = false;
  /** The node this tensor is an output of; a leaf's accumulator is in _accumulator. @internal */ _node: Node | null =
    null;
  /** Which of the node's outputs it is. @internal */ _outputNr = 0;
  /** Collects a leaf's gradient. @internal */ _accumulator: Node | null = null;
  /** The tensor this is a differentiable view of. @internal */ _base: Tensor | null = null;
  /** The storage's version when _node was right; behind it, the node is made anew from the base's. @internal */ _viewVersion = 0;
  /** Why the graph cannot follow an in-place change of this view; null if it can. @internal */ _fixedView:
    string | null = null;
  /** The gradient, for those who do not keep it. @internal */ _grad: Tensor | null = null;
  /** Whether others than this tensor may hold the gradient. @internal */ _gradShared = false;

  /** @internal */
  constructor(storage: Storage, offset: number, dims: Dims, strides: Dims | null, numel: number, dtype: DType) {
    if ((dtype as DType | undefined) === undefined)
      throw new TypeError('Tensor: use torch.tensor(data), or torch.empty(sizes)');
    this._storage = storage;
    this._offset = offset;
    this._dims = dims;
    this._strides = strides;
    this._numel = numel;
    this._dtype = dtype;
  }

  /**
   * The gradient that `backward` accumulated, or null. Assigned, it must have the tensor's shape and dtype.
   * PyTorch: `Tensor.grad`.
   */
  get grad(): Tensor | null {
    this._gradShared = true;
    return this._grad;
  }
  set grad(value: Tensor | null) {
    if (value !== null) checkGrad(this, value);
    dropGrad(this);
    this._grad = value;
    this._gradShared = true;
  }

  /** The sizes, a copy. PyTorch: `Tensor.shape`. */
  get shape(): number[] {
    return this._dims.slice();
  }

  /** The element type. */
  get dtype(): DType {
    return this._dtype;
  }

  /** Where the tensor lives: always `'cpu'`. */
  get device(): 'cpu' {
    return 'cpu';
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this._dims.length;
  }

  /** The number of dimensions. */
  dim(): number {
    return this._dims.length;
  }

  /** The number of elements. */
  numel(): number {
    return this._numel;
  }

  /**
   * The sizes, or the size of dimension `dim`.
   * @throws RangeError if there is no such dimension.
   */
  size(): number[];
  size(dim: number): number;
  size(dim?: number): number | number[] {
    return dim === undefined ? this._dims.slice() : this._dims[wrapDim('size', dim, this._dims.length)];
  }

  /**
   * The step in elements from one index to the next, of every dimension or of dimension `dim`.
   * @throws RangeError if there is no such dimension.
   */
  stride(): number[];
  stride(dim: number): number;
  stride(dim?: number): number | number[] {
    const strides = stridesOf(this);
    return dim === undefined ? strides.slice() : strides[wrapDim('stride', dim, strides.length)];
  }

  /** Where the first element lies in the storage, in elements. */
  storage_offset(): number {
    return this._offset - this._storage.byteOffset / this._dtype.itemsize;
  }

  /** Bytes per element. */
  element_size(): number {
    return this._dtype.itemsize;
  }

  /** Whether the elements lie in row-major order without gaps. */
  is_contiguous(): boolean {
    return this._strides === null;
  }

  /** Whether the elements are floating-point numbers. */
  is_floating_point(): boolean {
    return this._dtype.is_floating_point;
  }

  /** Whether `backward` computes a gradient for this tensor. Only leaves may be changed. */
  get requires_grad(): boolean {
    return requiresGrad(this);
  }
  set requires_grad(value: boolean) {
    this.requires_grad_(value);
  }

  /**
   * Sets whether `backward` computes a gradient for this tensor. PyTorch: `Tensor.requires_grad_`.
   * @throws Error if it is not a leaf, or its dtype is not a floating-point one.
   */
  requires_grad_(requires_grad = true): this {
    if (typeof requires_grad !== 'boolean') {
      throw new TypeError(`requires_grad_: requires_grad: expected a boolean, got ${describe(requires_grad)}`);
    }
    if (!this.is_leaf) {
      if (requires_grad) return this;
      throw new Error(
        'requires_grad_: you can only change requires_grad flags of leaf tensors. ' +
          'Use detach() for a tensor that does not require grad.',
      );
    }
    if (requires_grad && !this._dtype.is_floating_point) {
      throw new Error(
        `requires_grad_: only tensors of floating-point dtype can require gradients, got ${this._dtype.name}`,
      );
    }
    this._leafGrad = requires_grad;
    return this;
  }

  /** Whether no recorded op made this tensor. */
  get is_leaf(): boolean {
    return nodeOf(this) === null;
  }

  /** The node of the graph this tensor is an output of, or null for a leaf. */
  get grad_fn(): Node | null {
    return nodeOf(this);
  }

  /** Whether only some rows are stored: gradients of embeddings with `sparse: true`. PyTorch: `Tensor.is_sparse`. */
  get is_sparse(): boolean {
    return false;
  }

  /** How often the memory was changed in place. */
  get _version(): number {
    return this._storage.version;
  }

  /** What PyTorch prints for the tensor. */
  toString(): string {
    return formatTensor(this);
  }

  /** What `console.log` prints. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Drops a gradient. If nobody has seen it, its memory is free at once. @internal */
export function dropGrad(t: Tensor): void {
  if (t._grad !== null && !t._gradShared) pool.release(t._grad._storage);
  t._grad = null;
}

/** Refuses what cannot be the gradient of `t`. */
function checkGrad(t: Tensor, value: unknown): void {
  checkTensor('grad', 'value', value);
  if (value === t) throw new Error('grad: value: a tensor cannot be its own gradient');
  const fits = value._dims.length === t._dims.length && value._dims.every((size, i) => size === t._dims[i]);
  if (fits && value._dtype === t._dtype) return;
  throw new (fits ? TypeError : RangeError)(`grad: value: expected ${describe(t)}, got ${describe(value)}`);
}

/** The strides of a contiguous tensor, in elements. @internal */
export function contiguousStrides(dims: Dims): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(dims[i], 1);
  }
  return strides;
}

/** A tensor's strides, in elements. @internal */
export function stridesOf(t: Tensor): Dims {
  return t._strides ?? contiguousStrides(t._dims);
}

/** `strides`, or null if they are those of a contiguous tensor; sizes of 1 have no say. @internal */
export function normalizedStrides(dims: Dims, strides: Dims): Dims | null {
  let step = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] === 0) return null;
    if (dims[i] !== 1 && strides[i] !== step) return strides;
    step *= dims[i];
  }
  return null;
}

/** A new contiguous tensor with uninitialised elements. @internal */
export function allocate(dims: Dims, dtype: DType): Tensor {
  let numel = 1;
  for (let i = 0; i < dims.length; i++) numel *= dims[i];
  const nbytes = numel * dtype.itemsize;
  if (!(nbytes <= MAX_BYTES)) {
    throw new RangeError(`out of memory: a tensor of shape [${dims.join(', ')}] and dtype ${dtype.name} is too large`);
  }
  const storage = pool.allocate(nbytes);
  return new Tensor(storage, storage.byteOffset / dtype.itemsize, dims, null, numel, dtype);
}

/** The longest ArrayBuffer that V8 makes on 64-bit machines is longer than this. */
const MAX_BYTES = 2 ** 36;

/** The array that holds a tensor's elements, whose first stands at `t._offset`. @internal */
export function memoryOf(t: Tensor): TypedArray {
  return t._storage.block.view(t._dtype.code);
}

/**
 * `dim` counted from the front.
 * @throws RangeError if it is not a dimension.
 * @internal
 */
export function wrapDim(name: string, dim: number, ndim: number): number {
  const n = Math.max(ndim, 1);
  if (!Number.isInteger(dim)) throw new TypeError(`${name}: dim: expected an integer, got ${describe(dim)}`);
  if (dim < -n || dim >= n) {
    throw new RangeError(`${name}: dim: expected to be in range of [${-n}, ${n - 1}], got ${dim}`);
  }
  return dim < 0 ? dim + n : dim;
}

/** A value as error messages show it. @internal */
export function describe(value: unknown, depth = 0): string {
  if (value instanceof Tensor) return `a tensor of shape [${value._dims.join(', ')}] and dtype ${value.dtype.name}`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`;
  if (Array.isArray(value)) {
    if (depth === 3) return '[…]'; // it may hold itself
    const shown = value.slice(0, 8).map((item) => describe(item, depth + 1));
    return `[${shown.join(', ')}${value.length > 8 ? ', …' : ''}]`;
  }
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor?.name ?? 'null'}`;
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

/** Refuses what is not a tensor. @internal */
export function checkTensor(name: string, argument: string, value: unknown): asserts value is Tensor {
  if (!(value instanceof Tensor))
    throw new TypeError(`${name}: ${argument}: expected a Tensor, got ${describe(value)}`);
}
