import { callStrided } from '../backend/frame.js';
import { record, recording, type Op } from '../autograd/node.js';
import { int64 } from '../tensor/dtype.js';
import { allocate, checkTensor, describe, stridesOf, Tensor, wrapDim, type Dims } from '../tensor/tensor.js';
import { arange, tensor, zeros } from './creation.js';
import { index_select } from './indexing.js';
import { cat } from './join.js';
import { sumOver } from './reduction.js';
import { readSizes } from './shape.js';
import { diagonal, expand, narrow, reshape } from './view.js';

// The elements in another order, repeated, or some of them set to zero: always a copy.

function triangular(kernel: 'tril' | 'triu', nodeName: string) {
  const op: Op = { name: nodeName, backward: (g, node) => compute(g, node.attrs as number) };
  const compute = (input: Tensor, given: number | { diagonal?: number } = 0): Tensor => {
    checkTensor(kernel, 'input', input);
    const offset = typeof given === 'object' ? (given.diagonal ?? 0) : given;
    if (input._dims.length < 2)
      throw new RangeError(`${kernel}: input: expected at least 2 dimensions, got ${describe(input)}`);
    if (!Number.isInteger(offset))
      throw new TypeError(`${kernel}: diagonal: expected an integer, got ${describe(offset)}`);
    const out = allocate(input._dims, input._dtype);
    if (out._numel > 0) callStrided(kernel, out._dims, [input, out], [stridesOf(input), stridesOf(out)], [offset], 0);
    if (recording(input)) record(op, out, [input], [], offset);
    return out;
  };
  return compute;
}

/** The lower triangle of the matrices, up to the given diagonal (default 0), and zeros above. PyTorch: `torch.tril`. */
export const tril = triangular('tril', 'TrilBackward0');
/** The upper triangle of the matrices, from the given diagonal (default 0) on, and zeros below. PyTorch: `torch.triu`. */
export const triu = triangular('triu', 'TriuBackward0');

/** A matrix with the given vector on a diagonal, or the diagonal of a matrix as a vector of its own. PyTorch: `torch.diag`. */
export function diag(input: Tensor, given: number | { diagonal?: number } = 0): Tensor {
  checkTensor('diag', 'input', input);
  const offset = typeof given === 'object' ? (given.diagonal ?? 0) : given;
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
  let out = input.detach();
  for (const axis of axes) {
    const size = n === 0 ? 1 : input._dims[axis];
    out = index_select(out, axis, arange(size - 1, -1, -1));
  }
  if (axes.length === 0) out = out.clone();
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

/** The elements moved on by `shifts` along `dims`, those that leave at the end entering at the front; without `dims` as if in one row. PyTorch: `torch.roll`. */
export function roll(
  input: Tensor,
  shifts: number | readonly number[],
  dims: number | readonly number[] | { dims?: number | readonly number[] } = [],
): Tensor {
  checkTensor('roll', 'input', input);
  const by = typeof shifts === 'number' ? [shifts] : shifts.slice();
  const named = typeof dims === 'object' && !Array.isArray(dims) ? ((dims as { dims?: number }).dims ?? []) : dims;
  const along = (typeof named === 'number' ? [named] : (named as number[])).slice();
  for (const shift of by) {
    if (!Number.isSafeInteger(shift)) throw new TypeError(`roll: shifts: expected integers, got ${describe(shifts)}`);
  }
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

/**
 * Each element repeated: `repeats` times, or as often as a tensor of one count for each says. Without `dim` the input is
 * seen as one row. PyTorch: `torch.repeat_interleave`.
 */
export function repeat_interleave(
  input: Tensor,
  repeats: number | Tensor,
  dim: number | null | { dim?: number | null } = null,
): Tensor {
  checkTensor('repeat_interleave', 'input', input);
  const given = typeof dim === 'object' && dim !== null ? (dim.dim ?? null) : dim;
  if (given === null) return repeat_interleave(reshape(input, [-1]), repeats, 0);
  const axis = wrapDim('repeat_interleave', given, input._dims.length);
  const size = input._dims[axis];
  const counts = repeats instanceof Tensor ? (repeats.reshape(-1).tolist() as number[]) : [repeats];
  if (counts.length !== 1 && counts.length !== size) {
    throw new RangeError(`repeat_interleave: repeats: expected one count or ${size}, got ${counts.length}`);
  }
  readSizes('repeat_interleave', [counts]);
  const places: bigint[] = [];
  for (let i = 0; i < size; i++) {
    const count = counts.length === 1 ? counts[0] : counts[i];
    for (let j = 0; j < count; j++) places.push(BigInt(i));
  }
  return index_select(input, axis, tensor(places, { dtype: int64 }));
}
