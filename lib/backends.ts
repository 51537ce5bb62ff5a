import { createRequire } from 'node:module';
import { backend } from './backend/index.js';
import { describe } from './tensor/tensor.js';

/** What runs the kernels of this process, as it was chosen at load. */
export interface BackendInfo {
  /** `native`: the addon; `reference`: pure TypeScript. `CRESSET_BACKEND` forces one. */
  readonly name: 'native' | 'reference';
  /** The instruction set in use, `none` on the reference backend. `CRESSET_ISA` forces one. */
  readonly isa: string;
  /** The instruction sets there are to choose from, best first. */
  readonly isas: readonly string[];
  /** The file the addon was loaded from, null on the reference backend. */
  readonly file: string | null;
  /** Why this backend was chosen. */
  readonly reason: string;
}

const { name, isa, isas, file, reason } = backend;

/** The backend in use. PyTorch keeps its backends' settings under the same name, `torch.backends`. */
export const backends: BackendInfo = Object.freeze({ name, isa, isas: Object.freeze([...isas]), file, reason });

const maxThreads = 1024;

/**
 * Sets the number of threads the kernels run on; results do not depend on it. The reference backend always uses one.
 * PyTorch: `torch.set_num_threads`.
 * @throws RangeError unless `num` is an integer from 1 to 1024.
 */
export function set_num_threads(num: number): void {
  if (typeof num !== 'number') throw new TypeError(`set_num_threads: num: expected a number, got ${describe(num)}`);
  setThreads('set_num_threads: num', num);
}

function setThreads(what: string, num: number, written = String(num)): void {
  if (!Number.isInteger(num) || num < 1 || num > maxThreads) {
    throw new RangeError(`${what}: expected an integer from 1 to ${maxThreads}, got ${written}`);
  }
  backend.setThreads(num);
}

const asked = process.env.CRESSET_NUM_THREADS ?? '';
if (asked !== '') setThreads('CRESSET_NUM_THREADS', Number(asked), JSON.stringify(asked));

/**
 * The number of threads the kernels run on: set by `set_num_threads`, else by `CRESSET_NUM_THREADS`, else the cores this
 * process may use. PyTorch: `torch.get_num_threads`.
 */
export function get_num_threads(): number {
  return backend.getThreads();
}

/** The version of this package. PyTorch: `torch.__version__`. */
export const __version__ = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
