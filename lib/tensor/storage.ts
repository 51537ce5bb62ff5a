import type { TypedArray } from './dtype.js';

/** A span of memory that kernels can reach: an ArrayBuffer, and its number on the native side. */
export class Block {
  /** Whether a live view was handed to the user: such a block is never reused, and may be detached. */
  exposed = false;
  /** The lease that goes out with the block the next time; absent while the block is in use, or if the last lease died. */
  idle: Lease | null = null;
  private f32_: Float32Array | null = null;
  private f64_: Float64Array | null = null;
  private i64_: BigInt64Array | null = null;
  private i32_: Int32Array | null = null;
  private u8_: Uint8Array | null = null;

  constructor(
    /** The memory, or how to get it: kernels run faster on a block while TypeScript has never asked for it. */
    private memory: ArrayBuffer | (() => ArrayBuffer),
    /** The block's number in the calling frame; 0 on the reference backend. */
    readonly id: number,
    /** Where the first aligned byte lies. */
    readonly start: number,
    /** Usable bytes from `start`. */
    readonly size: number,
  ) {}

  get buffer(): ArrayBuffer {
    if (typeof this.memory === 'function') this.memory = this.memory();
    return this.memory;
  }
  get f32(): Float32Array {
    return (this.f32_ ??= new Float32Array(this.buffer, 0, this.buffer.byteLength >> 2));
  }
  get f64(): Float64Array {
    return (this.f64_ ??= new Float64Array(this.buffer, 0, this.buffer.byteLength >> 3));
  }
  get i64(): BigInt64Array {
    return (this.i64_ ??= new BigInt64Array(this.buffer, 0, this.buffer.byteLength >> 3));
  }
  get i32(): Int32Array {
    return (this.i32_ ??= new Int32Array(this.buffer, 0, this.buffer.byteLength >> 2));
  }
  get u8(): Uint8Array {
    return (this.u8_ ??= new Uint8Array(this.buffer));
  }

  /** The whole buffer as elements of the dtype with this code. */
  view(code: number): TypedArray {
    switch (code) {
      case 0:
        return this.f32;
      case 1:
        return this.f64;
      case 2:
        return this.i64;
      case 3:
        return this.i32;
      default:
        return this.u8;
    }
  }
}

/** Held by every storage in a block; once it is garbage, the block is free. The pool tracks it by a weak reference. */
export class Lease {
  constructor(readonly block: Block) {}
}

let storages = 0;

/** The memory behind a tensor and its views. */
export class Storage {
  /** Counts in-place changes: saved tensors compare it. */
  version = 0;
  /** How many gradient buffers of a running backward hold this storage; see autograd/engine.ts. */
  holds = 0;
  /** Storages made later have a greater serial. */
  readonly serial = ++storages;

  constructor(
    /** Null after an early release. */
    public lease: Lease | null,
    public block: Block,
    readonly byteOffset: number,
    readonly nbytes: number,
  ) {}

  /** A storage over the same memory that counts its own changes, as PyTorch's `.data` does. */
  alias(): Storage {
    return new Storage(this.lease, this.block, this.byteOffset, this.nbytes);
  }
}

/** The serial of the newest storage. */
export function newestStorage(): number {
  return storages;
}
