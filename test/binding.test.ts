import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { K } from '../lib/backend/kernels.js';

// What reaches the addon past lib/: no numbers in the frame, and nothing done to the memory, may end the process or touch
// memory outside a block.
interface Addon {
  frame: Float64Array;
  dead: Int32Array;
  run(): boolean | undefined;
  allocate(nbytes: unknown): number;
  start(id: unknown): number;
  buffer(id: unknown): ArrayBuffer;
  dropBlock(id: unknown): void;
  track(owner: unknown, id: unknown): void;
  untrack(id: unknown): void;
  poll(all: boolean): number;
  setThreads(n: unknown): void;
}

const file = torch.backends.file;

describe.runIf(file !== null)('the binding', () => {
  const addon = (file === null ? null : createRequire(import.meta.url)(file)) as Addon;
  const FLOAT32 = 0;
  const INT32 = 3;

  /** Runs `kernel` on operands [block, offset, dtype, ...strides]: null, or the status it failed with. */
  function call(kernel: number, scalars: number[], shape: number[], ...operands: number[][]): number | null {
    addon.frame.set([kernel, shape.length, ...scalars, ...shape, ...operands.flat()]);
    return addon.run() === true ? addon.frame[0] : null;
  }
  const neg = (from: number, to: number, n = 4) => call(K.neg, [], [n], [from, 0, FLOAT32, 1], [to, 0, FLOAT32, 1]);
  const BAD_FRAME = 2;
  const DEAD = 3;
  const OUT_OF_BOUNDS = 4;

  function filled(values: number[]): number {
    const id = addon.allocate(4 * values.length);
    new Float32Array(addon.buffer(id)).set(values);
    return id;
  }

  test('computes in blocks it made', () => {
    const [from, to] = [filled([1, 2, 3, 4]), addon.allocate(16)];
    expect(neg(from, to)).toBeNull();
    expect([...new Float32Array(addon.buffer(to))]).toEqual([-1, -2, -3, -4]);
    expect(neg(from, to, 5)).toBe(OUT_OF_BOUNDS);
  });

  test('softmax writes short rows where its output has them', () => {
    const from = filled([1, 2, 4, 3, 3, 5, 0, 9, 9, 7, 1, 2]);
    const softmax = (...strides: number[]) => {
      const to = addon.allocate(48);
      expect(call(K.softmax, [], [2, 2, 3], [from, 0, FLOAT32, 6, 3, 1], [to, 0, FLOAT32, ...strides])).toBeNull();
      return [...new Float32Array(addon.buffer(to), 0, 12)];
    };
    const rows = softmax(6, 3, 1);
    expect(softmax(3, 6, 1)).toEqual([...rows.slice(0, 3), ...rows.slice(6, 9), ...rows.slice(3, 6), ...rows.slice(9)]);
  });

  test('refuses memory that was detached after it was used', () => {
    // Of a large page: what came as a piece of one, Node.js does not transfer.
    const [from, to] = [addon.allocate(2 ** 21), filled([0, 0, 0, 0])];
    new Float32Array(addon.buffer(from)).set([1, 2, 3, 4]);
    expect(neg(from, to)).toBeNull();
    structuredClone(addon.buffer(from), { transfer: [addon.buffer(from)] });
    expect(neg(from, to)).toBe(DEAD);
    expect(neg(to, from)).toBe(DEAD);
    expect([...new Float32Array(addon.buffer(to))]).toEqual([-1, -2, -3, -4]);
  });

  test('the frame cannot be taken away', () => {
    for (const array of [addon.frame, addon.dead]) {
      expect(() => structuredClone(array.buffer, { transfer: [array.buffer as unknown as ArrayBuffer] })).toThrow();
      expect(array.length).toBeGreaterThan(0);
    }
  });

  test('a block that is gone, or never was, is refused', () => {
    const gone = addon.allocate(64);
    addon.dropBlock(gone);
    for (const id of [gone, 0, -1, 1.5, NaN, Infinity, 2 ** 31, 1e9, undefined, null, '1', {}, Symbol('1')]) {
      for (const name of ['start', 'buffer', 'dropBlock', 'untrack'] as const) {
        expect(() => addon[name](id)).toThrow(`${name}: expected the id of a block`);
      }
      expect(() => addon.track({}, id)).toThrow('track: expected the id of a block');
      if (typeof id === 'number') expect([BAD_FRAME, DEAD]).toContain(neg(id, id));
    }
  });

  test('arguments of the wrong kind are refused', () => {
    for (const bytes of [-1, 1.5, NaN, 2 ** 60, undefined, '8', {}]) {
      expect(() => addon.allocate(bytes)).toThrow('allocate: expected a number of bytes');
    }
    expect(() => addon.allocate(2 ** 50)).toThrow(RangeError);
    const id = addon.allocate(8);
    for (const owner of [undefined, null, 3, 'x']) {
      expect(() => addon.track(owner, id)).toThrow('track: expected an object as the owner');
    }
    for (const n of [0, 1.5, 1025, NaN, '2']) {
      expect(() => addon.setThreads(n)).toThrow('setThreads: expected an integer from 1 to 1024');
    }
  });

  test('an integer division whose output overlaps its divisors does not trap', () => {
    const id = addon.allocate(64);
    const values = new Int32Array(addon.buffer(id), 0, 16);
    for (const kernel of [K.div_floor, K.div_trunc, K.fmod, K.remainder]) {
      values.set([0, 0, 0, 0, 5, 6, 7, 8]);
      const status = call(kernel, [], [4], [id, 0, INT32, 1], [id, 16, INT32, 1], [id, 20, INT32, 1]);
      expect(status).toBeNull();
      values.set([0, 0, 0, 0, 5, 6, 7, 8]);
      expect(call(kernel, [], [4], [id, 0, INT32, 1], [id, 16, INT32, 0], [id, 16, INT32, 1])).toBeNull();
    }
  });

  test('the stride of a dimension of one element may be anything', () => {
    const id = filled([1, 2, 3, 4]);
    for (const stride of [2 ** 52, -(2 ** 52), 2 ** 53]) {
      const operand = [id, 0, FLOAT32, stride, 1];
      expect(call(K.neg, [], [1, 4], operand, operand)).toBeNull();
    }
    expect([...new Float32Array(addon.buffer(id))]).toEqual([-1, -2, -3, -4]);
  });

  test('an operand reaches from the start of its block to the end, whichever way it is read', () => {
    const [id, to] = [filled([1, 2, 3, 4]), addon.allocate(64)];
    const read = (n: number, offset: number, stride: number) =>
      call(K.neg, [], [n], [id, offset, FLOAT32, stride], [to, 0, FLOAT32, 1]);
    expect(read(4, 12, -1)).toBeNull();
    expect([...new Float32Array(addon.buffer(to), 0, 4)]).toEqual([-4, -3, -2, -1]);
    expect([read(2, 0, 3), read(2, 12, -3), read(1, 12, 1)]).toEqual([null, null, null]);
    const beyond = [read(5, 12, -1), read(4, 8, -1), read(2, 4, 3), read(2, 8, -3), read(1, 16, 1), read(1, 2, 1)];
    for (const status of beyond) expect(status).toBe(OUT_OF_BOUNDS);
  });

  test('what is no integer in the place of one is refused', () => {
    const id = filled([1, 2, 3, 4]);
    for (const wrong of [0.5, -0.5, NaN, Infinity, -Infinity, 2 ** 54, -(2 ** 54), 1e300]) {
      const operand = [id, 0, FLOAT32, 1];
      expect(call(K.neg, [], [wrong], operand, operand)).toBe(BAD_FRAME);
      for (const [place, status] of [DEAD, OUT_OF_BOUNDS, BAD_FRAME, BAD_FRAME].entries()) {
        const other = operand.with(place, wrong);
        for (const n of [1, 4]) expect(call(K.neg, [], [n], other, operand), `${place} ${wrong}`).toBe(status);
      }
    }
    expect([...new Float32Array(addon.buffer(id))]).toEqual([1, 2, 3, 4]);
  });

  test('a reduction has one output for what it reduces', () => {
    const [id, to] = [filled([1, 2, 3, 4]), filled([9, 9, 9, 9])];
    const sum = (reduced: number, ...strides: number[]) =>
      call(K.sum, [reduced], [2, 2], [id, 0, FLOAT32, 2, 1], [to, 0, FLOAT32, ...strides]);
    expect([sum(1, 1, 1), sum(2, 1, 0), sum(2, 0, 1), sum(3, 0, 0), sum(-1, 1, 1), sum(0.5, 1, 0)]).toEqual(
      Array(6).fill(BAD_FRAME),
    );
    expect(sum(1, 1, 0)).toBeNull();
    expect([...new Float32Array(addon.buffer(to))]).toEqual([3, 7, 9, 9]);
  });

  test('what numbers a vector refuses a matrix, also one without elements', () => {
    const id = filled([1, 2, 3, 4]);
    for (const kernel of [K.arange, K.linspace]) {
      for (const shape of [[2, 2], [64, 0], [0, 64], []]) {
        const operand = [id, 0, FLOAT32, ...shape.map(() => 1)];
        expect(call(kernel, [0, 1], shape, operand), `${kernel} of [${shape.join(', ')}]`).toBe(BAD_FRAME);
      }
      expect([...new Float32Array(addon.buffer(id))]).toEqual([1, 2, 3, 4]);
      expect(call(kernel, [0, 3], [4], [id, 0, FLOAT32, 1])).toBeNull();
      expect([...new Float32Array(addon.buffer(id))][0]).toBe(0);
      new Float32Array(addon.buffer(id)).set([1, 2, 3, 4]);
    }
  });

  test('a product over nothing is zero, and keeps what is added', () => {
    const [a, c, out] = [addon.allocate(64), filled([1, 2, 3, 4]), addon.allocate(16)];
    const operands = [
      [a, 0, FLOAT32, 0, 0, 1],
      [a, 0, FLOAT32, 0, 1, 0],
      [c, 0, FLOAT32, 2, 1, 0],
    ];
    const to = [out, 0, FLOAT32, 2, 1, 0];
    expect(call(K.matmul, [1, 2], [2, 2, 0], ...operands, to)).toBeNull();
    expect([...new Float32Array(addon.buffer(out))]).toEqual([2, 4, 6, 8]);
  });

  test('a reduction over several dimensions, one of them empty, gives what nothing reduces to', () => {
    const [a, out] = [filled([1, 2, 3, 4]), filled([5, 5])];
    for (const shape of [
      [2, 0, 2],
      [2, 2, 0],
    ]) {
      expect(call(K.sum, [2], shape, [a, 0, FLOAT32, 2, 2, 1], [out, 0, FLOAT32, 1, 0, 0])).toBeNull();
      expect([...new Float32Array(addon.buffer(out))]).toEqual([0, 0]);
    }
  });
});
