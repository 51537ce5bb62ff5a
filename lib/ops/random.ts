import { K } from '../backend/kernels.js';
import { no_grad } from '../autograd/mode.js';
import { record, recordingAny, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { get_default_dtype, int64, uint8, type DType } from '../tensor/dtype.js';
import { checkPermutation } from '../tensor/distributions.js';
import { default_generator, Generator } from '../tensor/generator.js';
import { allocate, checkTensor, describe, memoryOf, Tensor, type Dims } from '../tensor/tensor.js';
import { checkTensorOptions, splitSizes, zeros, type SizesAndOptions, type TensorOptions } from './creation.js';
import { allocateLike } from './elementwise.js';
import { readDims, reduceInto } from './reduction.js';
import { normal_, random_, uniform_ } from './sampling.js';
import { broadcastDims, readSizes } from './shape.js';

// Random tensors, and the generator behind them.

export { default_generator, Generator };

/** Seeds the default generator and returns it. PyTorch: `torch.manual_seed`. @throws TypeError or RangeError if `seed` is no 64-bit integer. */
export function manual_seed(seed: number | bigint): Generator {
  return default_generator.manual_seed(seed);
}

/** Seeds the default generator with a random number and returns it. PyTorch: `torch.seed`. */
export function seed(): number {
  return default_generator.seed();
}

/** The seed of the default generator. PyTorch: `torch.initial_seed`. */
export function initial_seed(): number | bigint {
  return default_generator.initial_seed();
}

/** The state of the default generator, a uint8 tensor with PyTorch's bytes. PyTorch: `torch.get_rng_state`. */
export function get_rng_state(): Tensor {
  const bytes = default_generator.get_state();
  const out = allocate([bytes.length], uint8);
  (memoryOf(out) as Uint8Array).set(bytes, out._offset);
  return out;
}

/** Puts the default generator into a state from {@link get_rng_state}. PyTorch: `torch.set_rng_state`. @throws TypeError or RangeError if it is none. */
export function set_rng_state(new_state: Tensor): void {
  checkTensor('set_rng_state', 'new_state', new_state);
  if (new_state._dtype !== uint8)
    throw new TypeError(`set_rng_state: new_state: expected a uint8 tensor, got ${describe(new_state)}`);
  default_generator.set_state(new_state.toTypedArray() as Uint8Array);
}

/** Options of the functions that make random tensors. */
export interface RandomOptions extends TensorOptions {
  /** Where the numbers come from. Default: {@link default_generator}. */
  generator?: Generator | null;
}

const defaults = {
  generator: null as Generator | null,
  dtype: null as DType | null,
  device: null as 'cpu' | null,
  requires_grad: false,
};
const optionsOf = {
  rand: defineOptions('rand', defaults),
  randn: defineOptions('randn', defaults),
  randint: defineOptions('randint', defaults),
  randperm: defineOptions('randperm', { ...defaults, dtype: int64 as DType | null }),
  rand_like: defineOptions('rand_like', defaults),
  randn_like: defineOptions('randn_like', defaults),
  randint_like: defineOptions('randint_like', defaults),
  normal: defineOptions('normal', defaults),
};

type Draw = (out: Tensor, generator: Generator | null) => void;

/** A new tensor that `draw` fills. */
function make(
  name: keyof typeof optionsOf,
  dims: Dims,
  given: RandomOptions | undefined,
  dtype: DType,
  draw: Draw,
  like: Tensor | null = null,
): Tensor {
  const options = optionsOf[name](given);
  const type = options.dtype ?? dtype;
  checkTensorOptions(name, options, type);
  const out = like === null ? allocate(dims, type) : allocateLike(dims, type, like);
  draw(out, options.generator);
  out._leafGrad = options.requires_grad;
  return out;
}

const uniformly: Draw = (out, generator) => uniform_(out, { generator });
const normally: Draw = (out, generator) => normal_(out, { generator });

/** Numbers from the uniform distribution over [0, 1). PyTorch: `torch.rand`. */
export function rand(...sizes: SizesAndOptions<RandomOptions>): Tensor {
  const { sizes: dims, options } = splitSizes<RandomOptions>('rand', sizes);
  return make('rand', dims, options, get_default_dtype(), uniformly);
}

/** Numbers from the standard normal distribution. PyTorch: `torch.randn`. */
export function randn(...sizes: SizesAndOptions<RandomOptions>): Tensor {
  const { sizes: dims, options } = splitSizes<RandomOptions>('randn', sizes);
  return make('randn', dims, options, get_default_dtype(), normally);
}

/** {@link rand} in the shape and dtype of `input`. PyTorch: `torch.rand_like`. */
export function rand_like(input: Tensor, options?: RandomOptions): Tensor {
  checkTensor('rand_like', 'input', input);
  return make('rand_like', input._dims, options, input._dtype, uniformly, input);
}

/** {@link randn} in the shape and dtype of `input`. PyTorch: `torch.randn_like`. */
export function randn_like(input: Tensor, options?: RandomOptions): Tensor {
  checkTensor('randn_like', 'input', input);
  return make('randn_like', input._dims, options, input._dtype, normally, input);
}

/** Reads `[high]` or `[low, high]`. */
function readBounds(name: string, bounds: readonly unknown[]): (number | bigint)[] {
  for (const bound of bounds) {
    if (typeof bound !== 'bigint' && !Number.isInteger(bound))
      throw new TypeError(`${name}: expected integers as bounds, got ${describe(bound)}`);
  }
  return bounds as (number | bigint)[];
}

/**
 * Integers in [`low`, `high`), int64 unless `dtype` says otherwise. PyTorch: `torch.randint`.
 * @param given `high, size` or `low, high, size`, then options.
 */
export function randint(high: number | bigint, size: Dims, options?: RandomOptions): Tensor;
export function randint(low: number | bigint, high: number | bigint, size: Dims, options?: RandomOptions): Tensor;
export function randint(...given: unknown[]): Tensor {
  const at = given.findIndex(Array.isArray);
  if (at !== 1 && at !== 2)
    throw new TypeError(`randint: expected (high, size) or (low, high, size), got ${describe(given)}`);
  const bounds = readBounds('randint', given.slice(0, at));
  const dims = readSizes('randint', [given[at] as Dims]);
  return make('randint', dims, given[at + 1] as RandomOptions | undefined, int64, (out, generator) =>
    random_(out, ...bounds, { generator }),
  );
}

/** {@link randint} in the shape and dtype of `input`: `high` or `low, high`, then options. PyTorch: `torch.randint_like`. */
export function randint_like(input: Tensor, high: number | bigint, options?: RandomOptions): Tensor;
export function randint_like(
  input: Tensor,
  low: number | bigint,
  high: number | bigint,
  options?: RandomOptions,
): Tensor;
export function randint_like(input: Tensor, ...given: unknown[]): Tensor {
  checkTensor('randint_like', 'input', input);
  const options = typeof given[given.length - 1] === 'object' ? (given.pop() as RandomOptions) : undefined;
  const bounds = readBounds('randint_like', given);
  return make(
    'randint_like',
    input._dims,
    options,
    input._dtype,
    (out, generator) => random_(out, ...bounds, { generator }),
    input,
  );
}

/** The integers below `n` in random order, int64 unless `dtype` says otherwise. PyTorch: `torch.randperm`. */
export function randperm(n: number, options?: RandomOptions): Tensor {
  const dims = readSizes('randperm', [n]);
  return make('randperm', dims, options, int64, (out, generator) => {
    checkPermutation(out._dtype, n);
    (generator ?? default_generator).draw(K.randperm, out, []);
  });
}

/** What is drawn does not depend on the parameters in a way that has a gradient: it is zero, as PyTorch's. */
const Normal: Op = {
  name: 'NormalBackward0',
  backward: (g, node) => node.inDims.map((dims) => zeros(dims, { dtype: g._dtype })),
};

/**
 * Numbers from normal distributions: `mean` and `std` are tensors, which broadcast, or numbers; with two numbers a `size`
 * follows. PyTorch: `torch.normal`.
 */
export function normal(mean: Tensor, std?: Tensor | number, options?: RandomOptions): Tensor;
export function normal(mean: number, std: Tensor, options?: RandomOptions): Tensor;
export function normal(mean: number, std: number, size: Dims, options?: RandomOptions): Tensor;
export function normal(mean: Tensor | number, std: Tensor | number = 1, ...rest: unknown[]): Tensor {
  if (typeof mean === 'number' && typeof std === 'number') {
    const dims = readSizes('normal', [rest[0] as Dims]);
    return make('normal', dims, rest[1] as RandomOptions | undefined, get_default_dtype(), (out, generator) =>
      normal_(out, mean, std, { generator }),
    );
  }
  const tensors = [mean, std].filter((t) => t instanceof Tensor);
  const known = [mean, std].every((t) => t instanceof Tensor || typeof t === 'number');
  if (!known) throw new TypeError(`normal: expected tensors or numbers, got ${describe([mean, std])}`);
  const [first] = tensors;
  const dims = tensors.map((t) => t._dims).reduce((a, b) => broadcastDims('normal', a, b));
  const options = rest[0] as RandomOptions | undefined;
  if (typeof std !== 'number' && std._numel > 0) {
    const least = allocate([], std._dtype);
    reduceInto(K.amin, std, readDims('normal', null, std._dims.length), [least]);
    if ((least.item() as number) < 0) throw new RangeError('normal: std: expected no negative element');
  }
  const out = make('normal', dims, options, first._dtype, (t, generator) =>
    normal_(t, 0, typeof std === 'number' ? std : 1, { generator }),
  );
  no_grad(() => (typeof std === 'number' ? out : out.mul_(std)).add_(mean));
  return recordingAny(tensors) ? record(Normal, out, tensors) : out;
}
