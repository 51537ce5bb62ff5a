import './ops/bind.js';
import './ops/methods.js';

export { Tensor } from './tensor/tensor.js';
export {
  DType,
  float32,
  float64,
  int64,
  int32,
  uint8,
  bool,
  float,
  double,
  long,
  int,
  get_default_dtype,
  set_default_dtype,
  promote_types,
  can_cast,
  type TypedArray,
} from './tensor/dtype.js';
export { set_printoptions, get_printoptions, type PrintOptions } from './tensor/format.js';
export {
  empty,
  zeros,
  ones,
  full,
  empty_like,
  zeros_like,
  ones_like,
  full_like,
  arange,
  linspace,
  eye,
  tensor,
  as_tensor,
  is_tensor,
  numel,
  type NestedArray,
  type SizesAndOptions,
  type TensorOptions,
} from './ops/creation.js';
export { clone, detach } from './ops/convert.js';
export * from './ops/pointwise.js';
export { narrow, select, as_strided, diagonal } from './ops/slices.js';
export {
  reshape,
  permute,
  transpose,
  t,
  squeeze,
  unsqueeze,
  broadcast_to,
  flatten,
  unflatten,
  movedim,
  moveaxis,
  swapaxes,
  swapdims,
  ravel,
} from './ops/view.js';
export { where } from './ops/where.js';
export * from './ops/reduce.js';
export * from './ops/scan.js';
export * from './ops/statistics.js';
export * from './ops/extrema.js';
export { result_type } from './ops/shape.js';
export { hardshrink, prelu, selu, threshold } from './ops/activation.js';
export {
  mm,
  addmm,
  bmm,
  matmul,
  mv,
  dot,
  outer,
  addmv,
  baddbmm,
  vdot,
  inner,
  trace,
  type ScaleOptions,
} from './ops/linalg.js';
export * from './ops/join.js';
export * from './ops/indexing.js';
export * from './ops/masking.js';
export { slice, Slice } from './tensor/slice.js';
export { index_put, type Index } from './ops/advanced.js';
export { tril, triu, diag, flip, fliplr, flipud, roll, tile, repeat_interleave } from './ops/rearrange.js';
export * from './ops/sorting.js';
export * from './ops/split.js';
export * from './ops/einsum.js';
export * from './ops/random.js';
export { bernoulli, multinomial } from './ops/sampling.js';
export { no_grad, enable_grad, set_grad_enabled, is_grad_enabled } from './autograd/mode.js';
export * as autograd from './autograd/index.js';
export { backends, set_num_threads, get_num_threads, __version__, type BackendInfo } from './backends.js';
export * as nn from './nn/index.js';
export { deepCopy } from './nn/deep_copy.js';
export * as optim from './optim/index.js';
export * as utils from './utils/index.js';
export * as profiler from './profiler.js';
export { save, load, save_file, load_file, type Saveable } from './serialization/index.js';
