import type { BlockTracker } from '../tensor/pool.js';
import type { Block } from '../tensor/storage.js';

/** What runs kernels: the addon, or the reference in TypeScript. Both read the call from one frame (native/kernels.def). */
export interface Backend {
  readonly name: 'native' | 'reference';
  /** The instruction set whose kernels run; `none` on the reference backend. */
  readonly isa: string;
  /** The instruction sets this machine and binary offer, best first. */
  readonly isas: readonly string[];
  /** The file the addon was loaded from. */
  readonly file: string | null;
  /** Why this backend was chosen. */
  readonly reason: string;
  /** Where a call's kernel, shape, operands and scalars are written. */
  readonly frame: Float64Array;
  /** Runs the call in the frame. True: it failed, and the frame holds a status and its details. */
  readonly run: () => boolean | undefined;
  /** Lends a block to the next call and returns the number the frame names it by; null where `block.id` is that number. */
  readonly lend: ((block: Block) => number) | null;
  /** Sees when blocks die; null where the engine frees memory by itself. */
  readonly tracker: BlockTracker | null;
  getThreads(): number;
  setThreads(n: number): void;
}
