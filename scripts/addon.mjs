// The native addon: finding it and building it. Plain Node, since it runs before anything else is there.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** The package's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The addon that would be loaded, local build or prebuilt, or null. */
export function findAddon() {
  try {
    return require('node-gyp-build').path(root);
  } catch {
    return null; // it throws only this: nothing fits
  }
}

/** node-gyp of this repository's development dependencies, else the one npm brings along and names to its scripts. */
function nodeGyp() {
  try {
    return require.resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return process.env.npm_config_node_gyp;
  }
}

/** Builds what changed of the addon into build/Release and says whether that went well. */
export function buildAddon() {
  const script = nodeGyp();
  if (!script) return false;
  const args = [script, 'configure', 'build', `--jobs=${availableParallelism()}`, '--loglevel=error'];
  // Most Node installations carry their headers, which spares node-gyp a download.
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const here = existsSync(join(prefix, 'include/node/node_api.h'));
  if (here && !process.env.npm_config_nodedir) args.push(`--nodedir=${prefix}`);
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
}
