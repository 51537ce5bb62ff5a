import type { Dims, Tensor } from '../tensor/tensor.js';
import type { DType } from '../tensor/dtype.js';

/** The ops the graph itself needs. They stand above it, so lib/ops/bind.ts hands them down at load. */
interface GraphOps {
  add(a: Tensor, b: Tensor): Tensor;
  add_(a: Tensor, b: Tensor): Tensor;
  clone(t: Tensor, options?: { memory_format?: 'preserve' | 'contiguous' }): Tensor;
  copy_(t: Tensor, source: Tensor): Tensor;
  zeros(dims: Dims, options?: { dtype?: DType }): Tensor;
  ones(dims: Dims, options?: { dtype?: DType }): Tensor;
  arange(end: number): Tensor;
  as_strided(t: Tensor, dims: Dims, strides: Dims, offset: number): Tensor;
  reshape(t: Tensor, dims: Dims): Tensor;
  index_add_(t: Tensor, dim: number, index: Tensor, source: Tensor): Tensor;
  sum_to_size(t: Tensor, dims: Dims): Tensor;
}

export let { add, add_, clone, copy_, zeros, ones, arange, as_strided, reshape, index_add_, sum_to_size } =
  {} as GraphOps;

/** Called once, when the ops are loaded. */
export function bindOps(ops: GraphOps): void {
  ({ add, add_, clone, copy_, zeros, ones, arange, as_strided, reshape, index_add_, sum_to_size } = ops);
}
