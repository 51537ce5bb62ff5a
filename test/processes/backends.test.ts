import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('../programs/backends.ts', import.meta.url));

/** Runs the program with nothing but these settings. */
function run(settings: Record<string, string>): { report: Record<string, unknown> | null; error: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CRESSET_')));
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], {
    encoding: 'utf8',
    env: { ...env, ...settings },
  });
  return { report: stdout === '' ? null : (JSON.parse(stdout) as Record<string, unknown>), error: stderr };
}

const product = 64 * 64 * 64;

test.each([
  [{ CRESSET_BACKEND: 'reference' }, { name: 'reference', isa: 'none', threads: 1, product }],
  [
    { CRESSET_BACKEND: 'reference', NODE_OPTIONS: '--disallow-code-generation-from-strings' },
    { name: 'reference', product },
  ],
  [
    { CRESSET_BACKEND: 'native', CRESSET_NUM_THREADS: '3' },
    { name: 'native', threads: 3, product },
  ],
  [{ CRESSET_ISA: 'baseline' }, { name: 'native', isa: 'baseline', reason: 'CRESSET_ISA=baseline', product }],
])('%j', (settings, expected) => {
  expect(run(settings).report).toMatchObject(expected);
});

test.each([
  [{ CRESSET_BACKEND: 'gpu' }, /CRESSET_BACKEND: expected native or reference, got "gpu"/],
  [{ CRESSET_ISA: 'mmx' }, /CRESSET_ISA=mmx, but .*no mmx; what it has: .*baseline.*To mend it/],
  [{ CRESSET_NUM_THREADS: '0' }, /CRESSET_NUM_THREADS: expected an integer from 1 to 1024, got "0"/],
])('%j is refused', (settings, message) => {
  const { report, error } = run(settings);
  expect(report).toBeNull();
  expect(error).toMatch(message);
});
