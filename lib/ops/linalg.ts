import { callLinearBackward, callMatmul, callStrided } from '../backend/frame.js';
import { K } from '../backend/kernels.js';
import { mode } from '../autograd/mode.js';
import { record, recording, type Op } from '../autograd/node.js';
import { defineOptions } from '../options.js';
import { allocate, checkTensor, describe, stridesOf, type Dims, type Tensor } from '../tensor/tensor.js';
import { sum_to_size } from './reduction.js';
import { broadcastDims, numelOf } from './shape.js';
import { diagonal } from './slices.js';
import { expand, reshape, unsqueeze } from './view.js';

// Products of matrices and vectors: all of them one kernel.

/** The steps of a matrix operand, with its rows and columns at places `row` and `column` of [batch…, M, N, K]. */
function matrixStrides(t: Tensor, batch: Dims, transposed: boolean, row: number, column: number): number[] {
  const own = stridesOf(t);
  const n = own.length;
  const strides = new Array<number>(batch.length + 3).fill(0);
  const shift = batch.length - (n - 2);
  for (let i = 0; i < n - 2; i++) strides[i + shift] = t._dims[i] === 1 ? 0 : own[i];
  const [first, second] = transposed ? [column, row] : [row, column];
  strides[batch.length + first] = t._dims[n - 2] === 1 ? 0 : own[n - 2];
  strides[batch.length + second] = t._dims[n - 1] === 1 ? 0 : own[n - 1];
  return strides;
}

/**
 * beta c + alpha a b, not recorded. Leading dimensions are batches and broadcast.
 * @param transA Whether the last two dimensions of `a` are exchanged first; likewise `transB`.
 * @param c Broadcasts to the result; null for none.
 * @throws RangeError if the inner sizes differ; TypeError if the dtypes do.
 */
function multiply(
  name: string,
  a: Tensor,
  b: Tensor,
  transA = false,
  transB = false,
  c: Tensor | null = null,
  alpha = 1,
  beta = 1,
): Tensor {
  const x = a._dims.length;
  const y = b._dims.length;
  const m = a._dims[transA ? x - 1 : x - 2];
  const k = a._dims[transA ? x - 2 : x - 1];
  const n = b._dims[transB ? y - 2 : y - 1];
  const inner = b._dims[transB ? y - 1 : y - 2];
  if (k !== inner) {
    throw new RangeError(
      `${name}: shapes cannot be multiplied: [${a._dims.join(', ')}] and [${b._dims.join(', ')}] (inner sizes ${k} and ${inner})`,
    );
  }
  checkDtype(name, a, b);
  if (c !== null) checkDtype(name, a, c);
  const used = beta === 0 ? null : c; // NaN times 0 shall not count
  if (x === 2 && y === 2 && (c === null || c._dims.length === 1)) {
    const out = allocate([m, n], a._dtype);
    const size = c === null ? n : c._dims[0];
    if (size !== n && size !== 1) broadcastDims(name, c!._dims, out._dims);
    const aRow = a._strides === null ? a._dims[1] : a._strides[0];
    const aColumn = a._strides === null ? 1 : a._strides[1];
    const bRow = b._strides === null ? b._dims[1] : b._strides[0];
    const bColumn = b._strides === null ? 1 : b._strides[1];
    callMatmul(
      out,
      k,
      a,
      transA ? aColumn : aRow,
      transA ? aRow : aColumn,
      b,
      transB ? bColumn : bRow,
      transB ? bRow : bColumn,
      used,
      0,
      used === null || size === 1 ? 0 : stridesOf(used)[0],
      alpha,
      beta,
    );
    return out;
  }
  const batch = broadcastDims(name, a._dims.slice(0, -2), b._dims.slice(0, -2));
  const out = allocate([...batch, m, n], a._dtype);
  if (c !== null && broadcastDims(name, c._dims, out._dims).length !== out._dims.length) {
    throw new RangeError(
      `${name}: input: expected a shape that broadcasts to [${out._dims.join(', ')}], got [${c._dims.join(', ')}]`,
    );
  }
  const bias = used === null ? null : expand(used.detach(), out._dims);
  callStrided(
    K.matmul,
    [...batch, m, n, k],
    [a, b, bias, out],
    [
      matrixStrides(a, batch, transA, 0, 2),
      matrixStrides(b, batch, transB, 2, 1),
      bias === null ? [] : [...stridesOf(bias), 0],
      [...stridesOf(out), 0],
    ],
    [alpha, beta],
    0,
  );
  return out;
}

