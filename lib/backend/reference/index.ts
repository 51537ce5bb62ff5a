import {
  DType,
  KernelError,
  type ListCall,
  type ListKernel,
  type ListRow,
  type Operand,
  type StridedCall,
  type StridedKernel,
  type TypedArray,
} from './call.js';
import { binaryKernels } from './binary.js';
import { fromNumber } from './convert.js';
import { copyKernels } from './copy.js';
import { indexingKernels } from './indexing.js';
import { layerNormKernels } from './layer_norm.js';
import { listKernels } from './list.js';
import { matmulKernels } from './matmul.js';
import { optimizerKernels } from './optim.js';
import { extraOptimizerKernels } from './optim_extra.js';
import { randomKernels } from './random.js';
import { reduceKernels } from './reduce.js';
import { rowKernels } from './rows.js';
import { readContract, type Signature } from './signature.js';
import { unaryKernels } from './unary.js';
import type { KernelName } from '../kernels.js';
import { Status } from '../status.js';

/** A whole block's memory, seen as each type. */
export interface BlockViews {
  f32: Float32Array;
  f64: Float64Array;
  i64: BigInt64Array;
  i32: Int32Array;
  u8: Uint8Array;
}

type ListName = keyof (typeof listKernels & typeof optimizerKernels & typeof extraOptimizerKernels);

// A kernel of the contract that is missing here is a compile error.
const strided: Record<Exclude<KernelName, ListName>, StridedKernel> = {
  ...unaryKernels,
  ...binaryKernels,
  ...copyKernels,
  ...reduceKernels,
  ...rowKernels,
  ...layerNormKernels,
  ...indexingKernels,
  ...matmulKernels,
  ...randomKernels,
};
const list: Record<ListName, ListKernel> = { ...listKernels, ...optimizerKernels, ...extraOptimizerKernels };

const FRAME_LENGTH = 16384;
const MAX_DIMS = 64;
const IMMEDIATE = -1;
const ABSENT = 0;

const views = ['f32', 'f64', 'i64', 'i32', 'u8', 'u8'] as const;
const arrays = [Float32Array, Float64Array, BigInt64Array, Int32Array, Uint8Array, Uint8Array] as const;

/** Whether `x` is an integer in [low, high]. */
const isIn = (x: number, low: number, high: number) => Number.isInteger(x) && x >= low && x <= high;

function require(condition: boolean): void {
  if (!condition) throw new KernelError(Status.bad_frame);
}

/**
 * The reference backend: a frame, and what runs the call that stands in it.
 * @param block The memory of the block of a number, or undefined if there is none.
 */
