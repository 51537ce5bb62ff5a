import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Limit } from './cases.js';

/** probe.cc, compiled for this machine. */
export class Probe {
  private constructor(
    private readonly folder: string,
    private readonly program: string,
  ) {}

  /** Null where there is no C++ compiler. */
  static compile(): Probe | null {
    const folder = mkdtempSync(join(tmpdir(), 'cresset-probe-'));
    const program = join(folder, 'probe');
    const source = fileURLToPath(new URL('probe.cc', import.meta.url));
    const flags = ['-std=c++20', '-O3', '-march=native', '-ffp-contract=fast', '-pthread', source, '-o', program];
    const probe = new Probe(folder, program);
    if (spawnSync(process.env.CXX ?? 'c++', flags, { stdio: 'ignore' }).status === 0) return probe;
    probe.remove();
    return null;
  }

  /** What the machine reaches at most, now: 10^9 floating-point operations, or bytes, a second. */
  measure(limit: Limit, threads: number): number {
    const reached = Number(spawnSync(this.program, [String(threads), limit], { encoding: 'utf8' }).stdout);
    if (!(reached > 0)) throw new Error(`bench: the probe of ${limit} on ${threads} thread(s) failed`);
    return reached;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** What the results were measured on. */
export function describeMachine(): { cpu: string; cores: number; node: string } {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
}
