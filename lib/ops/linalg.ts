import { callStrided } from '../backend/frame.js';
import { record, recording, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, stridesOf, type Dims, type Tensor } from '../tensor/tensor.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, numelOf } from './shape.js';
import { diagonal, expand, reshape, transpose, unsqueeze } from './view.js';

// Products of matrices and vectors: all of them one kernel.

/** The steps of a matrix operand, with its dimensions -2 and -1 at places `row` and `column` of [batch…, M, N, K]. */
function matrixStrides(t: Tensor, batch: Dims, row: number, column: number): number[] {
  const own = stridesOf(t);
  const n = own.length;
  const strides = new Array<number>(batch.length + 3).fill(0);
  const shift = batch.length - (n - 2);
  for (let i = 0; i < n - 2; i++) strides[i + shift] = t._dims[i] === 1 ? 0 : own[i];
  strides[batch.length + row] = t._dims[n - 2] === 1 ? 0 : own[n - 2];
  strides[batch.length + column] = t._dims[n - 1] === 1 ? 0 : own[n - 1];
  return strides;
}

/**
 * beta c + alpha a b, not recorded. Leading dimensions are batches and broadcast.
 * @param c Broadcasts to the result; null for none.
 * @throws RangeError if the inner sizes differ; TypeError if the dtypes do.
 */
function multiply(name: string, a: Tensor, b: Tensor, c: Tensor | null = null, alpha = 1, beta = 1): Tensor {
  const [m, k] = a._dims.slice(-2);
  const [inner, n] = b._dims.slice(-2);
  if (k !== inner) {
    throw new RangeError(
      `${name}: shapes cannot be multiplied: [${a._dims.join(', ')}] and [${b._dims.join(', ')}] (inner sizes ${k} and ${inner})`,
    );
  }
  for (const other of c === null ? [b] : [b, c]) {
    if (other._dtype !== a._dtype) {
      throw new TypeError(`${name}: expected tensors of one dtype, got ${a._dtype.name} and ${other._dtype.name}`);
    }
  }
  const batch =
    a._dims.length === 2 && b._dims.length === 2 ? [] : broadcastDims(name, a._dims.slice(0, -2), b._dims.slice(0, -2));
  const out = allocate([...batch, m, n], a._dtype);
  const addend = c === null ? null : expandTo(name, c, out._dims);
  const bias = beta === 0 ? null : addend; // NaN times 0 shall not count
  callStrided(
    'matmul',
    [...batch, m, n, k],
    [a, b, bias, out],
    [
      matrixStrides(a, batch, 0, 2),
      matrixStrides(b, batch, 2, 1),
      bias === null ? [] : [...stridesOf(bias), 0],
      [...stridesOf(out), 0],
    ],
    [alpha, beta],
    0,
  );
  return out;
}

function expandTo(name: string, c: Tensor, dims: Dims): Tensor {
  if (broadcastDims(name, c._dims, dims).length !== dims.length) {
    throw new RangeError(
      `${name}: input: expected a shape that broadcasts to [${dims.join(', ')}], got [${c._dims.join(', ')}]`,
    );
  }
  return expand(c.detach(), dims);
}

function mT(t: Tensor): Tensor {
  return transpose(t, -2, -1);
}

/** Matrix products, batched or not: the gradients are products with the other operand transposed. */
const Mm: Op = {
  name: 'MmBackward0',
  backward: (g, node) => productGradients(g, node.unpack(0), node.unpack(1), node.needs(0), node.needs(1)),
};
const Bmm: Op = { name: 'BmmBackward0', backward: Mm.backward };

function productGradients(g: Tensor, a: Tensor, b: Tensor, needsA: boolean, needsB: boolean): (Tensor | null)[] {
  return [
    needsA ? sum_to_size(product('mm', g, mT(b)), a._dims) : null,
    needsB ? sum_to_size(product('mm', mT(a), g), b._dims) : null,
  ];
}

/** The recorded product of two operands of at least two dimensions. */
function product(name: string, a: Tensor, b: Tensor): Tensor {
  const out = multiply(name, a, b);
  if (recording(a, b)) record(out._dims.length === 2 ? Mm : Bmm, out, [a, b], [a, b]);
  return out;
}

function checkDims(name: string, argument: string, t: unknown, n: number): asserts t is Tensor {
  checkTensor(name, argument, t);
  if (t._dims.length !== n)
    throw new RangeError(`${name}: ${argument}: expected a ${n}-dimensional tensor, got ${describe(t)}`);
}

