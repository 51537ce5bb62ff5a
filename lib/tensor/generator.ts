const N = 624;
const M = 397;
const STATE_BYTES = 5056;
const DEFAULT_SEED = 67280421310721n;

// Where things stand in the bytes of a state, which are those of `torch.get_rng_state()`.
const SEED = 0;
const LEFT = 8;
const SEEDED = 12;
const NEXT = 16;
const WORDS = 24;
const NORMAL = WORDS + 8 * N + 8;
const NORMAL_VALID = NORMAL + 16;

/**
 * A source of random numbers: `torch.Generator` on the CPU, which is mt19937. From the same seed it draws PyTorch's
 * numbers, and its state is PyTorch's state.
 */
export class Generator {
  /** @internal The current block of outputs; those before `position` are used up. */
  readonly words = new Uint32Array(N);
  /** @internal */
  position = N;
  /** @internal The second value of a normal pair whose first was drawn alone. */
  nextNormal: number | null = null;

  private readonly state = new Int32Array(N);
  private fresh = true; // seeded, no block made yet
  private seedValue = 0n;

  constructor() {
    this.manual_seed(DEFAULT_SEED);
  }

  /**
   * Starts the stream of `seed`, an integer in [-2^63, 2^64); a negative one stands for its two's complement.
   * @throws TypeError if `seed` is not an integer, RangeError if it is out of range or a number beyond 2^53 (use a BigInt).
   */
  manual_seed(seed: number | bigint): this {
    this.seedValue = checkSeed(seed);
    const { state } = this;
    state[0] = Number(this.seedValue & 0xffffffffn);
    for (let j = 1; j < N; j++) {
      const previous = state[j - 1] ^ (state[j - 1] >>> 30);
      state[j] = Math.imul(1812433253, previous) + j;
    }
    this.position = N;
    this.fresh = true;
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
    const next = this.fresh ? 0 : this.position;
    view.setBigUint64(SEED, this.seedValue, true);
    view.setInt32(LEFT, this.fresh ? 1 : N + 1 - next, true);
    view.setInt32(SEEDED, 1, true);
    view.setUint32(NEXT, next, true);
    for (let j = 0; j < N; j++) view.setInt32(WORDS + 8 * j, this.state[j], true);
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
    if (view.getInt32(SEEDED, true) === 0 || !(fresh || (left >= 1 && left <= N && left + next === N + 1))) {
      throw new RangeError('set_state: the bytes are not an mt19937 state');
    }
    this.seedValue = view.getBigUint64(SEED, true);
    for (let j = 0; j < N; j++) this.state[j] = view.getInt32(WORDS + 8 * j, true);
    this.fresh = fresh;
    this.position = fresh ? N : next;
    this.nextNormal = view.getInt32(NORMAL_VALID, true) === 0 ? null : view.getFloat64(NORMAL, true);
    this.temper();
    return this;
  }

  /** A new generator in the state of this one. */
  clone_state(): Generator {
    return new Generator().set_state(this.get_state());
  }

  /** @internal The next 32 bits. */
  random32(): number {
    if (this.position === N) this.refill();
    return this.words[this.position++];
  }

  /** @internal The next 64 bits: two draws, the high half first. */
  random64(): bigint {
    const high = this.random32();
    return (BigInt(high) << 32n) | BigInt(this.random32());
  }

  /** @internal A double in [0, 1): the low 53 bits of the next 64. */
  uniform64(): number {
    const high = this.random32() & 0x1fffff;
    return (high * 0x100000000 + this.random32()) * 2 ** -53;
  }

  /** @internal Takes up to `n` outputs of the current block: how many; they stand in `words`, up to `position`. */
  take(n: number): number {
    if (this.position === N) this.refill();
    const count = Math.min(n, N - this.position);
    this.position += count;
    return count;
  }

  private refill(): void {
    const { state } = this;
    for (let k = 0; k < N - M; k++) state[k] = state[k + M] ^ twist(state[k], state[k + 1]);
    for (let k = N - M; k < N - 1; k++) state[k] = state[k + M - N] ^ twist(state[k], state[k + 1]);
    state[N - 1] = state[M - 1] ^ twist(state[N - 1], state[0]);
    this.temper();
    this.position = 0;
    this.fresh = false;
  }

  private temper(): void {
    const { state, words } = this;
    for (let k = 0; k < N; k++) {
      let y = state[k];
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      words[k] = y ^ (y >>> 18);
    }
  }
}

/** The generator behind every random function that is given none: `torch.default_generator`. */
export const default_generator = new Generator();
default_generator.seed();

function twist(u: number, v: number): number {
  return (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (-(v & 1) & 0x9908b0df);
}

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
