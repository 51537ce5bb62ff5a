import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Worker threads would each compile TypeScript anew, so the program is bundled first. It lies in the package's folder, from
// where it finds the addon.
const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'runs', `workers-${process.pid}.mjs`);

beforeAll(async () => {
  const bundle = await rolldown({
    input: join(root, 'test/programs/workers.ts'),
    platform: 'node',
    resolve: { alias: { cresset: join(root, 'lib/index.ts') } },
  });
  await bundle.write({ file: program, format: 'esm', codeSplitting: false });
  await bundle.close();
});

afterAll(() => rmSync(program, { force: true }));

/** Runs a mode of the program in a process of its own: an end other than of its own accord fails the test. */
async function run(mode: string, { signal }: { signal: AbortSignal }): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, mode], { signal });
  // The last line: Node.js 22 prints its own sources where a worker is terminated while it makes a context.
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

test('workers that train at once each give what they give alone', async (context) => {
  const { together, alone, here } = (await run('together', context)) as {
    together: string[];
    alone: string[];
    here: string;
  };
  expect(together).toEqual(alone);
  expect(new Set(together).size).toBe(4);
  expect(here).toBe(alone[2]);
});

test('workers may be terminated at any moment', async (context) => {
  const { before, after } = (await run('terminated', context)) as { before: string; after: string };
  expect(after).toBe(before);
});

test('the memory of finished workers comes back', async (context) => {
  const [early, late] = (await run('memory', context)) as [number, number];
  expect(late - early).toBeLessThan(60);
});

test('forked processes train as this one does', async (context) => {
  const { forked, here } = (await run('cluster', context)) as { forked: string[]; here: string };
  expect(forked).toEqual([here, here]);
});
