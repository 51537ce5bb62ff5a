import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** The instruction sets that can be tested here, the best first: those the addon has in the Node that will run the tests. */
function nativeTargets(): readonly string[] {
  const program = "console.log(JSON.stringify(require('node-gyp-build')('.').isas))";
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' })) as string[];
}

// How processes and workers start, share and end is the same with each instruction set: those tests take the best one.
const backends = [
  { name: 'reference', env: { CRESSET_BACKEND: 'reference' }, exclude: [] },
  ...nativeTargets().map((isa, i) => ({
    name: `native ${isa}`,
    env: { CRESSET_BACKEND: 'native', CRESSET_ISA: isa },
    exclude: i === 0 ? [] : ['test/processes/**'],
  })),
];

export default defineConfig({
  resolve: { alias: { cresset: `${root}lib/index.ts` } },
  test: {
    maxWorkers: '100%', // one fewer by itself, which on two cores is half
    projects: backends.map(({ name, env, exclude }) => ({
      extends: true,
      test: { name, env, include: ['test/**/*.test.ts'], exclude, testTimeout: 120_000 },
    })),
  },
});
