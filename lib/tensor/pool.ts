import { Block, Lease, Storage } from './storage.js';

/** What the pool needs of the addon to see a lease die; see native/addon.cc. */
export interface BlockTracker {
  /** A new block's number. */
  allocate(nbytes: number): number;
  /** Where its first aligned byte lies: in a block of two large pages or more, the first byte of one. */
  start(id: number): number;
  /** Its memory. From then on each kernel's call asks the engine whether the buffer is still attached. */
  buffer(id: number): ArrayBuffer;
  dropBlock(id: number): void;
  track(owner: object, id: number): void;
  untrack(id: number): void;
  poll(all: boolean): number;
  readonly dead: Int32Array;
  collect(): void;
}

const ALIGNMENT = 64;
/** Of this size are the pages that the addon asks for where a block can have whole ones. */
const LARGE_PAGE = 2 ** 21;
const SMALL = 4096;
const SCALAR = 8;
const CHUNK = 65536;
const SCALAR_CHUNK = 16384;
/** Bytes in use below which no collection is asked for. */
const BUDGET = 64 * 2 ** 20;

/** Bytes taken since the last poll from which a collection costs less than the page faults of new blocks. */
const REUSE = 12 * 2 ** 20;

/**
 * Elements of an array, milliseconds since the last minor collection for each of which one such array dies before the next, and how
 * many of them do at most. Where a program makes less than 1000 bytes of young JavaScript objects a millisecond, in the mean of its
 * last collections, Node.js 20 gives their pages back to the system after each one, on a thread that takes the place of a kernel's,
 * and faults them in again. Products do, and more so where other work lies between them. An array of 128 KiB has pages of its own.
 */
const STIR = 8192;
const STIR_PERIOD = 32;
const STIR_MOST = 8;

/**
 * Minor collections, and milliseconds, after which a safepoint asks for a major one: what they promoted and died since would stay
 * until the engine's own. Not anywhere else, as a major one promotes all that is alive, and amid a step that is every activation.
 */
const MINORS = 128;
const PERIOD = 2000;

/** The engine's collector. */
interface Collector {
  minor(): void;
  major(): void;
}

/** Null if the engine shows none. Looked for when needed, as it takes a module and a context that the import need not wait for. */
function exposedCollector(): Collector | null {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  // The flag stays on: turning it off again races between worker threads.
  setFlagsFromString('--expose-gc');
  const exposed: unknown = process.getBuiltinModule('node:vm').runInNewContext('typeof gc === "function" ? gc : null');
  if (exposed === null) return null;
  const gc = exposed as (options?: { type: 'minor' }) => void;
  const collector = {
    stirred: null as undefined[] | null,
    last: performance.now(),
    // On one thread: with a core for each thread of the kernels there is none for the engine's, and little to do for them.
    minor() {
      const elapsed = performance.now() - collector.last;
      // What the call between might see, the compiler cannot drop.
      for (let i = 0; i < STIR_MOST && i * STIR_PERIOD < elapsed; i++) collector.stirred = new Array<undefined>(STIR);
      setFlagsFromString('--no-parallel-scavenge');
      collector.stirred = null;
      gc({ type: 'minor' });
      setFlagsFromString('--parallel-scavenge');
      collector.last = performance.now();
    },
    major: gc,
  };
  return collector;
}

/** Small storages are cut one after the other from a chunk, which is free when all of them are. */
class Chunk {
  private lease: Lease | null = null;
  private next = 0;
  private end = 0;

  constructor(
    private readonly size: number,
    private readonly step: number,
  ) {}

  cut(pool: Pool, nbytes: number): Storage {
    let lease = this.lease;
    if (lease === null || this.next + nbytes > this.end) {
      lease = this.lease = pool.take(this.size);
      this.next = lease.block.start;
      this.end = this.next + this.size;
    }
    const at = this.next;
    this.next = at + Math.max(this.step, (nbytes + this.step - 1) & -this.step);
    return new Storage(lease, lease.block, at, nbytes);
  }

