import { K } from '../backend/kernels.js';
import { callStrided, pointwise1 } from '../backend/frame.js';
import { record, recording, type Op } from '../autograd/node.js';
import { defineOptions, optionOrValue } from '../options.js';
import { int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, memoryOf, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { zeros } from './creation.js';
import { index_select } from './indexing.js';
import { cat } from './join.js';
import { sumOver } from './reduction.js';
import { readSizes } from './shape.js';
import { diagonal, narrow } from './slices.js';
import { expand, flatten, reshape, unsqueeze } from './view.js';

// The elements in another order, repeated, or some of them set to zero: always a copy.

function triangular(kernel: 'tril' | 'triu', nodeName: string) {
  const op: Op = { name: nodeName, backward: (g, node) => compute(g, node.attrs as number) };
  const read = defineOptions(kernel, { diagonal: 0 });
  const compute = (input: Tensor, diagonal?: number | { diagonal?: number }): Tensor => {
    checkTensor(kernel, 'input', input);
    const offset = optionOrValue(read, 'diagonal', diagonal);
    if (input._dims.length < 2)
      throw new RangeError(`${kernel}: input: expected at least 2 dimensions, got ${describe(input)}`);
    if (!Number.isInteger(offset))
      throw new TypeError(`${kernel}: diagonal: expected an integer, got ${describe(offset)}`);
    const out = allocate(input._dims, input._dtype);
    if (out._numel > 0)
      callStrided(K[kernel], out._dims, [input, out], [stridesOf(input), stridesOf(out)], [offset], 0);
    if (recording(input)) record(op, out, [input], [], offset);
    return out;
  };
  return compute;
}

/** The lower triangle of the matrices, up to the given diagonal (default 0), and zeros above. PyTorch: `torch.tril`. */
export const tril = triangular('tril', 'TrilBackward0');
/** The upper triangle of the matrices, from the given diagonal (default 0) on, and zeros below. PyTorch: `torch.triu`. */
export const triu = triangular('triu', 'TriuBackward0');

const diagOptions = defineOptions('diag', { diagonal: 0 });

/** A matrix with the given vector on a diagonal, or the diagonal of a matrix as a vector of its own. PyTorch: `torch.diag`. */
export function diag(input: Tensor, given?: number | { diagonal?: number }): Tensor {
  checkTensor('diag', 'input', input);
  const offset = optionOrValue(diagOptions, 'diagonal', given);
  if (!Number.isSafeInteger(offset))
    throw new TypeError(`diag: diagonal: expected an integer, got ${describe(offset)}`);
  if (input._dims.length === 2) return diagonal(input, { offset }).clone();
  if (input._dims.length !== 1) throw new RangeError(`diag: input: expected 1 or 2 dimensions, got ${describe(input)}`);
  const n = input._numel + Math.abs(offset);
  const out = zeros([n, n], { dtype: input._dtype });
  diagonal(out, { offset }).copy_(input);
  return out;
}

const Flip: Op = { name: 'FlipBackward0', backward: (g, node) => flip(g, node.attrs as number[]) };

/** The order of the given dimensions reversed. PyTorch: `torch.flip`. */
export function flip(input: Tensor, ...dims: (number | Dims)[]): Tensor {
  checkTensor('flip', 'input', input);
  const n = input._dims.length;
  const given = dims.length === 1 && Array.isArray(dims[0]) ? (dims[0] as number[]) : (dims as number[]);
  const axes = given.map((d) => wrapDim('flip', d, n));
  if (new Set(axes).size !== axes.length)
    throw new RangeError(`flip: dims: a dimension appears twice in ${describe(given)}`);
  const out = allocate(input._dims, input._dtype);
  const strides = stridesOf(input).slice();
  let offset = input._offset;
  if (out._numel > 0) {
    for (const axis of n === 0 ? [] : axes) {
      offset += (input._dims[axis] - 1) * strides[axis];
      strides[axis] = -strides[axis];
    }
    pointwise1(K.copy, out, new Tensor(input._storage, offset, input._dims, strides, input._numel, input._dtype));
  }
  if (recording(input)) record(Flip, out, [input], [], axes);
  return out;
}

/** The columns of matrices reversed. PyTorch: `torch.fliplr`. */
export const fliplr = (input: Tensor): Tensor => flip(input, 1);
/** The rows reversed. PyTorch: `torch.flipud`. */
export const flipud = (input: Tensor): Tensor => flip(input, 0);

interface RollAttrs {
  shifts: number[];
  dims: number[];
}

const Roll: Op = {
  name: 'RollBackward0',
  backward(g, node) {
    const { shifts, dims } = node.attrs as RollAttrs;
    return roll(
      g,
      shifts.map((s) => -s),
      dims,
    );
  },
};

const rollOptions = defineOptions('roll', { dims: [] as number | readonly number[] });

/** One integer or several, as a list. */
function integersOf(argument: string, given: number | readonly number[]): number[] {
  const list = (Array.isArray(given) ? given : [given]) as readonly number[];
  if (list.every(Number.isSafeInteger)) return list.slice();
  throw new TypeError(`roll: ${argument}: expected integers, got ${describe(given)}`);
}

/** The elements moved on by `shifts` along `dims`, those that leave at the end entering at the front; without `dims` as if in one row. PyTorch: `torch.roll`. */
export function roll(
  input: Tensor,
  shifts: number | readonly number[],
  dims?: number | readonly number[] | { dims?: number | readonly number[] },
): Tensor {
  checkTensor('roll', 'input', input);
  const by = integersOf('shifts', shifts);
  const along = integersOf('dims', optionOrValue(rollOptions, 'dims', dims));
  if (along.length === 0 && by.length === 1) return reshape(roll(reshape(input, [-1]), by, [0]), input._dims);
  if (by.length !== along.length || by.length === 0) {
    throw new RangeError(`roll: expected as many shifts as dims, got ${describe(by)} and ${describe(along)}`);
  }
  let out = input.detach();
  by.forEach((shift, i) => {
    const axis = wrapDim('roll', along[i], input._dims.length);
    const size = input._dims[axis];
    const start = size === 0 ? 0 : ((-shift % size) + size) % size;
    out = cat([narrow(out, axis, start, size - start), narrow(out, axis, 0, start)], axis);
  });
  if (recording(input)) record(Roll, out, [input], [], { shifts: by, dims: along } satisfies RollAttrs);
  return out;
}

const Repeat: Op = {
  name: 'RepeatBackward0',
  backward(g, node) {
    const counts = node.attrs as number[];
    const own = node.inDims[0];
    const shift = counts.length - own.length;
    const split = counts.flatMap((count, i) => [count, i < shift ? 1 : own[i - shift]]);
    const summed = sumOver(
      reshape(g, split),
      counts.map((_, i) => 2 * i),
      false,
    );
    return reshape(summed, own);
  },
};

/** The tensor repeated `counts[d]` times along each dimension; more counts than dimensions put new ones in front. PyTorch: `Tensor.repeat`. */
export function repeat(input: Tensor, ...counts: (number | Dims)[]): Tensor {
  checkTensor('repeat', 'input', input);
  const times = readSizes('repeat', counts);
  const own = input._dims;
  const shift = times.length - own.length;
  if (shift < 0) throw new RangeError(`repeat: expected at least ${own.length} counts, got ${describe(times)}`);
  const sizes = times.map((_, i) => (i < shift ? 1 : own[i - shift]));
  const dims = times.map((count, i) => count * sizes[i]);
  const interleaved = expand(
    reshape(
      input.detach(),
      sizes.flatMap((size) => [1, size]),
    ),
    sizes.flatMap((size, i) => [times[i], size]),
  );
  const out = reshape(interleaved.clone({ memory_format: 'contiguous' }), dims).detach();
  return recording(input) ? record(Repeat, out, [input], [], times) : out;
}

/** {@link repeat} where missing counts, in front, are 1. PyTorch: `torch.tile`. */
export function tile(input: Tensor, ...counts: (number | Dims)[]): Tensor {
  checkTensor('tile', 'input', input);
  const times = readSizes('tile', counts);
  while (times.length < input._dims.length) times.unshift(1);
  return repeat(input, times);
}

const interleaveOptions = defineOptions('repeat_interleave', { dim: null as number | null });

/**
 * Each element repeated: `repeats` times, or as often as a tensor of one count for each says. Without `dim` the input is
 * seen as one row. PyTorch: `torch.repeat_interleave`.
 */
export function repeat_interleave(
  input: Tensor,
  repeats: number | Tensor,
  dim?: number | null | { dim?: number | null },
): Tensor {
  checkTensor('repeat_interleave', 'input', input);
  const given = optionOrValue(interleaveOptions, 'dim', dim);
  if (given === null) return repeat_interleave(reshape(input, [-1]), repeats, 0);
  const axis = wrapDim('repeat_interleave', given, input._dims.length);
  if (input._dims.length === 0) throw new RangeError('repeat_interleave: dim: expected null for a 0-dim tensor, got 0');
  const size = input._dims[axis];
  if (!(repeats instanceof Tensor)) {
    const [count] = readSizes('repeat_interleave', [repeats]);
    const dims = input._dims.slice();
    dims.splice(axis + 1, 0, count);
    const spread = expand(unsqueeze(input, axis + 1), dims);
    return flatten(spread.clone({ memory_format: 'contiguous' }), axis, axis + 1);
  }
  if (repeats._dims.length > 1 || (repeats._numel !== 1 && repeats._numel !== size)) {
    throw new RangeError(
      `repeat_interleave: repeats: expected one count or a vector of ${size}, got ${describe(repeats)}`,
    );
  }
  const counts = readSizes('repeat_interleave', [repeats.reshape(-1).tolist() as number[]]);
  const total = counts.reduce((a, b) => a + b, 0) * (counts.length === 1 ? size : 1);
  const places = allocate([total], int64);
  const memory = memoryOf(places) as BigInt64Array;
  let at = places._offset;
  for (let i = 0; i < size; i++) {
    const end = at + counts[counts.length === 1 ? 0 : i];
    memory.fill(BigInt(i), at, end);
    at = end;
  }
  return index_select(input, axis, places);
}
