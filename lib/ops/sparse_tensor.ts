import { int64 } from '../tensor/dtype.js';
import { Block, Storage } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { add, mul } from './arithmetic.js';
import { clone } from './convert.js';
import { empty } from './creation.js';
import { neg } from './functions.js';
import { index_add } from './indexing.js';
import { cat } from './join.js';
import { unsqueeze } from './view.js';

// Gradients of which only some rows are stored. They are tensors, so that `.grad`, hooks and the graph take them, but have
// no memory of their own: an op that knows nothing of them asks for it, and so refuses them. Ordinary ops do not look.

const NO_MEMORY = new Block(new ArrayBuffer(0), 0, 0, 0);
const refuse = {
  get(): never {
    throw new TypeError(
      'sparse gradient: this operation is not implemented for sparse tensors; to_dense() gives a dense one',
    );
  },
};
Object.defineProperties(NO_MEMORY, { id: refuse, buffer: refuse });

/** A matrix of which some rows are stored, each possibly in several parts; the others are zero. @internal */
export class SparseTensor extends Tensor {
  constructor(
    /** The stored rows' numbers, int64: [nnz]. */
    public places: Tensor,
    /** The stored rows: [nnz, width]. */
    public rows: Tensor,
    size: number,
    /** Whether the numbers are in order, and none is there twice. */
    public coalesced = places._numel < 2,
  ) {
    const width = rows._dims[1];
    // Strides that are not null, so that no op takes the tensor for a contiguous one.
    super(new Storage(null, NO_MEMORY, 0, 0), 0, [size, width], [width, 1], size * width, rows._dtype);
    // For good: the engine, which gives back memory that nothing holds, sees only the tensor they are parts of.
    places._storage.holds++;
    rows._storage.holds++;
  }

  override get is_sparse(): boolean {
    return true;
  }

  /** The same rows with other values. */
  withRows(rows: Tensor): SparseTensor {
    return new SparseTensor(this.places, rows, this._dims[0], this.coalesced);
  }

  override toString(): string {
    const part = (name: string, t: Tensor): string => `${name}=${t.toString().replace(/\n/g, `\n${' '.repeat(14)}`)}`;
    return (
      `tensor(${part('indices', unsqueeze(this.places, 0))},\n       ${part('values', this.rows)},\n       ` +
      `size=(${this._dims.join(', ')}), nnz=${this.places._numel}, layout=torch.sparse_coo)`
    );
  }
}

Object.assign(SparseTensor.prototype, {
  clone(this: SparseTensor) {
    return new SparseTensor(clone(this.places), clone(this.rows), this._dims[0], this.coalesced);
  },
  detach(this: SparseTensor) {
    return this.withRows(this.rows);
  },
  mul(this: SparseTensor, other: Tensor | number) {
    if (other instanceof Tensor && other._dims.length > 0) return refuse.get();
    return this.withRows(mul(this.rows, other));
  },
  mul_(this: SparseTensor, other: Tensor | number) {
    ({ rows: this.rows } = this.mul(other) as SparseTensor);
    return this;
  },
  neg(this: SparseTensor) {
    return this.withRows(neg(this.rows));
  },
  zero_(this: SparseTensor) {
    this.places = empty([0], { dtype: int64 });
    this.rows = empty([0, this._dims[1]], { dtype: this._dtype });
    this.coalesced = true;
    return this;
  },
});

// What the graph does with gradients, either of which may be sparse.

/** The sum of two gradients. @internal */
export function addGradients(a: Tensor, b: Tensor): Tensor {
  if (a instanceof SparseTensor) {
    if (!(b instanceof SparseTensor)) return addGradients(b, a);
    return new SparseTensor(cat([a.places, b.places]), cat([a.rows, b.rows]), a._dims[0], false);
  }
  return b instanceof SparseTensor ? index_add(a, 0, b.places, b.rows) : add(a, b);
}

/** The same in the place of `a`, which is dense. @internal */
export function addGradient_(a: Tensor, b: Tensor): Tensor {
  return b instanceof SparseTensor ? index_add.inPlace(a, 0, b.places, b.rows) : add.inPlace(a, b);
}

/** A copy of a gradient. @internal */
export function cloneGradient(grad: Tensor, options?: Parameters<typeof clone>[1]): Tensor {
  return grad instanceof SparseTensor ? grad.clone() : clone(grad, options);
}
