import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';

// In the package's folder, from where it finds the addon.
const root = fileURLToPath(new URL('../..', import.meta.url));
const library = join(root, 'runs', `instances-${process.pid}.cjs`);

beforeAll(async () => {
  const bundle = await rolldown({ input: join(root, 'lib/index.ts'), platform: 'node', external: /^[^./]/ });
  await bundle.write({ file: library, format: 'cjs', codeSplitting: false });
  await bundle.close();
});

afterAll(() => rmSync(library, { force: true }));

test('a process may load the library again: instances share nothing, and go with who held them', () => {
  const program = join(root, 'test/programs/instances.cjs');
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', program, library], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { equal, distinct, memory } = JSON.parse(stdout) as { equal: boolean; distinct: number; memory: number[] };
  expect(equal).toBe(true);
  expect(distinct).toBe(60);
  // MiB after 2 and after 10 instances of which each had 16.
  expect(memory[1] - memory[0]).toBeLessThan(40);
});
