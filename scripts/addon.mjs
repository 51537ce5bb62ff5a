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

/** Whether an addon, local build or prebuilt, loads here. One for this platform may yet need a newer C library. */
export function addonLoads() {
  try {
    require('node-gyp-build')(root);
    return true;
  } catch {
    return false;
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

const prefix = dirname(dirname(realpathSync(process.execPath)));

/** The folder of Node's headers, which most installations carry; undefined where node-gyp would have to download them. */
export const headers =
  process.env.npm_config_nodedir ?? (existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined);

/** The environment for node-gyp. */
export const buildEnvironment = headers === undefined ? process.env : { ...process.env, npm_config_nodedir: headers };

/** Builds what changed of the addon into build/Release and says whether that went well. */
export function buildAddon() {
  const script = nodeGyp();
  if (!script) return false;
  const args = [script, 'configure', 'build', `--jobs=${availableParallelism()}`, '--loglevel=error'];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: buildEnvironment }).status === 0;
}
