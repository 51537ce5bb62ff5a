import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { checkPath, readFile, writeFile } from './safetensors.js';
import { decode, encode, type Saveable } from './structure.js';

export type { Saveable } from './structure.js';

/** Where in a file's metadata the structure around the tensors lies. */
const STRUCTURE = 'cresset';

/**
 * Writes data to a file: state dicts, or any nesting of plain objects, arrays, tensors, typed arrays, numbers, strings,
 * booleans, bigints and null. The file is a safetensors file, each tensor under its path; the rest is JSON in its
 * metadata. An interrupted write leaves the old file. Tensors that share memory are written each for itself. PyTorch:
 * `torch.save`.
 * @throws TypeError for what cannot be saved; Error if the file cannot be written.
 */
export function save(obj: Saveable | object, path: string): void {
  checkPath('save', path);
  const { json, tensors } = encode(obj);
  writeFile('save', path, { tensors, metadata: { [STRUCTURE]: json } });
}

/**
 * Reads what {@link save} wrote. PyTorch: `torch.load`.
 * @throws Error that names the file if it cannot be read, is damaged, or was not written by `save`.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function load(path: string): any {
  checkPath('load', path);
  const { tensors, metadata } = readFile('load', path);
  if (!Object.hasOwn(metadata, STRUCTURE)) {
    throw new Error(`load: ${path}: not written by save(); load_file() reads the tensors of any safetensors file`);
  }
  return decode(metadata[STRUCTURE], tensors, (message) => new Error(`load: ${path}: ${message}`));
}

/**
 * Writes tensors by name to a safetensors file. safetensors.torch: `save_file`.
 * @throws TypeError for what is no tensor; Error if the file cannot be written.
 */
export function save_file(
  tensors: Record<string, Tensor>,
  filename: string,
  metadata: Record<string, string> = {},
): void {
  checkPath('save_file', filename);
  if (typeof tensors !== 'object' || tensors === null || !Object.values(metadata).every((v) => typeof v === 'string')) {
    throw new TypeError(
      `save_file: expected an object of tensors, and one of strings, got ${describe(tensors)} and ${describe(metadata)}`,
    );
  }
  for (const [key, t] of Object.entries(tensors)) {
    checkTensor('save_file', `tensors[${describe(key)}]`, t);
    if (key === '__metadata__' || key === '__proto__') {
      throw new TypeError(`save_file: tensors: ${describe(key)} is not a name that can be saved`);
    }
  }
  writeFile('save_file', filename, { tensors: new Map(Object.entries(tensors)), metadata });
}

/**
 * Reads the tensors of a safetensors file, by name. safetensors.torch: `load_file`.
 * @throws Error that names the file if it cannot be read, is damaged, or holds a dtype that is not supported.
 */
export function load_file(filename: string): Record<string, Tensor> {
  checkPath('load_file', filename);
  return Object.fromEntries(readFile('load_file', filename).tensors);
}
