import { DType, isFloating, isNumeric, operand, type NumberArray, type Operand, type StridedCall } from './call.js';
import { eachRow } from './loops.js';
import { sum } from './reduce.js';
import { roundBfloat16 } from './unary.js';

// 3 x 2 sums and their products, which the engine computes before it adds any, would fit the registers; but one more row, some
// of which the stack holds, takes a tenth less time a product (Zen 3), and STEPS of the sum at once a fifth less (Zen 5; with four
// nothing). Panels of DEPTH, a multiple of STEPS, keep the packs in the caches.
const ROWS = 4;
const COLUMNS = 2;
const STEPS = 2;
const DEPTH = 256;

/** A matrix in a block: where its rows and columns lie. */
interface Matrix {
  data: NumberArray;
  offset: number;
  row: number;
  column: number;
}

const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/**
 * Copies `depth` columns of `m` from `start` on into panels of `height` rows, column after column, zeros below the last row and
 * behind the last column up to a multiple of STEPS.
 */
function pack(m: Matrix, rows: number, start: number, depth: number, height: number, to: Float64Array): void {
  const { data, row, column } = m;
  const size = height * roundUp(depth, STEPS);
  for (let r0 = 0, base = 0; r0 < rows; r0 += height, base += size) {
    const end = base + size;
    for (let r = 0; r < height; r++) {
      let from = m.offset + (r0 + r) * row + start * column;
      let o = base + r;
      if (r0 + r < rows) for (let k = 0; k < depth; k++, from += column, o += height) to[o] = data[from];
      for (; o < end; o += height) to[o] = 0;
    }
  }
}

/**
 * Adds the product of a panel of `a` and one of `b` to sums[s + r * width + c]. Figures stand for ROWS, COLUMNS and STEPS, and
 * `| 0` says that an index does not overflow: the engine checks neither at each step then.
 */
function tile(
  depth: number,
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
  sums: Float64Array,
  s: number,
  width: number,
): void {
  // prettier-ignore
  let c00 = 0, c01 = 0, c10 = 0, c11 = 0, c20 = 0, c21 = 0, c30 = 0, c31 = 0;
  for (let k = 0; k < depth; k += 2, i = (i + 8) | 0, j = (j + 4) | 0) {
    let b0 = b[j];
    let b1 = b[(j + 1) | 0];
    let x = a[i];
    c00 += x * b0;
    c01 += x * b1;
    x = a[(i + 1) | 0];
    c10 += x * b0;
    c11 += x * b1;
    x = a[(i + 2) | 0];
    c20 += x * b0;
    c21 += x * b1;
    x = a[(i + 3) | 0];
    c30 += x * b0;
    c31 += x * b1;
    b0 = b[(j + 2) | 0];
    b1 = b[(j + 3) | 0];
    x = a[(i + 4) | 0];
    c00 += x * b0;
    c01 += x * b1;
    x = a[(i + 5) | 0];
    c10 += x * b0;
    c11 += x * b1;
    x = a[(i + 6) | 0];
    c20 += x * b0;
    c21 += x * b1;
    x = a[(i + 7) | 0];
    c30 += x * b0;
    c31 += x * b1;
  }
  sums[s] += c00;
  sums[s + 1] += c01;
  sums[(s += width)] += c10;
  sums[s + 1] += c11;
  sums[(s += width)] += c20;
  sums[s + 1] += c21;
  sums[(s += width)] += c30;
  sums[s + 1] += c31;
}

/** Buffers that stay: to allocate takes longer than a small product. */
const kept = Array.from({ length: 3 }, () => new Float64Array(1 << 14));
const buffer = (which: number, length: number) =>
  length <= kept[which].length ? kept[which] : new Float64Array(length);

/** Buffers of a product, for all of a batch. */
function createProduct(m: number, n: number, k: number) {
  const height = roundUp(m, ROWS);
  const width = roundUp(n, COLUMNS);
  const depth = roundUp(Math.min(k, DEPTH), STEPS);
  const packA = buffer(0, height * depth);
  const packB = buffer(1, width * depth);
  const sums = buffer(2, height * width);
  /** The sums of a times b, row by row, `width` apart; `b` is given as its transpose. */
  return {
    width,
    compute(a: Matrix, b: Matrix): Float64Array {
      sums.fill(0, 0, height * width);
      for (let start = 0; start < k; start += DEPTH) {
        const length = Math.min(DEPTH, k - start);
        const d = roundUp(length, STEPS);
        pack(a, m, start, length, ROWS, packA);
        pack(b, n, start, length, COLUMNS, packB);
        for (let j = 0; j < width; j += COLUMNS) {
          for (let i = 0; i < height; i += ROWS) tile(d, packA, i * d, packB, j * d, sums, i * width + j, width);
        }
      }
      return sums;
    },
  };
}