  close(): void {
    this.lease = null;
  }
}

/**
 * Memory for tensors, reused as soon as it is known to be dead. Held tensors stay valid, memory stays bounded in a
 * synchronous loop, and nobody disposes of anything: each block goes out with a lease that the addon watches by a weak
 * reference, and when much is in use the pool asks the engine for a collection and polls. Without an addon it hands
 * out fresh memory and leaves the rest to the engine.
 */
export class Pool {
  private readonly blocks: (Block | null)[] = [];
  private readonly free = new Map<number, Block[]>();
  private readonly small = new Chunk(CHUNK, ALIGNMENT);
  private readonly scalars = new Chunk(SCALAR_CHUNK, SCALAR);
  private found: Collector | null | undefined;
  /** The larger storages made while `listing` is set, by who can tell when they die. */
  readonly made: Storage[] = [];
  listing = false;

  private inUse = 0;
  private freeBytes = 0;
  /** Bytes taken since the last poll and not given back. */
  private young = 0;
  /** Since the last major collection, and when that was. */
  private minors = 0;
  private lastMajor = 0;
  /** Bytes taken since the last safepoint, and the decaying maximum of that: one step's worth. */
  private sinceSafepoint = 0;
  private step = 0;
  /** Bytes in use after the last major collection, and at the last safepoint. */
  private liveMajor = 0;
  private base = 0;
  private limit = BUDGET;

  constructor(private readonly tracker: BlockTracker | null) {}

  private get collector(): Collector | null {
    if (this.found === undefined) this.found = exposedCollector();
    return this.found;
  }

  /** Bytes in blocks that tensors hold, and in blocks kept for reuse. */
  get stats(): { inUse: number; free: number } {
    return { inUse: this.inUse, free: this.freeBytes };
  }

  /** Uninitialised memory for `nbytes` bytes. */
  allocate(nbytes: number): Storage {
    if (nbytes <= SCALAR) return this.scalars.cut(this, nbytes);
    if (nbytes <= SMALL) return this.small.cut(this, nbytes);
    const lease = this.take(nbytes);
    const storage = new Storage(lease, lease.block, lease.block.start, nbytes);
    if (this.listing) this.made.push(storage);
    return storage;
  }

  /** A block of at least `nbytes`. @internal */
  take(nbytes: number): Lease {
    const size = sizeClass(nbytes);
    if (this.tracker === null) return new Lease(newBlock(size, null));
    if (this.inUse + size > this.limit) this.makeRoom(size);
    let block = this.free.get(size)?.pop();
    // Within a step most of what it took is alive: collected for, it would be promoted.
    if (block === undefined && this.young > Math.max(REUSE, this.step)) {
      this.minor();
      block = this.free.get(size)?.pop();
    }
    if (block === undefined) {
      block = newBlock(size, this.tracker);
      this.blocks[block.id] = block;
    } else {
      this.freeBytes -= size;
    }
    this.inUse += size;
    this.young += size;
    this.sinceSafepoint += size;
    const lease = block.idle;
    if (lease !== null) {
      block.idle = null;
      return lease;
    }
    const fresh = new Lease(block);
    this.tracker.track(fresh, block.id);
    return fresh;
  }

  /** Gives a storage's block back at once. The caller knows that nothing else refers to it. */
  release(storage: Storage): void {
    const { lease, block } = storage;
    if (this.tracker === null || lease === null || storage.nbytes <= SMALL || block.exposed) return;
    storage.lease = null;
    storage.block = RELEASED;
    block.idle = lease;
    this.young = Math.max(0, this.young - block.size);
    this.reuse(block);
  }

  /** The user gets a live view of this memory: from now on it is never reused. */
  expose(storage: Storage): void {
    const block = storage.block;
    if (block.exposed) return;
    block.exposed = true;
    this.small.close();
    this.scalars.close();
  }