function checkDtype(name: string, a: Tensor, other: Tensor): void {
  if (other._dtype === a._dtype) return;
  throw new TypeError(`${name}: expected tensors of one dtype, got ${a._dtype.name} and ${other._dtype.name}`);
}

/** Which operands of a product were transposed. */
interface Transposed {
  a: boolean;
  b: boolean;
}

/** Matrix products, batched or not: the gradients are products with the other operand transposed. */
const Mm: Op = {
  name: 'MmBackward0',
  backward(g, node) {
    const { a, b } = node.attrs as Transposed;
    return productGradients(g, node.unpack(0), node.unpack(1), a, b, node.needs(0), node.needs(1));
  },
};
const Bmm: Op = { name: 'BmmBackward0', backward: Mm.backward };

/** The gradients of both operands of a product; with a transposed operand, that of the operand as it is. */
function productGradients(
  g: Tensor,
  a: Tensor,
  b: Tensor,
  transA: boolean,
  transB: boolean,
  needsA: boolean,
  needsB: boolean,
): (Tensor | null)[] {
  return [
    needsA
      ? sum_to_size(transA ? product('mm', b, g, transB, true) : product('mm', g, b, false, !transB), a._dims)
      : null,
    needsB
      ? sum_to_size(transB ? product('mm', g, a, true, transA) : product('mm', a, g, !transA, false), b._dims)
      : null,
  ];
}

/** The recorded product of two operands of at least two dimensions, either of them transposed first. */
function product(name: string, a: Tensor, b: Tensor, transA = false, transB = false): Tensor {
  const out = multiply(name, a, b, transA, transB);
  if (recording(a, b)) {
    record(out._dims.length === 2 ? Mm : Bmm, out, [a, b], [a, b], { a: transA, b: transB } satisfies Transposed);
  }
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
    const [a, b] = [node.unpack(0), node.unpack(1)];
    const [ga, gb] = productGradients(scaled, a, b, false, false, node.needs(1), node.needs(2));
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
  const out = multiply('addmm', mat1, mat2, false, false, input, alpha, beta);
  if (recording(input, mat1, mat2)) record(Addmm, out, [input, mat1, mat2], [mat1, mat2], { alpha, beta });
  return out;
}

const Linear: Op = {
  name: 'AddmmBackward0',
  backward(g, node) {
    const input = node.unpack(0);
    const weight = node.unpack(1);
    const biased = node.needs(2);
    const flat = g._strides === null && input._strides === null && weight._strides === null;
    if (
      !mode.enabled &&
      flat &&
      g._numel > 0 &&
      input._numel > 0 &&
      (!biased || node.inDims[2][0] === weight._dims[0])
    ) {
      const gradInput = node.needs(0) ? allocate(input._dims, g._dtype) : null;
      const gradWeight = node.needs(1) ? allocate(weight._dims, g._dtype) : null;
      const gradBias = biased ? allocate(node.inDims[2], g._dtype) : null;
      callLinearBackward(g._numel / weight._dims[0], g, input, weight, gradInput, gradWeight, gradBias);
      return [gradInput, gradWeight, gradBias];
    }
    // Every dimension but the last is a batch: as one, each gradient is one product.
    const batched = input._dims.length !== 2;
    const grads = batched ? reshape(g, [-1, weight._dims[0]]) : g;
    const inputs = batched ? reshape(input, [-1, weight._dims[1]]) : input;
    const gradInput = node.needs(0) ? product('linear', grads, weight) : null;
    return [
      gradInput !== null && batched ? reshape(gradInput, input._dims) : gradInput,
      node.needs(1) ? product('linear', grads, inputs, true) : null,
      biased ? sum_to_size(grads, node.inDims[2]) : null,
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
  let out = multiply('linear', flat, weight, false, true, bias);
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
  const out = multiply('baddbmm', batch1, batch2, false, false, input, alpha, beta);
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
  return reshape(product('inner', rows(input), rows(other), false, true), [...a.slice(0, -1), ...b.slice(0, -1)]);
}

/** The sum of a matrix's diagonal. PyTorch: `torch.trace`. */
export function trace(input: Tensor): Tensor {
  checkDims('trace', 'input', input, 2);
  return diagonal(input).sum();
}
