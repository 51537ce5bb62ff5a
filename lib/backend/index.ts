import { Pool } from '../tensor/pool.js';
import type { Backend } from './backend.js';
import { loadNative } from './native.js';
import { createReference } from './reference/index.js';
import type { Block } from '../tensor/storage.js';

function reference(reason: string): Backend {
  const lent: Block[] = [];
  const { frame, run } = createReference((handle) => lent[handle - 1]);
  return {
    name: 'reference',
    isa: 'none',
    isas: [],
    file: null,
    reason,
    frame,
    run: () => {
      try {
        return run();
      } finally {
        lent.length = 0;
      }
    },
    lend: (block) => lent.push(block),
    tracker: null,
    getThreads: () => 1,
    setThreads: () => {},
  };
}

function choose(): Backend {
  const wanted = process.env.CRESSET_BACKEND ?? '';
  if (wanted === 'reference') return reference('CRESSET_BACKEND=reference');
  if (wanted !== '' && wanted !== 'native') {
    throw new Error(`CRESSET_BACKEND: expected native or reference, got ${JSON.stringify(wanted)}`);
  }
  // Whoever names an instruction set wants the addon too.
  const forcing = wanted === 'native' ? 'CRESSET_BACKEND' : process.env.CRESSET_ISA ? 'CRESSET_ISA' : null;
  let cause: unknown;
  try {
    const native = loadNative(forcing === null ? 'a binary fits this machine' : `${forcing}=${process.env[forcing]}`);
    if (native !== null) return native;
  } catch (error) {
    cause = error;
  }
  const why =
    cause === undefined ? 'no binary for this machine' : `the binary failed to load: ${String(cause as Error)}`;
  if (forcing !== null) {
    throw new Error(
      `cresset: ${forcing}=${process.env[forcing]}, but ${why}. To mend it: run \`npm rebuild cresset\` with a C++20 ` +
        `compiler, make and Python 3 installed; or unset ${forcing} to take what there is.`,
      { cause },
    );
  }
  if (cause !== undefined) process.emitWarning(`cresset runs on the slower reference backend: ${why}`);
  return reference(why);
}

/** The backend of this process. */
export const backend: Backend = choose();

/** The memory of its tensors. */
export const pool = new Pool(backend.tracker);
