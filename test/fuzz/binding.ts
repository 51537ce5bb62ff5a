// Random commands straight to the addon: calls that are right, and such made wrong in one place. Each must end, with a
// status or without; nothing outside the operands may change, and nothing at all if the call failed.
import { createRequire } from 'node:module';
import * as torch from 'cresset';
import { contract } from '../../lib/backend/kernels.js';
import { Choices, ODD_NUMBERS } from './random.js';

interface Addon {
  frame: Float64Array;
  run(): boolean | undefined;
  allocate(nbytes: number): number;
  buffer(id: number): ArrayBuffer;
  dropBlock(id: number): void;
  setThreads(n: number): void;
}

const INT64 = 2;
const INT32 = 3;
const BOOL = 5;
const RANDOM = ['uniform', 'normal', 'bernoulli', 'random', 'randperm', 'exponential', 'cauchy', 'geometric'];
const ITEM = [4, 8, 8, 4, 1, 1];
const IMMEDIATE = -1;
const OUT_OF_MEMORY = 8;
const REAL_TYPES = [0, 0, 0, 1];
const ANY_TYPES = [0, 0, 1, 2, 3, 4, 5];

interface Kernel {
  name: string;
  list: boolean;
  operands: string[];
  scalars: string[];
}

const kernels: Kernel[] = contract.map((line) => {
  const [head, operands, scalars] = line.split('|');
  const [kind, name] = head.split(' ');
  return { name, list: kind === 'LIST', operands: operands.split(' '), scalars: scalars.split(' ').filter(Boolean) };
});

/** A block, and what it held when it was last looked at; null if JavaScript has never seen it. */
interface Held {
  id: number;
  bytes: Buffer | null;
  copy: Buffer;
  size: number;
}

