import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('programs/soak.ts', import.meta.url));

test('memory stays bounded in a synchronous loop, and held tensors stay as they were', () => {
  // 200 steps of about 16 MiB: 3.2 GiB are taken in all.
  const output = execFileSync(process.execPath, ['--import', 'tsx', program, '200', '16'], { encoding: 'utf8' });
  const [early, late] = JSON.parse(output) as [number, number];
  // What is left to the engine's own heuristics on the reference backend varies more.
  expect(late).toBeLessThan(600);
  expect(late - early).toBeLessThan(150);
});
