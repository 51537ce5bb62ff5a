// Runs tests on each supported version of Node.js but the one that runs this, with the one binary that is built; the npm package
// `node` brings them.
//   test_nodes.mjs             the tests that depend most on the engine
//   test_nodes.mjs test/       all of them, or what else is to be handed to vitest
import { spawnSync } from 'node:child_process';
import { root } from './addon.mjs';

const smoke = [
  '--project',
  'reference',
  '--project',
  'native baseline',
  'test/autograd.test.ts',
  'test/memory.test.ts',
];
const args = process.argv.length > 2 ? process.argv.slice(2) : smoke;
const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', ...args];
for (const version of [20, 22, 24, 26].filter((version) => !process.version.startsWith(`v${version}.`))) {
  console.log(`Node.js ${version}`);
  const npm = [process.env.npm_execpath, 'exec', '--yes', `--package=node@${version}`, '--', ...vitest];
  if (spawnSync(process.execPath, npm, { cwd: root, stdio: 'inherit' }).status !== 0) process.exitCode = 1;
}
