import { readFileSync } from 'node:fs';

/** The contents of an IDX file: sizes, and unsigned bytes in row-major order. */
export interface Idx {
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Reads an IDX file, the format of MNIST: two zero bytes, the element type (8: unsigned byte), the number of dimensions,
 * each dimension as a big-endian 32-bit integer, then the elements.
 * @throws Error unless the file has `ndim` dimensions and is as long as they say.
 */
export function readIdx(file: string, ndim: number): Idx {
  const bytes = readFileSync(file);
  const fail = (expected: string, got: string): never => {
    throw new Error(`readIdx: ${file}: expected ${expected}, got ${got}`);
  };
  const header = 4 + 4 * ndim;
  if (bytes.length < header) fail(`a header of ${header} bytes`, `a file of ${bytes.length}`);
  const magic = bytes.readUInt32BE(0);
  if (magic !== 0x800 + ndim) fail(`unsigned bytes in ${ndim} dimensions (magic number ${0x800 + ndim})`, `${magic}`);
  const dims = Array.from({ length: ndim }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (bytes.length !== header + size) fail(`${header + size} bytes for ${dims.join(' x ')}`, `${bytes.length}`);
  return { dims, data: bytes.subarray(header) };
}
