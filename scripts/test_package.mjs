// Packs the package and installs it in empty projects, in the three ways an install may go. Needs the npm registry.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { headers, root } from './addon.mjs';

const most = 3 * 2 ** 20;
/** The newest versions a binary may ask for: what Node.js 20 asks for, and GCC 8's libstdc++, which comes with that glibc. */
const newest = { GLIBC: [2, 28], GLIBCXX: [3, 4, 25] };

const work = mkdtempSync(join(tmpdir(), 'cresset-package-'));
process.on('exit', () => rmSync(work, { recursive: true }));

function run(cwd, file, args, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, env, encoding: 'utf8' });
  assert.equal(status, 0, `${file} ${args.join(' ')}: ${error ?? stdout + stderr}`);
  return stdout;
}

/** npm, run by this Node and not by a file on the PATH. */
function npm(cwd, args, env) {
  return run(cwd, process.execPath, [process.env.npm_execpath, ...args], env);
}

/** The tarball of a folder. */
function pack(folder, name) {
  const destination = join(work, name);
  mkdirSync(destination);
  npm(folder, ['pack', '--ignore-scripts', '--pack-destination', destination]);
  return join(destination, readdirSync(destination)[0]);
}

/** Installs a tarball in an empty project and returns what the program found there. */
function install(name, tarball, env) {
  const project = join(work, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  npm(project, ['install', '--no-audit', '--no-fund', tarball], env);
  const kept = readdirSync(join(project, 'node_modules/cresset/dist')).filter((file) => file.endsWith('.cache'));
  assert.equal(kept.length, 1, "V8's code should have been kept");
  copyFileSync(join(root, 'test/programs/package.mjs'), join(project, 'program.mjs'));
  const backend = JSON.parse(run(project, process.execPath, ['program.mjs'], env));
  console.log(`${name}: ${backend.name} backend, instruction set ${backend.isa}, ${backend.reason}`);
  return { project, backend };
}

/** This machine's commands that are needed even where there is no compiler. */
function bareEnvironment() {
  const bin = join(work, 'bin');
  mkdirSync(bin);
  for (const command of ['sh', 'node']) {
    const folder = process.env.PATH.split(delimiter).find((folder) => existsSync(join(folder, command)));
    symlinkSync(command === 'node' ? process.execPath : join(folder, command), join(bin, command));
  }
  return { ...process.env, PATH: bin };
}

function checkVersions(file) {
  for (const [, library, version] of readFileSync(file, 'latin1').matchAll(/\b(GLIBC|GLIBCXX)_(\d[\d.]*)\0/g)) {
    const [wanted, allowed] = [version.split('.').map(Number), newest[library]];
    const i = allowed.findIndex((number, i) => number !== (wanted[i] ?? 0));
    assert(i === -1 || (wanted[i] ?? 0) < allowed[i], `${file} needs ${library}_${version}: see native/glibc.h`);
  }
}

/** Compiles the program of types in the project, under each way to resolve modules. */
function checkTypes(project) {
  for (const extension of ['mts', 'cts'])
    copyFileSync(join(root, 'test/programs/package_types.ts'), join(project, `types.${extension}`));
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022'];
  for (const [module, resolution, files] of [
    ['node16', 'node16', ['types.mts', 'types.cts']],
    ['nodenext', 'nodenext', ['types.mts', 'types.cts']],
    ['esnext', 'bundler', ['types.mts']],
  ]) {
    run(project, process.execPath, [...tsc, '--module', module, '--moduleResolution', resolution, ...files]);
    console.log(`types: resolved under ${resolution}`);
  }
}

// What npm would publish, with a binary for this machine in any case.
run(work, 'tar', ['-xzf', pack(root, 'as it is')]);
const folder = join(work, 'package');
const prebuilds = join(folder, 'prebuilds');
const own = join(prebuilds, `${process.platform}-${process.arch}`);
if (!existsSync(own)) {
  mkdirSync(own, { recursive: true });
  const libc = existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
  const binary = join(own, process.platform === 'linux' ? `cresset.${libc}.node` : 'cresset.node');
  copyFileSync(join(root, 'build/Release/cresset.node'), binary);
  run(own, 'strip', [process.platform === 'darwin' ? '-Sx' : '--strip-all', binary]);
}
const tarball = pack(folder, 'with binaries');
const { size } = statSync(tarball);
const binaries = readdirSync(prebuilds, { recursive: true }).filter((name) => name.endsWith('.node'));
console.log(`tarball: ${(size / 2 ** 20).toFixed(2)} MB with ${binaries.join(', ')}`);
assert(size < most, `the tarball has more than ${most} bytes`);
for (const name of binaries) checkVersions(join(prebuilds, name));

const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true });
assert.deepEqual(
  messages.map((message) => formatMessage(message, pkg)),
  [],
  'publint',
);
const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
assert.deepEqual(problems, [], 'are the types wrong?');
console.log('publint and are-the-types-wrong find nothing');

const bare = bareEnvironment();
const prebuilt = install('prebuilt', tarball, bare);
assert(prebuilt.backend.file?.includes('prebuilds'), 'the prebuilt binary should have been loaded');
checkTypes(prebuilt.project);

rmSync(prebuilds, { recursive: true });
const sources = pack(folder, 'without binaries');
const neither = install('neither', sources, bare);
assert.equal(neither.backend.name, 'reference');
if (headers === undefined) {
  console.log('compiled: not tried, as this Node carries no headers');
} else {
  // What takes the time is optimizing.
  const compiled = install('compiled', sources, { ...process.env, CXXFLAGS: '-O0' });
  assert(compiled.backend.file?.includes('build'), 'the binary should have been built');
}