/** The product of two matrices. PyTorch: `torch.mm`. */
export function mm(input: Tensor, mat2: Tensor): Tensor {
  checkDims('mm', 'input', input, 2);
  checkDims('mm', 'mat2', mat2, 2);
  return product('mm', input, mat2);
}

const Addmm: Op = {
  name: 'AddmmBackward0',
  backward(g, node) {
    const { alpha, beta } = node.attrs as { alpha: number; beta: number };
    const scaled = alpha === 1 ? g : g.mul(alpha);
    const [ga, gb] = productGradients(scaled, node.unpack(0), node.unpack(1), node.needs(1), node.needs(2));
    const gc = node.needs(0) ? sum_to_size(beta === 1 ? g : g.mul(beta), node.inDims[0]) : null;
    return [gc, ga, gb];
  },
};

const Baddbmm: Op = { name: 'BaddbmmBackward0', backward: Addmm.backward };

/** The factors of a product and of what it is added to. */
export interface ScaleOptions {
  /** Of the input; 0 leaves it out, whatever its values. Default 1. */
  beta?: number;
  /** Of the product. Default 1. */
  alpha?: number;
}

const scaleDefaults = { beta: 1, alpha: 1 };
const optionsOf = {
  addmm: defineOptions('addmm', scaleDefaults),
  addmv: defineOptions('addmv', scaleDefaults),
  baddbmm: defineOptions('baddbmm', scaleDefaults),
};

/** `beta * input + alpha * (mat1 @ mat2)`. PyTorch: `torch.addmm`. */
export function addmm(input: Tensor, mat1: Tensor, mat2: Tensor, options?: ScaleOptions): Tensor {
  checkTensor('addmm', 'input', input);
  checkDims('addmm', 'mat1', mat1, 2);
  checkDims('addmm', 'mat2', mat2, 2);
  const { alpha, beta } = optionsOf.addmm(options);
  const out = multiply('addmm', mat1, mat2, input, alpha, beta);
  if (recording(input, mat1, mat2)) record(Addmm, out, [input, mat1, mat2], [mat1, mat2], { alpha, beta });
  return out;
}

const Linear: Op = {
  name: 'AddmmBackward0',
  backward(g, node) {
    const input = node.unpack(0);
    const weight = node.unpack(1);
    // Every dimension but the last is a batch: as one, each gradient is one product.
    const flat = reshape(g, [-1, weight._dims[0]]);
    return [
      node.needs(0) ? reshape(product('linear', flat, weight), input._dims) : null,
      node.needs(1) ? product('linear', mT(flat), reshape(input, [-1, weight._dims[1]])) : null,
      node.needs(2) ? sum_to_size(flat, node.inDims[2]) : null,
    ];
  },
};

/**
 * `input @ weight.T + bias`. PyTorch: `torch.nn.functional.linear`.
 * @param input [..., in_features]
 * @param weight [out_features, in_features]
 * @param bias [out_features]
 */
export function linear(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  checkTensor('linear', 'input', input);
  checkDims('linear', 'weight', weight, 2);
  if (bias !== null) checkDims('linear', 'bias', bias, 1);
  const [out_features, in_features] = weight._dims;
  const dims = input._dims;
  if (dims.length === 0 || dims[dims.length - 1] !== in_features) {
    throw new RangeError(
      `linear: input: expected [..., ${in_features}], the weight's shape being [${weight._dims.join(', ')}], got ${describe(input)}`,
    );
  }
  const flat = dims.length === 2 ? input : reshape(input.detach(), [-1, in_features]);
  let out = multiply('linear', flat, mT(weight.detach()), bias);
  if (dims.length !== 2) out = reshape(out, [...dims.slice(0, -1), out_features]);
  if (recording(input, weight, bias)) record(Linear, out, [input, weight, bias], [input, weight]);
  return out;
}

/** Batches of matrix products. PyTorch: `torch.bmm`. */
export function bmm(input: Tensor, mat2: Tensor): Tensor {
  checkDims('bmm', 'input', input, 3);
  checkDims('bmm', 'mat2', mat2, 3);
  if (input._dims[0] !== mat2._dims[0])
    throw new RangeError(`bmm: expected equal batch sizes, got ${input._dims[0]} and ${mat2._dims[0]}`);
  return product('bmm', input, mat2);
}

/**
 * The product of vectors, matrices or batches of matrices, whose batch dimensions broadcast. PyTorch: `torch.matmul`.
 * @throws RangeError for an operand without dimensions, or sizes that do not fit.
 */
