import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Launch } from '../contender.js';

/** Where the peers are installed: they are no dependencies of this project. */
const folder = fileURLToPath(new URL('../../runs/peers', import.meta.url));

const packages: Record<string, string[]> = {
  tfjs: ['@tensorflow/tfjs@4.22.0', '@tensorflow/tfjs-backend-wasm@4.22.0'],
  'jax-js': ['@jax-js/jax@0.1.25'],
};

/** Installs other libraries that train in Node.js and tells how they are started; skips those that do not install. */
export function installPeers(): Record<string, Launch> {
  const launch = (script: string, ...args: string[]): Launch => ({
    file: process.execPath,
    args: [fileURLToPath(new URL(script, import.meta.url)), ...args],
  });
  const found: Record<string, Launch> = {};
  if (install('tfjs')) {
    found['tfjs-cpu'] = launch('tfjs.mjs', 'cpu');
    found['tfjs-wasm'] = launch('tfjs.mjs', 'wasm');
  }
  if (install('jax-js')) found['jax-js'] = launch('jax_js.mjs');
  return found;
}

function install(peer: string): boolean {
  const prefix = join(folder, peer);
  if (existsSync(join(prefix, 'node_modules'))) return true;
  mkdirSync(prefix, { recursive: true });
  writeFileSync(join(prefix, 'package.json'), '{ "private": true }');
  console.error(`installing ${packages[peer].join(' ')} in ${prefix}`);
  const options = { cwd: prefix, stdio: 'inherit' as const, shell: process.platform === 'win32' };
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', ...packages[peer]], options);
  if (status !== 0) console.error(`${peer} did not install: it is left out`);
  return status === 0;
}
