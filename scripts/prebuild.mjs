// Makes the binaries that ship, in prebuilds/: for this machine and, on Linux with glibc, for the architectures whose
// cross-compiler is installed (g++-aarch64-linux-gnu, g++-x86-64-linux-gnu). Leaves no build/, as that would be loaded first.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildEnvironment, root } from './addon.mjs';

const crossCompilers = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const crossing = process.platform === 'linux' && !existsSync('/etc/alpine-release');

function prebuild(arch, environment, options) {
  console.log(`prebuild: ${process.platform}-${arch}`);
  const script = join(root, 'node_modules/prebuildify/bin.js');
  const { status } = spawnSync(
    process.execPath,
    [script, '--napi', '--strip', '--tag-libc', '--arch', arch, ...options],
    {
      cwd: root,
      stdio: 'inherit',
      env: { JOBS: 'max', ...buildEnvironment, ...environment },
    },
  );
  rmSync(join(root, 'build'), { recursive: true, force: true });
  if (status !== 0) process.exit(1);
}

prebuild(process.arch, {}, []);
for (const [arch, prefix] of crossing ? Object.entries(crossCompilers) : []) {
  if (arch === process.arch) continue;
  if (spawnSync(`${prefix}-g++`, ['--version'], { stdio: 'ignore' }).status !== 0) {
    console.log(`prebuild: linux-${arch} skipped: there is no ${prefix}-g++`);
    continue;
  }
  prebuild(arch, { CC: `${prefix}-gcc`, CXX: `${prefix}-g++` }, ['--strip-bin', `${prefix}-strip`]);
}