  /** Between steps, when the least is alive: collects early what the next step would have to wait for. */
  safepoint(): void {
    if (this.tracker === null) return;
    this.step = Math.max(0.9 * this.step, this.sinceSafepoint);
    this.sinceSafepoint = 0;
    const most = Math.max(BUDGET, 2 * this.liveMajor);
    // A minor one may do: of a step's end it finds what the end of its backward found still alive.
    if (this.young > BUDGET / 3 || this.inUse > most) this.minor();
    const due = this.minors >= MINORS && performance.now() - this.lastMajor > PERIOD;
    if (due || this.inUse > most) this.major();
    this.base = this.inUse;
  }

  private makeRoom(size: number): void {
    this.minor();
    if (this.inUse + size <= 0.7 * this.limit) return;
    this.major();
    // Where the next is due must be well above what this one left, or each call from here on would ask for one. It left a result
    // or two that will soon be dead, but being old are not found by minor ones.
    this.limit = Math.max(BUDGET, 2 * this.liveMajor, this.base + 1.5 * this.step, 1.5 * (this.inUse + 3 * size));
  }

  private minor(): void {
    const { collector } = this;
    if (collector === null) return;
    this.minors++;
    collector.minor();
    this.reclaim(false);
    this.young = 0;
  }

  private major(): void {
    if (this.collector === null) this.tracker!.collect();
    else this.collector.major();
    this.reclaim(true);
    this.liveMajor = this.inUse;
    this.young = 0;
    this.minors = 0;
    this.lastMajor = performance.now();
  }

  private reclaim(all: boolean): void {
    const tracker = this.tracker!;
    for (;;) {
      const n = tracker.poll(all);
      for (let i = 0; i < n; i++) {
        const block = this.blocks[tracker.dead[i]]!;
        if (block.exposed) {
          // The user may still hold the view: the engine frees the memory when nobody does.
          this.inUse -= block.size;
          this.drop(block);
        } else {
          this.reuse(block);
        }
      }
      if (n < tracker.dead.length) break;
    }
    this.trim();
  }

  private reuse(block: Block): void {
    this.inUse -= block.size;
    this.freeBytes += block.size;
    const list = this.free.get(block.size);
    if (list === undefined) this.free.set(block.size, [block]);
    else list.push(block);
  }

  /** Where sizes vary, blocks of sizes no longer asked for would pile up: keep at most what is in use, or the budget. */
  private trim(): void {
    if (this.freeBytes <= Math.max(BUDGET, this.inUse)) return;
    for (const [size, list] of this.free) {
      const keep = list.length >> 1;
      for (const block of list.splice(0, list.length - keep)) {
        if (block.idle !== null) this.tracker!.untrack(block.id);
        this.freeBytes -= size;
        this.drop(block);
      }
      if (keep === 0) this.free.delete(size);
    }
  }

  private drop(block: Block): void {
    this.blocks[block.id] = null;
    this.tracker!.dropBlock(block.id);
  }
}

/** Eight size classes an octave; at least a cache line. */
function sizeClass(nbytes: number): number {
  const octave = nbytes < 2 ** 31 ? 1 << (31 - Math.clz32(nbytes)) : 2 ** Math.floor(Math.log2(nbytes));
  const step = Math.max(ALIGNMENT, octave / 8);
  return Math.ceil(nbytes / step) * step;
}

function newBlock(size: number, tracker: BlockTracker | null): Block {
  try {
    // Uninitialised; rounded so that an array of any dtype spans the whole buffer.
    const nbytes = size + (tracker === null || size < LARGE_PAGE ? ALIGNMENT : LARGE_PAGE);
    if (tracker === null) return new Block(Buffer.allocUnsafeSlow(nbytes).buffer as ArrayBuffer, 0, 0, size);
    const id = tracker.allocate(nbytes);
    return new Block(() => tracker.buffer(id), id, tracker.start(id), size);
  } catch (cause) {
    throw new RangeError(`out of memory: could not allocate ${size} bytes for a tensor`, { cause });
  }
}

/** Stands in for the block of a released storage: a kernel given it reports a dead block. */
const RELEASED = new Block(new ArrayBuffer(0), -2, 0, 0);
