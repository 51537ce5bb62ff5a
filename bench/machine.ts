import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Limit } from './cases.js';

/** 10^9 floating-point operations, or bytes, a second, that the machine reached in a loop's rounds. */
export interface Reached {
  /** In the fastest round; through streams, what they sustain. */
  readonly most: number;
  readonly median: number;
}

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

  /** What the machine reaches now. */
  measure(limit: Limit, threads: number): Reached {
    const printed = spawnSync(this.program, [String(threads), limit], { encoding: 'utf8' }).stdout;
    const [most, median] = printed.split(' ').map(Number);
    if (!(most > 0 && median > 0)) throw new Error(`bench: the probe of ${limit} on ${threads} thread(s) failed`);
    return { most, median };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Times over the shortest one. */
export interface Slowdown {
  readonly median: number;
  /** A tenth are longer. */
  readonly tenth: number;
}

/**
 * How much of a core something else takes: the times of a loop that is always the same. It keeps a core's units busy, so that it
 * shows too when another machine runs on the core's second thread, which the system's load does not know of.
 */
export class CoreWatch {
  private readonly times: number[] = [];
  private sum = 0;

  constructor() {
    // Until the loop is compiled.
    for (let i = 0; i < 200; i++) this.add();
  }

  sample(): void {
    for (let i = 0; i < 10; i++) this.times.push(this.add());
  }

  private add(): number {
    const begin = performance.now();
    this.sum ^= additions(100_000);
    return performance.now() - begin;
  }

  slowdown(): Slowdown {
    const sorted = this.times.sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor(part * sorted.length)] / sorted[0];
    return { median: at(0.5), tenth: at(0.9) };
  }
}

/** More at once than one chain of additions would be. */
function additions(count: number): number {
  let a = 1;
  let b = 2;
  let c = 3;
  let d = 4;
  for (let i = 0; i < count; i++) {
    a = (a + b) | 0;
    b = (b ^ c) | 0;
    c = (c + d) | 0;
    d = (d ^ a) | 0;
  }
  return a + b + c + d;
}

/** What the results were measured on. */
export function describeMachine(): { cpu: string; cores: number; node: string } {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
}