/** out = beta c + alpha sums. In a closure, by products of indices, it took ten times as long. */
function store(
  m: number,
  n: number,
  alpha: number,
  sums: Float64Array,
  width: number,
  beta: number,
  c: Matrix | null,
  out: Matrix,
): void {
  const result = out.data;
  const added = c?.data ?? null;
  const [on, cn] = [out.column, c?.column ?? 0];
  for (let i = 0; i < m; i++) {
    let o = out.offset + i * out.row;
    let p = c === null ? 0 : c.offset + i * c.row;
    for (let j = 0, s = i * width; j < n; j++, s++, o += on, p += cn)
      result[o] = (added === null ? 0 : beta * added[p]) + alpha * sums[s];
  }
}

/** The matrix of an operand at an offset, given which dimensions are its rows and columns. */
function matrixOf({ data, strides }: Operand, offset: number, row: number, column: number): Matrix {
  return { data: data as NumberArray, offset, row: strides[row], column: strides[column] };
}

function matmulFloating(call: StridedCall): void {
  const first = call.ndim - 3;
  const [m, n, k] = [call.shape[first], call.shape[first + 1], call.shape[first + 2]];
  const [alpha, beta] = call.scalars;
  const [a, b, c, out] = call.operands;
  const product = createProduct(m, n, k);
  eachRow(call, 3, (offsets) => {
    const sums = product.compute(
      matrixOf(a!, offsets[0], first, first + 2),
      matrixOf(b!, offsets[1], first + 1, first + 2),
    );
    const added = beta !== 0 && c ? matrixOf(c, offsets[2], first, first + 1) : null;
    store(m, n, alpha, sums, product.width, beta, added, matrixOf(out!, offsets[3], first, first + 1));
  });
}

/** Wrapping products of integers, in BigInts whatever their width. */
function matmulInteger(call: StridedCall): void {
  const k = call.shape[call.ndim - 1];
  const [a, b, c, out] = call.operands;
  const [alpha, beta] = call.scalars.map((x) => BigInt(Math.trunc(x)));
  const [sa, sb] = [a!.strides[call.ndim - 1], b!.strides[call.ndim - 1]];
  eachRow(call, 1, (offsets) => {
    let sum = 0n;
    for (let p = 0; p < k; p++) sum += BigInt(a!.data[offsets[0] + p * sa]) * BigInt(b!.data[offsets[1] + p * sb]);
    const x = alpha * sum + (beta !== 0n && c ? beta * BigInt(c.data[offsets[2]]) : 0n);
    out!.data[offsets[3]] = out!.dtype === DType.int64 ? x : Number(BigInt.asIntN(32, x));
  });
}

/** An operand with its call's dimensions in another order. */
function withDims(o: Operand, dims: readonly number[]): Operand {
  return { ...o, strides: dims.map((d) => o.strides[d]) };
}

function linearBackward({ shape: [m, n, k], operands }: StridedCall): void {
  const [grad, input, weight, gradInput, gradWeight, gradBias] = operands;
  const product = (dims: number[], [a, b, out]: readonly (Operand | null)[], order: readonly number[]) => {
    if (out === null) return;
    const inOrder = [a!, b!, null, out].map((o) => o && withDims(o, order));
    matmulFloating({ ndim: 3, shape: dims, scalars: [1, 0], operands: inOrder });
  };
  product([m, k, n], [grad, weight, gradInput], [0, 2, 1]);
  product([n, k, m], [grad, input, gradWeight], [1, 2, 0]);
  if (!gradBias) return;
  for (let j = 0; j < n; j++) {
    gradBias.data[gradBias.offset + j * gradBias.strides[1]] = sum(
      grad!.data as NumberArray,
      grad!.offset + j * grad!.strides[1],
      grad!.strides[0],
      m,
    );
  }
}

/** out = beta c + alpha a b. */
export const matmulKernels = {
  linear_backward: (call: StridedCall): void => {
    operand(call, 0, isFloating);
    linearBackward(call);
  },
  matmul: (call: StridedCall): void => {
    const { dtype } = operand(call, 0, isNumeric);
    if (dtype <= DType.float64) matmulFloating(call);
    else matmulInteger(call);
  },
  matmul_bfloat16: (call: StridedCall): void => {
    operand(call, 0, (dtype) => dtype === DType.float32);
    matmulFloating(call);
    const { data, offset, strides } = call.operands[3]!;
    const [m, n] = call.shape;
    for (let i = 0; i < m; i++) {
      for (let j = 0, at = offset + i * strides[0]; j < n; j++, at += strides[1])
        data[at] = roundBfloat16(Number(data[at]));
    }
  },
};