/** Takes memory away; a piece of a large page stays, and Node.js 22 says so. */
function detach(buffer: ArrayBuffer): void {
  try {
    structuredClone(buffer, { transfer: [buffer] });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** What a call may touch: [block, first byte, byte behind the last]. */
type Extent = [block: Held, begin: number, end: number];

/** Which dimensions, counted from the last, an operand does not have. */
function foreign({ name }: Kernel, operand: string): number[] {
  if (name.startsWith('matmul')) return { a: [1], b: [2] }[operand] ?? [0];
  if (name === 'linear_backward') return { grad: [0], grad_bias: [0, 2], input: [1], grad_input: [1] }[operand] ?? [2];
  if (name.startsWith('layer_norm')) return /weight|bias/.test(operand) ? [1] : [];
  if (RANDOM.includes(name)) return operand === 'out' ? [0] : [1];
  if (name === 'multinomial') return operand === 'a' ? [1] : [0];
  if (name === 'gather') return operand === 'a' ? [] : [0];
  if (name === 'scatter' || name === 'scatter_add') return operand === 'out' ? [] : [0];
  if (name === 'nll_loss') return ['a', 'weight'].includes(operand) ? [] : [0];
  if (name === 'nll_loss_backward') return ['weight', 'out'].includes(operand) ? [] : [0];
  if (name === 'nonzero') return operand === 'a' ? [0] : [1];
  return [];
}

class Session {
  private readonly blocks: Held[] = [];
  /** Whether the operands of the call in hand reach what `extents` say. */
  private exact = true;
  readonly counts = { calls: 0, done: 0 };

  constructor(
    private readonly addon: Addon,
    private readonly choose: Choices,
  ) {
    for (const size of [0, 1, 7, 8, 64, 64, 200, 1000, 1000, 4096, 4096, 20_000, 20_000]) this.add(size);
  }

  private add(size: number): void {
    const id = this.addon.allocate(size);
    const bytes = this.choose.chance(0.8) ? Buffer.from(this.addon.buffer(id), 0, size) : null;
    const held = { id, bytes, size, copy: Buffer.alloc(size) };
    bytes?.fill(0);
    this.fill(held);
    this.blocks.push(held);
  }

  private fill({ bytes, copy }: Held): void {
    if (bytes === null) return;
    const { choose } = this;
    const kind = choose.int(0, 3);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      if (kind === 0) bytes.writeBigInt64LE(BigInt(choose.int(-1, 9)), at);
      else if (kind === 1) bytes.writeDoubleLE(choose.pick(ODD_NUMBERS), at);
      else if (kind === 2) bytes.writeFloatLE(choose.pick(ODD_NUMBERS), at + 4 * choose.int(0, 1));
      else bytes.writeUInt8(choose.int(0, 1), at + choose.int(0, 7));
    }
    bytes.copy(copy);
  }

  /** A place for an operand that reaches `before` bytes before its first element and `after` behind its start. */
  private place(before: number, after: number, item: number, extents: Extent[]): [id: number, offset: number] {
    const { choose } = this;
    const fitting = this.blocks.filter((block) => block.size >= before + after);
    if (fitting.length === 0 || choose.chance(0.01)) {
      this.exact = false;
      return [
        choose.pick([0, 1, -2, 1e9, NaN, choose.pick(this.blocks).id]),
        choose.pick([0, 8, 2 ** 40, -8, 0.5, NaN]),
      ];
    }
    const block = choose.pick(fitting);
    const room = Math.floor((block.size - before - after) / item);
    let offset = Math.ceil(before / item) * item;
    if (offset + after > block.size) offset = before;
    else if (choose.chance(0.5))
      offset += item * choose.pick([0, Math.max(0, room - 1), choose.int(0, Math.max(0, room - 1))]);
    if (choose.chance(0.02)) {
      offset += choose.pick([1, item, -item, 4, block.size]);
      this.exact = false;
    }
    extents.push([block, offset - before, offset + after]);
    return [block.id, offset];
  }

  private strided(kernel: Kernel, number: number, extents: Extent[]): number[] {
    const { choose } = this;
    const { name, operands, scalars } = kernel;
    const least = ['matmul', 'matmul_bfloat16', 'linear_backward', 'multinomial'].includes(name)
      ? 3
      : RANDOM.includes(name) || /^(tri[lu]|nonzero|layer_norm.*)$/.test(name)
        ? 2
        : 1;
    const fixed =
      RANDOM.includes(name) ||
      /^(arange|linspace|nonzero|layer_norm.*|matmul_bfloat16|linear_backward|multinomial)$/.test(name);
    const ndim = fixed ? least : choose.chance(0.9) ? choose.int(least, 5) : choose.pick([0, 1, 2, 9, 64]);
    const small = ndim > 5;
    const shape = Array.from({ length: ndim }, () =>
      small
        ? 1
        : choose.pick([0, 1, 1, 2, 3, 4, 5, 7, 8, choose.int(1, 40), choose.chance(0.1) ? choose.int(40, 300) : 2]),
    );
    if (RANDOM.includes(name) && choose.chance(0.9)) shape[1] = 625;
    while (shape.reduce((a, b) => a * b, 1) > 60_000) shape[choose.int(0, ndim - 1)] = choose.int(1, 3);
    const reduced = choose.int(0, ndim);
    const values = scalars.map((scalar) => {
      if (scalar === 'reduced') return reduced;
      return choose.pick(scalar === 'words' ? [1, 2] : ODD_NUMBERS);
    });
    const common = choose.pick(choose.chance(0.7) ? REAL_TYPES : ANY_TYPES);
    const frame = [number, ndim, ...values, ...shape];
    for (const operand of operands) {
      const bare = operand.replace('?', '');
      const output = [
        'out',
        'indices',
        'var',
        'mean',
        'total',
        'grad_input',
        'grad_weight',
        'grad_bias',
        'state',
      ].includes(bare);
      let dtype = common;
      if (bare === 'state') dtype = INT32;
      else if (bare === 'index' || bare === 'indices') dtype = INT64;
      else if (bare === 'condition') dtype = BOOL;
      else if (output && /^(eq|ne|[lg][te]|logical_.*)$/.test(name)) dtype = BOOL;
      else if (output && /^(arg...|nonzero|multinomial)$/.test(name)) dtype = INT64;
      else if (name === 'copy') dtype = choose.pick(ANY_TYPES);
      if (choose.chance(0.02)) {
        dtype = choose.pick([...ANY_TYPES, -1, 6, 0.5, NaN]);
        this.exact = false;
      }
      const item = ITEM[dtype] ?? 4;

      // Strides of some order of the dimensions, sometimes with gaps, backwards, or 0 for an input.
      const strides = new Array<number>(ndim).fill(0);
      const order = [...shape.keys()];
      if (choose.chance(0.4)) order.sort(() => choose.real() - 0.5);
      const without = foreign(kernel, bare);
      let step = choose.pick([1, 1, 1, 2]);
      let [before, after] = [0, item];
      for (const d of order.reverse()) {
        const fromLast = ndim - 1 - d;
        if (without.includes(fromLast) || (output && scalars.includes('reduced') && fromLast < reduced)) continue;
        if (!output && choose.chance(0.1)) continue;
        strides[d] = step * (choose.chance(0.1) ? -1 : 1);
        const reach = Math.max(0, shape[d] - 1) * step * item;
        if (strides[d] < 0) before += reach;
        else after += reach;
        step *= Math.max(1, shape[d]) + choose.pick([0, 0, 0, 1]);
      }
      if (ndim > 0 && choose.chance(0.02)) {
        this.exact = false;

        strides[choose.int(0, ndim - 1)] = choose.pick([0, 1, -1, 1e6, 2 ** 53, -(2 ** 52), 0.5, NaN]);
      }
      if (operand.endsWith('?') && choose.chance(0.3)) frame.push(0, 0, dtype, ...strides);
      else if (!output && choose.chance(0.1))
        frame.push(IMMEDIATE, choose.pick(ODD_NUMBERS), dtype, ...strides.fill(0));
      else frame.push(...this.place(before, after, item, extents), dtype, ...strides);
    }
    return frame;
  }

  private list(kernel: Kernel, number: number, extents: Extent[]): number[] {
    const { choose } = this;
    const dtype = choose.chance(0.05) ? choose.pick([2, 5, 6, NaN]) : choose.pick(REAL_TYPES);
    const item = ITEM[dtype] ?? 4;
    const rows = choose.int(0, 4);
    const frame = [number, rows, dtype];
    for (let row = 0; row < rows; row++) {
      const n = choose.pick([0, 1, 3, 16, 17, choose.int(0, 500), choose.chance(0.05) ? 2 ** 40 : 5]);
      frame.push(n, ...kernel.scalars.map(() => choose.pick(ODD_NUMBERS)));
      for (const operand of kernel.operands) {
        const single = ['out', 'factor'].includes(operand.replace('?', ''));
        if (operand.endsWith('?') && choose.chance(0.3)) frame.push(0, 0);
        else frame.push(...this.place(0, (single ? 1 : n) * item, item, extents));
      }
    }
    return frame;
  }

  /** One command. @throws Error if something changed that may not. */
  step(): void {
    const { choose, addon, blocks } = this;
    if (choose.chance(0.01)) {
      const i = choose.int(0, blocks.length - 1);
      const [{ id, size, bytes }] = blocks.splice(i, 1);
      if (bytes !== null && choose.chance(0.5)) detach(bytes.buffer as ArrayBuffer);
      if (choose.chance(0.8)) addon.dropBlock(id);
      this.add(size);
    }
    if (choose.chance(0.1)) this.fill(choose.pick(blocks));

    const number = choose.int(0, kernels.length - 1);
    const kernel = kernels[number];
    const extents: Extent[] = [];
    this.exact = true;
    const frame = kernel.list ? this.list(kernel, number, extents) : this.strided(kernel, number, extents);
    if (choose.chance(0.05)) {
      frame[choose.int(0, Math.min(frame.length - 1, 12))] = choose.pick([...ODD_NUMBERS, 1e6, 5]);
      this.exact = false;
    }
    // A mutated count may name more than was written: what an earlier call left there.
    addon.frame.set(frame);
    if (tooLong(kernel, addon.frame)) return;
    const failed = addon.run() === true;
    this.counts.calls++;
    if (!failed) this.counts.done++;

    const status = failed ? addon.frame[0] : null;
    for (const block of blocks) {
      if (block.bytes === null || block.bytes.equals(block.copy)) continue;
      const own = extents.filter(([held]) => held === block).sort((a, b) => a[1] - b[1]);
      let at = 0;
      let inside = !failed || status === OUT_OF_MEMORY;
      for (const [, begin, end] of [...own, [block, block.size, block.size] as Extent]) {
        if (this.exact && begin > at && !block.bytes.subarray(at, begin).equals(block.copy.subarray(at, begin)))
          inside = false;
        at = Math.max(at, end);
      }
      if (!inside) {
        throw new Error(`${kernel.name} (status ${status}) changed what is not its own: [${frame.join(', ')}]`);
      }
      block.bytes.copy(block.copy);
    }
  }
}

/** Whether a mutated shape asks for more work than there is time; the binding bounds memory, not work. */
function tooLong(kernel: Kernel, frame: Float64Array): boolean {
  if (kernel.list || !(frame[1] >= 0 && frame[1] <= 64)) return false;
  const start = 2 + kernel.scalars.length;
  const work = frame.subarray(start, start + frame[1]).reduce((a, b) => a * Math.max(1, b), 1);
  return work > 1e7;
}

/** Runs until `seconds` have passed, and returns the calls made and those that were done. */
export function fuzzBinding(seed: number, seconds: number): string {
  if (torch.backends.file === null) return 'the reference backend has no binding';
  const addon = createRequire(import.meta.url)(torch.backends.file) as Addon;
  const threads = torch.get_num_threads();
  const end = performance.now() + 1000 * seconds;
  let [calls, done] = [0, 0];
  for (let round = 0; performance.now() < end; round++) {
    addon.setThreads(1 + (round % 2));
    const session = new Session(addon, new Choices(seed * 1_000_003 + round));
    for (let i = 0; i < 5000 && performance.now() < end; i++) session.step();
    calls += session.counts.calls;
    done += session.counts.done;
  }
  addon.setThreads(threads);
  return `${calls} calls, of which ${done} were carried out`;
}
