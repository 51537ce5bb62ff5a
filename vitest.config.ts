import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** The instruction sets that can be tested here: those of the local build on this machine. */
function nativeTargets(): readonly string[] {
  const require = createRequire(import.meta.url);
  const { path } = require('node-gyp-build') as { path(dir: string): string };
  return (require(path(root)) as { isas: readonly string[] }).isas;
}

const backends = [
  { name: 'reference', env: { CRESSET_BACKEND: 'reference' } },
  ...nativeTargets().map((isa) => ({ name: `native ${isa}`, env: { CRESSET_BACKEND: 'native', CRESSET_ISA: isa } })),
];

export default defineConfig({
  resolve: { alias: { cresset: `${root}lib/index.ts` } },
  test: {
    projects: backends.map(({ name, env }) => ({
      extends: true,
      test: { name, env, include: ['test/**/*.test.ts'], testTimeout: 60_000 },
    })),
  },
});
