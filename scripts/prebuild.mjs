// Makes the binaries that ship, in prebuilds/: for this machine and, on Linux with glibc, for the architectures whose
// cross-compiler is installed (g++-aarch64-linux-gnu, g++-x86-64-linux-gnu), and for musl if there is a zig. Leaves no
// build/, as that would be loaded first.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildEnvironment, root } from './addon.mjs';

const crossCompilers = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
/** What zig compiles for. It turns the widest vectors of AVX-512 off where they are not named. */
const muslTargets = { x64: 'x86_64-linux-musl -mcpu=x86_64+evex512', arm64: 'aarch64-linux-musl' };
const crossing = process.platform === 'linux' && !existsSync('/etc/alpine-release');

function prebuild(arch, environment, options) {
  console.log(`prebuild: ${process.platform}-${arch}`);
  const script = join(root, 'node_modules/prebuildify/bin.js');
  const { status } = spawnSync(process.execPath, [script, '--napi', '--tag-libc', '--arch', arch, ...options], {
    cwd: root,
    stdio: 'inherit',
    env: { JOBS: 'max', ...buildEnvironment, ...environment },
  });
  rmSync(join(root, 'build'), { recursive: true, force: true });
  if (status !== 0) process.exit(1);
}

const has = (command, argument) => spawnSync(command, [argument], { stdio: 'ignore' }).status === 0;

prebuild(process.arch, {}, ['--strip']);
for (const [arch, prefix] of crossing ? Object.entries(crossCompilers) : []) {
  if (arch === process.arch) continue;
  if (!has(`${prefix}-g++`, '--version')) {
    console.log(`prebuild: linux-${arch} skipped: there is no ${prefix}-g++`);
    continue;
  }
  prebuild(arch, { CC: `${prefix}-gcc`, CXX: `${prefix}-g++` }, ['--strip', '--strip-bin', `${prefix}-strip`]);
}
for (const [arch, target] of crossing && has('zig', 'version') ? Object.entries(muslTargets) : []) {
  const compilers = { CC: `zig cc -target ${target}`, CXX: `zig c++ -target ${target}` };
  prebuild(arch, { ...compilers, LDFLAGS: '-s', PREBUILD_LIBC: 'musl' }, []);
}
