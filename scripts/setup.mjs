// Sets up what a checkout lacks: dependencies, generated sources, the addon, dist/. With all there it does nothing.
//   --require-addon   an addon that cannot be built is an error
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function run(what, file, args) {
  console.log(`setup: ${what}`);
  const shell = process.platform === 'win32' && file === 'npm';
  if (spawnSync(file, args, { cwd: root, stdio: 'inherit', shell }).status !== 0) fail(`${what}: failed`);
}

/** The latest change among files and folders, in ms; 0 for what does not exist. */
function changed(...paths) {
  const times = paths.map((path) => {
    const full = join(root, path);
    if (!existsSync(full)) return 0;
    const stat = statSync(full);
    return stat.isDirectory() ? changed(...readdirSync(full).map((name) => join(path, name))) : stat.mtimeMs;
  });
  return Math.max(0, ...times);
}

if (changed('node_modules/.package-lock.json') < changed('package-lock.json')) {
  run('installing dependencies (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund']);
}

await import('./kernels.mjs');

const { buildAddon } = await import('./addon.mjs');
const addon = 'build/Release/cresset.node';
if (changed(addon) < changed('native', 'binding.gyp')) {
  console.log('setup: building the addon (node-gyp)');
  if (!buildAddon()) {
    const needs = 'it needs a C++20 compiler (g++ or clang++), make and Python 3';
    if (process.argv.includes('--require-addon')) fail(`the addon did not build: ${needs}`);
    // A stale binary must not be loaded in its place.
    rmSync(join(root, addon), { force: true });
    console.warn(`setup: the addon did not build (${needs}); the reference backend will run, slower`);
  }
}

if (changed('dist/types/package.json') < changed('lib', 'tsconfig.json', 'tsconfig.build.json', 'scripts/dist.mjs')) {
  run('bundling lib/ to dist/ (rolldown, tsc)', process.execPath, ['scripts/dist.mjs']);
}

const { isCodeKept, keepCode } = await import('./code.mjs');
if (!isCodeKept()) keepCode();
