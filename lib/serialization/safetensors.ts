import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { contiguous, detach } from '../ops/convert.js';
import { bool, float32, float64, int32, int64, uint8, type DType } from '../tensor/dtype.js';
import { allocate, describe, type Tensor } from '../tensor/tensor.js';

// The safetensors format: the header's length in 8 bytes, a header in JSON that says where each tensor lies, and the
// tensors' bytes, little-endian, one after the other without gaps.

const names = new Map<DType, string>([
  [float32, 'F32'],
  [float64, 'F64'],
  [int64, 'I64'],
  [int32, 'I32'],
  [uint8, 'U8'],
  [bool, 'BOOL'],
]);
const dtypes = new Map([...names].map(([dtype, name]) => [name, dtype]));

/** The longest header that is read; Python's library has the same limit. */
const MAX_HEADER = 100_000_000;
/** Bytes that are read or written at once. */
const CHUNK = 2 ** 30;

/** What a file holds: tensors by name, and strings by name. */
export interface Contents {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
}

/** Refuses a path that is none. */
export function checkPath(name: string, path: unknown): asserts path is string {
  if (typeof path === 'string' && path !== '') return;
  throw new TypeError(`${name}: path: expected a file name, got ${describe(path)}`);
}

/** The memory of a contiguous tensor as bytes. */
function bytesOf(t: Tensor): Uint8Array {
  const start = t._offset * t._dtype.itemsize;
  return t._storage.block.u8.subarray(start, start + t._numel * t._dtype.itemsize);
}

/**
 * Writes a file whole or not at all: beside its place first, and into it once it is on the disk.
 * @throws Error if the file system refuses.
 */
export function writeFile(name: string, path: string, { tensors, metadata }: Contents): void {
  const flat = [...tensors].map(([key, t]) => [key, contiguous(detach(t))] as const);
  // The widest elements first, so that each tensor is aligned to its own.
  flat.sort(([a, x], [b, y]) => y._dtype.itemsize - x._dtype.itemsize || (a < b ? -1 : 1));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let end = 0;
  for (const [key, t] of flat) {
    const start = end;
    end += t._numel * t._dtype.itemsize;
    header.push([key, { dtype: names.get(t._dtype), shape: t._dims, data_offsets: [start, end] }]);
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const prefix = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  prefix.writeBigUInt64LE(BigInt(prefix.length - 8));
  json.copy(prefix, 8);
  const beside = `${path}.${process.pid}.${crypto.randomUUID()}.tmp`;
  try {
    const file = openSync(beside, 'wx');
    try {
      writeAll(file, prefix);
      for (const [, t] of flat) writeAll(file, bytesOf(t));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    syncFolder(dirname(path));
  } catch (cause) {
    rmSync(beside, { force: true });
    throw new Error(`${name}: ${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** Makes a rename in a folder last, where that can be had: Windows and some file systems have no such call. */
function syncFolder(path: string): void {
  let folder: number | null = null;
  try {
    folder = openSync(path, 'r');
    fsyncSync(folder);
  } catch {
    // The file is whole and in its place.
  } finally {
    if (folder !== null) closeSync(folder);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, Math.min(bytes.length - at, CHUNK));
}

/**
 * Reads a file, after checking all of its header.
 * @throws Error that names the file if it cannot be read, or is not in the format.
 */
export function readFile(name: string, path: string): Contents {
  const fail = (message: string, cause?: unknown): Error => new Error(`${name}: ${path}: ${message}`, { cause });
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw fail(`cannot be read: ${(cause as Error).message}`, cause);
  }
  try {
    const size = fstatSync(file).size;
    const { entries, metadata, start } = readHeader(file, size, fail);
    const tensors = new Map<string, Tensor>();
    for (const { key, dtype, shape, begin } of entries) {
      const t = allocate(shape, dtype);
      const bytes = bytesOf(t);
      if (!readAll(file, bytes, start + begin)) throw fail('the file became shorter while it was read');
      if (dtype === bool && bytes.some((b) => b > 1))
        throw fail(`tensor ${describe(key)}: a boolean is neither 0 nor 1`);
      tensors.set(key, t);
    }
    return { tensors, metadata };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw fail(`cannot be read: ${(cause as Error).message}`, cause);
  } finally {
    closeSync(file);
  }
}

function readAll(file: number, bytes: Uint8Array, position: number): boolean {
  for (let at = 0; at < bytes.length;) {
    const n = readSync(file, bytes, at, Math.min(bytes.length - at, CHUNK), position + at);
    if (n === 0) return false;
    at += n;
  }
  return true;
}

interface Entry {
  key: string;
  dtype: DType;
  shape: number[];
  begin: number;
  end: number;
}

type Fail = (message: string, cause?: unknown) => Error;

function readHeader(
  file: number,
  size: number,
  fail: Fail,
): { entries: Entry[]; metadata: Record<string, string>; start: number } {
  const prefix = Buffer.alloc(8);
  if (size < 8 || !readAll(file, prefix, 0)) throw fail(`not a safetensors file: it has ${size} bytes`);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(Math.min(size - 8, MAX_HEADER))) {
    throw fail(`not a safetensors file, or a truncated one: a header of ${length} bytes in a file of ${size}`);
  }
  const text = Buffer.alloc(Number(length));
  if (!readAll(file, text, 8)) throw fail('the file became shorter while it was read');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (cause) {
    throw fail(`not a safetensors file: the header is not JSON: ${(cause as Error).message}`, cause);
  }
  if (!isRecord(header)) throw fail('not a safetensors file: the header is not an object');
  const metadata = header.__metadata__ ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw fail('the header is damaged: __metadata__ is not an object of strings');
  }
  const start = 8 + Number(length);
  const entries: Entry[] = [];
  for (const [key, entry] of Object.entries(header)) {
    if (key !== '__metadata__') entries.push(readEntry(key, entry, fail));
  }
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== end) {
      throw fail(
        `the header is damaged: tensor ${describe(entry.key)} begins at ${entry.begin}, where the one before ends at ${end}`,
      );
    }
    end = entry.end;
  }
  if (start + end !== size) {
    throw fail(`truncated or damaged: expected ${start + end} bytes by the header, got ${size}`);
  }
  return { entries, metadata: metadata as Record<string, string>, start };
}

function readEntry(key: string, entry: unknown, fail: Fail): Entry {
  const where = `the header is damaged: tensor ${describe(key)}`;
  if (key === '__proto__') throw fail(`${where}: not a name`);
  if (!isRecord(entry)) throw fail(`${where}: expected an object`);
  const { dtype: name, shape, data_offsets: offsets } = entry;
  const dtype = dtypes.get(name as string);
  if (dtype === undefined) {
    throw fail(
      `tensor ${describe(key)}: dtype ${describe(name)} is not supported: expected one of ${[...dtypes.keys()].join(', ')}`,
    );
  }
  const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize))
    throw fail(`${where}: shape: expected sizes, got ${describe(shape)}`);
  if (shape.length > 64) throw fail(`${where}: shape: expected at most 64 dimensions, got ${shape.length}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[1] < offsets[0]) {
    throw fail(`${where}: data_offsets: expected a begin and an end, got ${describe(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const numel = shape.reduce((n, size) => n * size, 1);
  if (numel * dtype.itemsize !== end - begin) {
    throw fail(`${where}: shape [${shape.join(', ')}] of ${dtype.name} does not fill its ${end - begin} bytes`);
  }
  return { key, dtype, shape, begin, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