export function matmul(input: Tensor, other: Tensor): Tensor {
  checkTensor('matmul', 'input', input);
  checkTensor('matmul', 'other', other);
  if (input._dims.length === 0 || other._dims.length === 0) {
    throw new RangeError(
      `matmul: both arguments need to be at least 1-dimensional, got ${describe(input)} and ${describe(other)}`,
    );
  }
  const a = input._dims.length === 1 ? unsqueeze(input, 0) : input;
  const b = other._dims.length === 1 ? unsqueeze(other, 1) : other;
  const out = product('matmul', a, b);
  const dims = out._dims.slice();
  if (other._dims.length === 1) dims.splice(-1, 1);
  if (input._dims.length === 1) dims.splice(other._dims.length === 1 ? -1 : -2, 1);
  return dims.length === out._dims.length ? out : reshape(out, dims);
}

/** The product of a matrix and a vector. PyTorch: `torch.mv`. */
export function mv(input: Tensor, vec: Tensor): Tensor {
  checkDims('mv', 'input', input, 2);
  checkDims('mv', 'vec', vec, 1);
  return matmul(input, vec);
}

/** The sum of the products of two vectors. PyTorch: `torch.dot`. */
export function dot(input: Tensor, tensor: Tensor): Tensor {
  checkDims('dot', 'input', input, 1);
  checkDims('dot', 'tensor', tensor, 1);
  return matmul(input, tensor);
}

/** Each element of one vector times each of another. PyTorch: `torch.outer`. */
export function outer(input: Tensor, vec2: Tensor): Tensor {
  checkDims('outer', 'input', input, 1);
  checkDims('outer', 'vec2', vec2, 1);
  return unsqueeze(input, 1).mul(vec2);
}

/** `beta * input + alpha * (mat @ vec)`. PyTorch: `torch.addmv`. */
export function addmv(input: Tensor, mat: Tensor, vec: Tensor, options?: ScaleOptions): Tensor {
  checkTensor('addmv', 'input', input);
  checkDims('addmv', 'mat', mat, 2);
  checkDims('addmv', 'vec', vec, 1);
  const column = input._dims.length === 0 ? input : unsqueeze(input, -1);
  return reshape(addmm(column, mat, unsqueeze(vec, 1), optionsOf.addmv(options)), [mat._dims[0]]);
}

/** `beta * input + alpha * (batch1 @ batch2)` for batches of matrices. PyTorch: `torch.baddbmm`. */
export function baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, options?: ScaleOptions): Tensor {
  checkTensor('baddbmm', 'input', input);
  checkDims('baddbmm', 'batch1', batch1, 3);
  checkDims('baddbmm', 'batch2', batch2, 3);
  if (batch1._dims[0] !== batch2._dims[0])
    throw new RangeError(`baddbmm: expected equal batch sizes, got ${batch1._dims[0]} and ${batch2._dims[0]}`);
  const { alpha, beta } = optionsOf.baddbmm(options);
  const out = multiply('baddbmm', batch1, batch2, input, alpha, beta);
  if (recording(input, batch1, batch2))
    record(Baddbmm, out, [input, batch1, batch2], [batch1, batch2], { alpha, beta });
  return out;
}

/** The sum of the products of two vectors. PyTorch: `torch.vdot`, which for real numbers is {@link dot}. */
export const vdot = dot;

/** The products of the vectors along the last dimensions, each with each. PyTorch: `torch.inner`. */
export function inner(input: Tensor, other: Tensor): Tensor {
  checkTensor('inner', 'input', input);
  checkTensor('inner', 'other', other);
  const [a, b] = [input._dims, other._dims];
  if (a.length === 0 || b.length === 0) return input.mul(other);
  const n = a[a.length - 1];
  if (n !== b[b.length - 1]) {
    throw new RangeError(`inner: the last dimensions must agree, got [${a.join(', ')}] and [${b.join(', ')}]`);
  }
  const rows = (t: Tensor): Tensor => reshape(t, [numelOf(t._dims.slice(0, -1)), n]);
  return reshape(mm(rows(input), mT(rows(other))), [...a.slice(0, -1), ...b.slice(0, -1)]);
}

/** The sum of a matrix's diagonal. PyTorch: `torch.trace`. */
export function trace(input: Tensor): Tensor {
  checkDims('trace', 'input', input, 2);
  return diagonal(input).sum();
}
