import type { DType } from '../tensor/dtype.js';
import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { no_grad } from '../autograd/mode.js';
import { empty } from '../ops/creation.js';
import { select } from '../ops/slices.js';
import { defineOptions } from '../options.js';
import * as F from './functional/index.js';
import * as init from './init/index.js';
import { checkCount, type FactoryOptions } from './linear.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { float } from './repr.js';

const lookupDefaults = {
  padding_idx: null as number | null,
  max_norm: null as number | null,
  norm_type: 2,
  scale_grad_by_freq: false,
  sparse: false,
};
const optionsOf = {
  Embedding: defineOptions('nn.Embedding', {
    ...lookupDefaults,
    _weight: null as Tensor | null,
    _freeze: false,
    device: null as 'cpu' | null,
    dtype: null as DType | null,
  }),
  from_pretrained: defineOptions('nn.Embedding.from_pretrained', { freeze: true, ...lookupDefaults }),
};

/** How an {@link Embedding} looks up its rows. */
export interface EmbeddingLookupOptions {
  /** A row that gets no gradient, and is zero at first. Default none. */
  padding_idx?: number | null;
  /** Rows looked up whose norm is greater are first scaled down to it. Default none. */
  max_norm?: number | null;
  /** The p of that norm. Default 2. */
  norm_type?: number;
  /** Divide gradients by how often their row is in the input. Default false. */
  scale_grad_by_freq?: boolean;
  /** Whether the weight's gradient is sparse: only the looked-up rows are stored. Default false. */
  sparse?: boolean;
}

/**
 * A table of vectors looked up by their numbers: `weight`, [num_embeddings, embedding_dim], normally distributed at first.
 * Shape: integers [...] to [..., embedding_dim]. PyTorch: `torch.nn.Embedding`.
 */
export class Embedding extends Module {
  readonly num_embeddings: number;
  readonly embedding_dim: number;
  readonly padding_idx: number | null;
  readonly max_norm: number | null;
  readonly norm_type: number;
  readonly scale_grad_by_freq: boolean;
  readonly sparse: boolean;
  weight: Parameter;

  /** @throws RangeError if `padding_idx` is not a row. */
  constructor(
    num_embeddings: number,
    embedding_dim: number,
    options?: EmbeddingLookupOptions & { _weight?: Tensor | null; _freeze?: boolean } & FactoryOptions,
  ) {
    super();
    checkCount('Embedding', 'num_embeddings', num_embeddings);
    checkCount('Embedding', 'embedding_dim', embedding_dim);
    const { padding_idx, _weight, _freeze, device, dtype, ...lookup } = optionsOf.Embedding(options);
    if (padding_idx !== null) {
      const isRow = Number.isInteger(padding_idx) && padding_idx >= -num_embeddings && padding_idx < num_embeddings;
      if (!isRow) {
        throw new RangeError(
          `Embedding: padding_idx: expected a row of ${num_embeddings} embeddings, got ${describe(padding_idx)}`,
        );
      }
    }
    this.num_embeddings = num_embeddings;
    this.embedding_dim = embedding_dim;
    this.padding_idx = padding_idx !== null && padding_idx < 0 ? padding_idx + num_embeddings : padding_idx;
    this.max_norm = lookup.max_norm;
    this.norm_type = lookup.norm_type;
    this.scale_grad_by_freq = lookup.scale_grad_by_freq;
    this.sparse = lookup.sparse;
    if (_weight === null) {
      this.weight = new Parameter(empty([num_embeddings, embedding_dim], { device, dtype }), !_freeze);
      this.reset_parameters();
    } else {
      checkTensor('Embedding', '_weight', _weight);
      if (_weight.ndim !== 2 || _weight.size(0) !== num_embeddings || _weight.size(1) !== embedding_dim) {
        throw new RangeError(
          `Embedding: _weight: expected shape [${num_embeddings}, ${embedding_dim}], got ${describe(_weight)}`,
        );
      }
      this.weight = new Parameter(_weight, !_freeze);
    }
  }

  /**
   * An Embedding of given vectors, [num_embeddings, embedding_dim], whose memory it shares.
   * PyTorch: `torch.nn.Embedding.from_pretrained`.
   * @param options.freeze Whether the vectors are kept from learning. Default true.
   */
  static from_pretrained(embeddings: Tensor, options?: EmbeddingLookupOptions & { freeze?: boolean }): Embedding {
    checkTensor('from_pretrained', 'embeddings', embeddings);
    if (embeddings.ndim !== 2)
      throw new RangeError(`from_pretrained: embeddings: expected 2 dimensions, got ${describe(embeddings)}`);
    const { freeze, ...lookup } = optionsOf.from_pretrained(options);
    return new Embedding(embeddings.size(0), embeddings.size(1), { ...lookup, _weight: embeddings, _freeze: freeze });
  }

  /** Draws the vectors anew: normally distributed, that of `padding_idx` zero. */
  reset_parameters(): void {
    init.normal_(this.weight);
    const { padding_idx } = this;
    if (padding_idx !== null) no_grad(() => select(this.weight, 0, padding_idx).zero_());
  }

  override forward(input: Tensor): Tensor {
    const { padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse } = this;
    return F.embedding(input, this.weight, { padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse });
  }

  override extra_repr(): string {
    const { padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse } = this;
    return [
      `${this.num_embeddings}, ${this.embedding_dim}`,
      padding_idx === null ? [] : `padding_idx=${padding_idx}`,
      max_norm === null ? [] : `max_norm=${float(max_norm)}`,
      norm_type === 2 ? [] : `norm_type=${float(norm_type)}`,
      scale_grad_by_freq ? 'scale_grad_by_freq=True' : [],
      sparse ? 'sparse=True' : [],
    ]
      .flat()
      .join(', ');
  }
}