export function createReference(block: (id: number) => BlockViews | undefined): {
  frame: Float64Array;
  run(): boolean | undefined;
} {
  const frame = new Float64Array(FRAME_LENGTH);
  const signatures = readContract();

  /** The view of a block in which elements [low, high] from byte `offset` on lie. */
  function resolve(id: number, offset: number, dtype: number, low: number, high: number, position: number): TypedArray {
    const data = block(id)?.[views[dtype]];
    if (!data || data.byteLength === 0) throw new KernelError(Status.dead_block, position);
    const first = offset / data.BYTES_PER_ELEMENT;
    if (!Number.isInteger(first) || first + low < 0 || first + high >= data.length || first > data.length) {
      throw new KernelError(Status.out_of_bounds, position);
    }
    return data;
  }

  function readOperand(p: number, shape: number[], signature: Signature, position: number): Operand | null {
    const rule = signature.operands[position];
    const [id, offset, dtype] = [frame[p], frame[p + 1], frame[p + 2]];
    require(isIn(dtype, DType.float32, DType.bool));
    if (id === IMMEDIATE) {
      require(!rule.output);
      const data = new arrays[dtype](1);
      data[0] = fromNumber(dtype)(offset);
      return { data, offset: 0, strides: shape.map(() => 0), dtype };
    }
    if (id === ABSENT && rule.optional) return null;
    const strides: number[] = [];
    let [low, high] = [0, 0]; // the elements it reaches, its first being 0
    for (let d = 0; d < shape.length; d++) {
      const stride = frame[p + 3 + d];
      require(Number.isSafeInteger(stride));
      strides.push(stride);
      if (stride === 0) continue;
      // It has no element if a dimension of its own has size 0.
      if (shape[d] === 0) high = -Infinity;
      else if (stride < 0) low += (shape[d] - 1) * stride;
      else high += (shape[d] - 1) * stride;
    }
    if (high < low) return { data: new arrays[dtype](0), offset: 0, strides, dtype };
    const data = resolve(id, offset, dtype, low, high, position);
    return { data, offset: offset / data.BYTES_PER_ELEMENT, strides, dtype };
  }

  /** `n` numbers of the frame. Not by `Array.from`, which took a fifth of the time of small calls. */
  function take(first: number, n: number): number[] {
    const taken: number[] = [];
    for (let i = 0; i < n; i++) taken.push(frame[first + i]);
    return taken;
  }

  function readStrided(signature: Signature): StridedCall {
    const ndim = frame[1];
    require(isIn(ndim, signature.minDims, MAX_DIMS));
    let p = 2 + signature.scalars + ndim;
    const scalars = take(2, signature.scalars);
    const shape = take(2 + signature.scalars, ndim);
    require(shape.every((size) => isIn(size, 0, Number.MAX_SAFE_INTEGER)));
    if (signature.reduced >= 0) require(isIn(scalars[signature.reduced], 0, ndim));
    let common: number | null = null;
    const operands = signature.operands.map((rule, position) => {
      const operand = readOperand(p, shape, signature, position);
      p += 3 + ndim;
      if (operand && rule.dtype !== undefined) {
        if (rule.dtype === null) common ??= operand.dtype;
        if (operand.dtype !== (rule.dtype ?? common))
          throw new KernelError(Status.unsupported_dtype, position, operand.dtype);
      }
      return operand;
    });
    return { ndim, shape, scalars, operands };
  }

  function readList(signature: Signature): ListCall {
    const [, count, dtype] = frame;
    const length = 1 + signature.scalars + 2 * signature.operands.length;
    require(isIn(count, 0, (FRAME_LENGTH - 3) / length) && isIn(dtype, DType.float32, DType.bool));
    const rows: ListRow[] = [];
    for (let r = 0; r < count; r++) {
      let p = 3 + r * length;
      const n = frame[p++];
      require(isIn(n, 0, Number.MAX_SAFE_INTEGER));
      const scalars = take(p, signature.scalars);
      p += signature.scalars;
      const operands = signature.operands.map((rule, position) => {
        const [id, offset] = [frame[p], frame[p + 1]];
        p += 2;
        if (id === ABSENT && rule.optional) return null;
        const data = resolve(id, offset, dtype, 0, (rule.single ? 1 : n) - 1, position);
        return { data, offset: offset / data.BYTES_PER_ELEMENT };
      });
      rows.push({ n, scalars, operands });
    }
    return { rows, dtype };
  }

  function runCall(): void {
    const signature = signatures[frame[0]];
    if (!signature) throw new KernelError(Status.unknown_kernel, frame[0]);
    if (signature.list) return list[signature.name as ListName](readList(signature));
    const call = readStrided(signature);
    if (call.shape.includes(0) && !signature.runsWhenEmpty) return;
    strided[signature.name as keyof typeof strided](call);
  }

  return {
    frame,
    /** Runs the call that stands in the frame. True: it failed, and the frame holds a status and its details. */
    run(): boolean | undefined {
      try {
        runCall();
        return undefined;
      } catch (error) {
        const { status, detail0, detail1 } = error instanceof KernelError ? error : outOfMemory(error);
        frame[0] = status;
        frame[1] = detail0;
        frame[2] = detail1;
        return true;
      }
    },
  };
}

/** Workspace is the only thing a kernel allocates, and a RangeError what JavaScript throws when it cannot. */
function outOfMemory(error: unknown): KernelError {
  if (error instanceof RangeError) return new KernelError(Status.out_of_memory);
  throw error;
}
