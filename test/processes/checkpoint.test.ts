import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import * as torch from 'cresset';

const folder = mkdtempSync(join(tmpdir(), 'cresset-checkpoint-'));
const program = fileURLToPath(new URL('../programs/checkpoint_writer.ts', import.meta.url));
afterAll(() => rmSync(folder, { recursive: true }));

const kills = Number(process.env.CRESSET_KILLS ?? 8);

test(`a process killed while it saves leaves a whole checkpoint (${kills} times)`, async () => {
  const killOne = async (index: number) => {
    const file = join(folder, `${index}.safetensors`);
    const child = spawn(process.execPath, ['--import', 'tsx', program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    await setTimeout((index * 37) % 101); // somewhere in the writing of one of the next
    child.kill('SIGKILL');
    await closed;
    expect(existsSync(file)).toBe(true);
    const { i, model, ends } = torch.load(file) as Record<string, never>;
    const { weight, bias } = model as Record<string, torch.Tensor>;
    for (const tensor of [weight, bias, ends as torch.Tensor]) {
      expect([tensor.amin().item(), tensor.amax().item()]).toEqual([i, i]);
    }
    rmSync(file);
  };
  for (let index = 0; index < kills; index += 4)
    await Promise.all([0, 1, 2, 3].filter((k) => index + k < kills).map((k) => killOne(index + k)));
}, 600_000);
