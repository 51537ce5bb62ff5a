import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Program } from './cases.js';

/** How a contender's process is started. */
export interface Launch {
  readonly file: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
  /** The number of threads, where it is not the run's. */
  readonly threads?: number;
}

/** What a contender tells of itself. */
export interface Description {
  readonly version: string;
  /** The kinds of programs it can run. */
  readonly kinds: string[];
  /** The threads in use, from Cresset. */
  readonly threads?: number;
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Cresset in a process of its own, on plain Node. */
export const cresset: Launch = { file: process.execPath, args: [path('contenders/cresset.mjs')] };

/** A Python that has torch: $CRESSET_BENCH_PYTHON, the one in .venv, or python3; null if none. */
export function findPython(): string | null {
  const local = path('../.venv/bin/python');
  const candidates = [process.env.CRESSET_BENCH_PYTHON, existsSync(local) ? local : undefined, 'python3'];
  return candidates.find((python) => python !== undefined && has(python, 'torch')) ?? null;
}

function has(python: string, modules: string): boolean {
  return spawnSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0;
}

/**
 * Has glibc keep what PyTorch frees, within the limits it takes. Left alone it gives large results back to the system each time:
 * where faulting them in again is slow, as in some virtual machines, that takes ten times as long as the arithmetic.
 */
const KEEP_MEMORY = { MALLOC_MMAP_THRESHOLD_: String(2 ** 25), MALLOC_TRIM_THRESHOLD_: String(2 ** 32) };

/** How each contender there is on this machine is started. */
export function launches(python: string | null): Record<string, Launch> {
  const found: Record<string, Launch> = {
    Cresset: cresset,
    reference: { ...cresset, env: { CRESSET_BACKEND: 'reference' } },
    '1 thread': { ...cresset, threads: 1 },
    '2 threads': { ...cresset, threads: 2 },
  };
  if (python !== null) found.PyTorch = { file: python, args: [path('contenders/pytorch.py')], env: KEEP_MEMORY };
  if (python !== null && has(python, 'jax, optax'))
    found['JAX jit'] = { file: python, args: [path('contenders/jax_jit.py')] };
  return found;
}

/** A process that stays up and runs programs; contenders/serve.mjs has the protocol. */
export class Contender {
  private readonly process: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: Interface;
  private readonly ended: Promise<unknown[]>;

  private constructor(
    private readonly name: string,
    { file, args, env }: Launch,
  ) {
    this.process = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    this.lines = createInterface(this.process.stdout);
    this.ended = once(this.process, 'exit') as Promise<unknown[]>;
  }

  /** Starts the process and has it take its number of threads, its own default where `threads` is null. */
  static async start(name: string, launch: Launch, threads: number | null): Promise<Contender & Description> {
    const contender = new Contender(name, launch);
    return Object.assign(contender, await contender.ask<Description>({ threads: launch.threads ?? threads }));
  }

  /** Runs a program's step for about `seconds`, or five samples, and returns those of its time, in microseconds. */
  async sample(program: Program, seconds: number): Promise<number[]> {
    return (await this.ask<{ times: number[] }>({ program, seconds })).times;
  }

  /** A digest of the bits of what a program's last step returns. */
  async digest(program: Program, steps: number): Promise<string> {
    return (await this.ask<{ digest: string }>({ program, steps })).digest;
  }

  stop(): void {
    this.signal('SIGCONT');
    this.process.stdin.end();
  }

  private signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (process.platform !== 'win32') this.process.kill(name);
  }

  private async ask<Answer>(request: object): Promise<Answer> {
    // Stopped when it is not its turn: thread pools go on spinning for a while and would slow the next one.
    this.signal('SIGCONT');
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = (await Promise.race([once(this.lines, 'line'), this.ended])) as unknown[];
    if (typeof answer[0] !== 'string') throw new Error(`bench: ${this.name} ended: ${String(answer[0] ?? answer[1])}`);
    this.signal('SIGSTOP');
    return JSON.parse(answer[0]) as Answer;
  }
}
