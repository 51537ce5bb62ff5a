import { callStrided } from '../backend/frame.js';
import { pool } from '../backend/index.js';
import type { KernelId } from '../backend/kernels.js';
import { Mt19937, STATE_LENGTH, WORDS } from '../backend/mt19937.js';
import { int32 } from './dtype.js';
import type { Storage } from './storage.js';
import { Tensor } from './tensor.js';

const STATE_BYTES = 5056;
const DEFAULT_SEED = 67280421310721n;

// Where things stand in the bytes of a state, which are those of `torch.get_rng_state()`.
const SEED = 0;
const LEFT = 8;
const SEEDED = 12;
const NEXT = 16;
const FIRST_WORD = 24;
const NORMAL = FIRST_WORD + 8 * WORDS + 8;
const NORMAL_VALID = NORMAL + 16;

/** How many words are used up where none has been made yet. */
const FRESH = WORDS + 1;

const DRAW_STRIDES = [
  [1, 0],
  [0, 1],
];

/**
 * A source of random numbers: `torch.Generator` on the CPU, which is mt19937. From the same seed it draws PyTorch's
 * numbers, and its state is PyTorch's state.
 */
export class Generator extends Mt19937 {
  /** @internal The second value of a normal pair whose first was drawn alone. */
  nextNormal: number | null = null;

  private readonly storage: Storage;
  private tensor: Tensor | null = null;
  private seedValue = 0n;

  constructor() {
    // Long enough to have a block of its own: kernels' calls take longer on one that TypeScript has seen.
    const storage = pool.allocate(2 * STATE_LENGTH * int32.itemsize);
    const first = storage.byteOffset / int32.itemsize;
    super((storage.block.view(int32.code) as Int32Array).subarray(first, first + STATE_LENGTH));
    this.storage = storage;
    this.manual_seed(DEFAULT_SEED);
  }

  /**
   * Draws a contiguous tensor's numbers by a kernel. TypeScript need not see the memory: later calls of kernels are the faster for it.
   * @internal
   */
  draw(kernel: KernelId, out: Tensor, scalars: readonly number[]): void {
    callStrided(kernel, [out._numel, STATE_LENGTH], [out, this.memory], DRAW_STRIDES, scalars, out._dtype.code);
  }

  /**
   * The state, for kernels. Made when it is asked for: were there a tensor before its class has its methods, V8 would take ten
   * times as long to add them.
   */
  private get memory(): Tensor {
    const { storage } = this;
    const first = storage.byteOffset / int32.itemsize;
    return (this.tensor ??= new Tensor(storage, first, [STATE_LENGTH], null, STATE_LENGTH, int32));
  }

  /**
   * Starts the stream of `seed`, an integer in [-2^63, 2^64); a negative one stands for its two's complement.
   * @throws TypeError if `seed` is not an integer, RangeError if it is out of range or a number beyond 2^53 (use a BigInt).
   */
  manual_seed(seed: number | bigint): this {
    this.seedValue = checkSeed(seed);
    const { state } = this;
    state[0] = Number(this.seedValue & 0xffffffffn);
    for (let j = 1; j < WORDS; j++) {
      const previous = state[j - 1] ^ (state[j - 1] >>> 30);
      state[j] = Math.imul(1812433253, previous) + j;
    }
    state[WORDS] = FRESH;
    this.nextNormal = null;
    return this;
  }

  /** Seeds with a random number of 53 bits (what a number holds), another in each process and worker, and returns it. */
  seed(): number {
    // The engine seeds its own generator from the operating system; to ask that here would take a tenth of the import's time.
    const seed = Math.floor(Math.random() * 2 ** 53);
    this.manual_seed(seed);
    return seed;
  }

  /** The seed in use, in [0, 2^64): a number, or a BigInt if a number cannot hold it. */
  initial_seed(): number | bigint {
    return this.seedValue <= Number.MAX_SAFE_INTEGER ? Number(this.seedValue) : this.seedValue;
  }

  /** The state, byte for byte that of `torch.Generator.get_state()`. */
  get_state(): Uint8Array {
    const bytes = new Uint8Array(STATE_BYTES);
    const view = new DataView(bytes.buffer);
    const used = this.state[WORDS];
    const next = used === FRESH ? 0 : used;
    view.setBigUint64(SEED, this.seedValue, true);
    view.setInt32(LEFT, used === FRESH ? 1 : WORDS + 1 - next, true);
    view.setInt32(SEEDED, 1, true);
    view.setUint32(NEXT, next, true);
    for (let j = 0; j < WORDS; j++) view.setInt32(FIRST_WORD + 8 * j, this.state[j], true);
    if (this.nextNormal !== null) {
      view.setFloat64(NORMAL, this.nextNormal, true);
      view.setInt32(NORMAL_VALID, 1, true);
    }
    return bytes;
  }

  /**
   * Continues from a state that `get_state` returned, here or in PyTorch.
   * @throws TypeError or RangeError if the bytes are not a state; the generator is then unchanged.
   */
  set_state(bytes: Uint8Array): this {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('set_state: expected a Uint8Array');
    if (bytes.length !== STATE_BYTES) {
      throw new RangeError(`set_state: expected ${STATE_BYTES} bytes, got ${bytes.length}`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, STATE_BYTES);
    const left = view.getInt32(LEFT, true);
    const next = view.getUint32(NEXT, true);
    const fresh = left === 1 && next === 0;
    if (view.getInt32(SEEDED, true) === 0 || !(fresh || (left >= 1 && left <= WORDS && left + next === WORDS + 1))) {
      throw new RangeError('set_state: the bytes are not an mt19937 state');
    }
    this.seedValue = view.getBigUint64(SEED, true);
    for (let j = 0; j < WORDS; j++) this.state[j] = view.getInt32(FIRST_WORD + 8 * j, true);
    this.state[WORDS] = fresh ? FRESH : next;
    this.nextNormal = view.getInt32(NORMAL_VALID, true) === 0 ? null : view.getFloat64(NORMAL, true);
    return this;
  }

  /** A new generator in the state of this one. */
  clone_state(): Generator {
    return new Generator().set_state(this.get_state());
  }
}

/** The generator behind every random function that is given none: `torch.default_generator`. */
export const default_generator = new Generator();
default_generator.seed();

function checkSeed(seed: number | bigint): bigint {
  if (typeof seed === 'number') {
    if (!Number.isInteger(seed)) throw new TypeError(`manual_seed: expected an integer seed, got ${seed}`);
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`manual_seed: ${seed} is beyond the integers a number holds exactly; give a BigInt`);
    }
  } else if (typeof seed !== 'bigint') {
    throw new TypeError(
      `manual_seed: expected a number or a BigInt as seed, got ${seed === null ? 'null' : typeof seed}`,
    );
  }
  const value = BigInt(seed);
  if (value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new RangeError(`manual_seed: expected a seed in [-2^63, 2^64), got ${value}`);
  }
  return BigInt.asUintN(64, value);
}
