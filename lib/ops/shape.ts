import { get_default_dtype, promote_types, type DType, Category, int64, bool } from '../tensor/dtype.js';
import { describe, Tensor, type Dims, type Scalar } from '../tensor/tensor.js';

/**
 * The shape two shapes broadcast to.
 * @throws RangeError if they do not.
 */
export function broadcastDims(name: string, a: Dims, b: Dims): Dims {
  if (a === b) return a;
  const n = Math.max(a.length, b.length);
  let isA = a.length === n;
  let isB = b.length === n;
  const dims = new Array<number>(n);
  for (let i = 1; i <= n; i++) {
    const x = i > a.length ? 1 : a[a.length - i];
    const y = i > b.length ? 1 : b[b.length - i];
    if (x !== y && x !== 1 && y !== 1) {
      throw new RangeError(
        `${name}: the size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${n - i}: ` +
          `shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`,
      );
    }
    const d = x === 1 ? y : x;
    dims[n - i] = d;
    if (d !== x) isA = false;
    if (d !== y) isB = false;
  }
  return isA ? a : isB ? b : dims;
}

/** Whether two shapes are equal. */
export function sameDims(a: Dims, b: Dims): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How many elements a shape has. */
export function numelOf(dims: Dims): number {
  let n = 1;
  for (let i = 0; i < dims.length; i++) n *= dims[i];
  return n;
}

/**
 * Sizes given one by one or as one array.
 * @param inferred Whether -1 may stand for one size.
 * @throws TypeError or RangeError if they are not sizes.
 */
export function readSizes(name: string, given: readonly (number | Dims)[], inferred = false): number[] {
  const sizes = given.length === 1 && Array.isArray(given[0]) ? (given[0] as number[]) : (given as number[]);
  for (const size of sizes) {
    if (!Number.isSafeInteger(size)) throw new TypeError(`${name}: size: expected integers, got ${describe(sizes)}`);
    if (size < 0 && !(inferred && size === -1)) {
      throw new RangeError(`${name}: size: expected non-negative sizes, got ${describe(sizes)}`);
    }
  }
  return sizes.slice();
}

/** The kind of number a JS value is beside a tensor: whole numbers count as integers. */
function categoryOf(value: Scalar): Category {
  if (typeof value === 'boolean') return Category.bool;
  return typeof value === 'bigint' || Number.isInteger(value) ? Category.integer : Category.float;
}

/** The dtype that `t` is promoted to beside a JS scalar: PyTorch's rule, a scalar counts by its kind alone. */
export function scalarPromotion(t: DType, value: Scalar): DType {
  const category = categoryOf(value);
  if (t.category >= category) return t;
  return category === Category.float ? get_default_dtype() : int64;
}

/**
 * The dtype of an op on both. PyTorch: `torch.result_type`. A tensor without dimensions beside one with counts by its
 * kind alone; so does a JS number, of which whole ones count as integers.
 */
export function result_type(a: Tensor | Scalar, b: Tensor | Scalar): DType {
  if (!(a instanceof Tensor))
    return b instanceof Tensor ? scalarPromotion(b._dtype, a) : scalarPromotion(scalarPromotion(bool, a), b);
  if (!(b instanceof Tensor)) return scalarPromotion(a._dtype, b);
  const x = a._dtype;
  const y = b._dtype;
  if (x === y) return x;
  if ((a._dims.length === 0) === (b._dims.length === 0)) return promote_types(x, y);
  const [dimmed, single] = a._dims.length > 0 ? [x, y] : [y, x];
  return dimmed.category >= single.category ? dimmed : single;
}

/** {@link result_type} of any number of operands: those with dimensions, those without, and numbers are promoted apart. @internal */
export function common_dtype(operands: readonly (Tensor | Scalar)[]): DType {
  const ranks: (DType | null)[] = [null, null, null];
  for (const operand of operands) {
    const isTensor = operand instanceof Tensor;
    const rank = !isTensor ? 2 : operand._dims.length === 0 ? 1 : 0;
    const dtype = isTensor ? operand._dtype : scalarPromotion(bool, operand);
    ranks[rank] = ranks[rank] === null ? dtype : promote_types(ranks[rank], dtype);
  }
  return ranks.reduce((higher, lower) =>
    higher === null || (lower !== null && lower.category > higher.category) ? lower : higher,
  )!;
}

/** The floating-point dtype in which a function of real numbers is computed: integers become the default one. */
export function floatingPoint(dtype: DType): DType {
  return dtype.is_floating_point ? dtype : get_default_dtype();
}
