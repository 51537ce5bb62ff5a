import { no_grad } from '../../autograd/mode.js';
import { leafOf, record, recording, type Op } from '../../autograd/node.js';
import { defineOptions } from '../../options.js';
import { ones, zeros } from '../../ops/creation.js';
import { index_add, index_select } from '../../ops/indexing.js';
import { checkIndex } from '../../ops/indices.js';
import { SparseTensor } from '../../ops/sparse_tensor.js';
import { reshape, unsqueeze } from '../../ops/view.js';
import { checkTensor, describe, type Tensor } from '../../tensor/tensor.js';
import { checkNumber } from './common.js';

export { one_hot } from '../../ops/one_hot.js';

// Rows of a table by their indices.

interface EmbeddingAttrs {
  sparse: boolean;
  padding_idx: number | null;
  scale_grad_by_freq: boolean;
}

const Embedding: Op = {
  name: 'EmbeddingBackward0',
  backward(grad, node) {
    const { padding_idx, scale_grad_by_freq, sparse } = node.attrs as EmbeddingAttrs;
    const places = node.unpack(0);
    const [size, width] = node.inDims[0];
    const { dtype } = grad;
    let rows = reshape(grad, [places._numel, width]);
    // Dense where other ops follow, which could not take it.
    if (sparse && leafOf(node.next[0]!) !== null && !recording(grad)) {
      if (padding_idx === null) return new SparseTensor(places.clone(), rows.clone(), size);
      const kept = places.ne(padding_idx).nonzero().reshape([-1]);
      return new SparseTensor(index_select(places, 0, kept), index_select(rows, 0, kept), size);
    }
    if (padding_idx !== null) rows = rows.mul(unsqueeze(places.ne(padding_idx), 1));
    if (scale_grad_by_freq) {
      const counts = index_add.inPlace(zeros(size, { dtype }), 0, places, ones(places.numel(), { dtype }));
      rows = rows.div(unsqueeze(index_select(counts, 0, places), 1));
    }
    return index_add.inPlace(zeros(size, width, { dtype }), 0, places, rows);
  },
};

/** Scales the rows of `weight` that are looked up and whose norm is greater than `max_norm` down to it. */
function renormalize(weight: Tensor, places: Tensor, max_norm: number, norm_type: number): void {
  no_grad(() => {
    const rows = index_select(weight, 0, places);
    const norms = rows.norm(norm_type, 1, { keepdim: true });
    const scale = norms.add(1e-7).reciprocal().mul(max_norm).where(norms.gt(max_norm), 1);
    weight.index_copy_(0, places, rows.mul(scale));
  });
}

const embeddingOptions = defineOptions('nn.functional.embedding', {
  padding_idx: null as number | null,
  max_norm: null as number | null,
  norm_type: 2,
  scale_grad_by_freq: false,
  sparse: false,
});

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** A row that gets no gradient; negative counts from the end. Default null. */
  padding_idx?: number | null;
  /** Rows that are looked up and whose norm is greater are first scaled down to it, in `weight` itself. Default null. */
  max_norm?: number | null;
  /** The p of that norm. Default 2. */
  norm_type?: number;
  /** Divide the gradient of a row by how often it was looked up. Default false. */
  scale_grad_by_freq?: boolean;
  /** Whether the gradient of a leaf is sparse: only its looked-up rows are stored. Default false. */
  sparse?: boolean;
}

/**
 * The rows of `weight` at the indices `input`. PyTorch: `torch.nn.functional.embedding`.
 * @param input Indices of dtype int64 or int32, of any shape.
 * @param weight [num_embeddings, embedding_dim]
 * @returns [...input's sizes, embedding_dim]
 * @throws RangeError for an index out of range.
 */
export function embedding(input: Tensor, weight: Tensor, options?: EmbeddingOptions): Tensor {
  const { padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse } = embeddingOptions(options);
  checkTensor('embedding', 'weight', weight);
  if (weight._dims.length !== 2) {
    throw new RangeError(`embedding: weight: expected a 2-dimensional tensor, got ${describe(weight)}`);
  }
  const places = reshape(checkIndex('embedding', input, 'input'), [-1]);
  const [size, width] = weight._dims;
  if (padding_idx !== null && !(Number.isInteger(padding_idx) && padding_idx >= -size && padding_idx < size)) {
    throw new RangeError(
      `embedding: padding_idx: expected null or an integer in [${-size}, ${size - 1}], got ${describe(padding_idx)}`,
    );
  }
  if (sparse && scale_grad_by_freq)
    throw new RangeError('embedding: scale_grad_by_freq: not supported with sparse gradients');
  if (max_norm !== null) {
    checkNumber('embedding', 'max_norm', max_norm);
    renormalize(weight, places, max_norm, norm_type);
  }
  const out = reshape(
    no_grad(() => index_select(weight, 0, places)),
    [...input._dims, width],
  );
  if (recording(weight)) {
    const padding = padding_idx !== null && padding_idx < 0 ? padding_idx + size : padding_idx;
    const attrs: EmbeddingAttrs = { padding_idx: padding, scale_grad_by_freq, sparse };
    record(Embedding, out, [weight], [places], attrs);
  }
  return out;
}
