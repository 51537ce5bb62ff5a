/** Words of the state. */
export const WORDS = 624;
/** The state's length: the words, then how many of them are used up. More than all: it was seeded just now. */
export const STATE_LENGTH = WORDS + 1;
const MIDDLE = 397;

/**
 * The stream of random bits behind PyTorch's CPU generator. Its state lies in memory that kernels reach too, and draw from.
 * M. Matsumoto and T. Nishimura, Mersenne Twister, 1998.
 */
export class Mt19937 {
  /** @param state `STATE_LENGTH` elements. @internal */
  constructor(protected readonly state: Int32Array) {}

  /** @internal The next 32 bits. */
  random32(): number {
    const { state } = this;
    if (state[WORDS] >= WORDS) this.refill();
    let y = state[state[WORDS]++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** @internal The next 64 bits: two draws, the high half first. */
  random64(): bigint {
    const high = this.random32();
    return (BigInt(high) << 32n) | BigInt(this.random32());
  }

  /** @internal A float32 number in [0, 1): the low 24 bits of the next 32. */
  uniform32(): number {
    return (this.random32() & 0xffffff) * 2 ** -24;
  }

  /** @internal A double in [0, 1): the low 53 bits of the next 64. */
  uniform64(): number {
    const high = this.random32() & 0x1fffff;
    return (high * 0x100000000 + this.random32()) * 2 ** -53;
  }

  private refill(): void {
    const { state } = this;
    for (let k = 0; k < WORDS - MIDDLE; k++) state[k] = state[k + MIDDLE] ^ twist(state[k], state[k + 1]);
    for (let k = WORDS - MIDDLE; k < WORDS - 1; k++)
      state[k] = state[k + MIDDLE - WORDS] ^ twist(state[k], state[k + 1]);
    state[WORDS - 1] = state[MIDDLE - 1] ^ twist(state[WORDS - 1], state[0]);
    state[WORDS] = 0;
  }
}

function twist(u: number, v: number): number {
  return (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (-(v & 1) & 0x9908b0df);
}
