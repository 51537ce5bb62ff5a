import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the machine reaches at most, measured now. */
export interface Limits {
  /** Multiply-adds in registers, in 10^9 floating-point operations a second. */
  readonly gflops: number;
  /** Two arrays read and one written, in 10^9 bytes a second. */
  readonly gbytes: number;
}

/** Compiles and runs probe.cc; null where there is no compiler. */
export function measureLimits(threads: number): Limits | null {
  const folder = mkdtempSync(join(tmpdir(), 'cresset-probe-'));
  try {
    const program = join(folder, 'probe');
    const source = fileURLToPath(new URL('probe.cc', import.meta.url));
    const flags = ['-std=c++20', '-O3', '-march=native', '-ffp-contract=fast', '-pthread', source, '-o', program];
    const compiled = spawnSync(process.env.CXX ?? 'c++', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    if (compiled.status !== 0) return null;
    return JSON.parse(spawnSync(program, [String(threads)], { encoding: 'utf8' }).stdout) as Limits;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the results were measured on. */
export function describeMachine(): object {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
}
