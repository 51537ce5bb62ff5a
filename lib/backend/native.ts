import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlockTracker } from '../tensor/pool.js';
import type { Backend } from './backend.js';
import { contract } from './kernels.js';

interface Addon extends BlockTracker {
  readonly contract: readonly string[];
  readonly isa: string;
  readonly isas: readonly string[];
  readonly frame: Float64Array;
  run(): boolean | undefined;
  getThreads(): number;
  setThreads(n: number): void;
}

/** The package's folder: the nearest one above this file that holds package.json. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/**
 * Loads the addon: a local build first, else the prebuilt binary that fits this machine.
 * @returns null if there is no binary at all.
 * @throws Error if there is one and it cannot be used.
 */
export function loadNative(reason: string): Backend | null {
  const root = packageRoot();
  const require = createRequire(import.meta.url);
  const nodeGypBuild = require('node-gyp-build') as { path(dir: string): string };
  let file: string;
  try {
    file = nodeGypBuild.path(root);
  } catch {
    return null; // node-gyp-build throws only this: no build and no prebuild fits
  }
  // Not by require(), which gives everyone the same: a test runner that loads the library anew for each file would have all of
  // them find each other's dead tensors.
  const loaded = { exports: {} };
  process.dlopen(loaded, file);
  const addon = loaded.exports as Addon;
  const mismatch = contract.findIndex((line, i) => addon.contract[i] !== line);
  if (mismatch !== -1 || addon.contract.length !== contract.length) {
    const i = mismatch === -1 ? contract.length : mismatch;
    throw new Error(
      `${file} was built from other sources: kernel ${i} is "${addon.contract[i]}" there and "${contract[i]}" here. ` +
        'Rebuild it with `npm run build:native`.',
    );
  }
  return {
    name: 'native',
    isa: addon.isa,
    isas: addon.isas,
    file,
    reason,
    frame: addon.frame,
    run: addon.run,
    lend: null,
    tracker: addon,
    getThreads: () => addon.getThreads(),
    setThreads: (n) => addon.setThreads(n),
  };
}
