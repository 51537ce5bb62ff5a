import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Program } from './cases.js';

/** The PyTorch side's program, for one that is to be started anew. */
export const script = fileURLToPath(new URL('torch_bench.py', import.meta.url));

/** A Python that has torch: $CRESSET_BENCH_PYTHON, the one in .venv, or python3; null if none. */
export function findPython(): string | null {
  const local = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
  const candidates = [process.env.CRESSET_BENCH_PYTHON, existsSync(local) ? local : undefined, 'python3'];
  const hasTorch = (python: string) => spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0;
  return candidates.find((python) => python !== undefined && hasTorch(python)) ?? null;
}

/** A Python process that stays up and runs programs on PyTorch. */
export class PyTorch {
  private readonly process: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: Interface;
  private readonly ended: Promise<unknown[]>;

  constructor(python: string) {
    this.process = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface(this.process.stdout);
    this.ended = once(this.process, 'exit') as Promise<unknown[]>;
  }

  /** Sets the number of threads and returns PyTorch's version. */
  async start(threads: number): Promise<string> {
    return (await this.ask<{ version: string }>({ threads })).version;
  }

  /** Runs a program's step for about `seconds` and returns samples of its time, in microseconds. */
  async sample(program: Program, seconds: number): Promise<number[]> {
    return (await this.ask<{ times: number[] }>({ program, seconds })).times;
  }

  stop(): void {
    this.process.stdin.end();
  }

  private async ask<Answer>(request: object): Promise<Answer> {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = (await Promise.race([once(this.lines, 'line'), this.ended])) as unknown[];
    if (typeof answer[0] !== 'string') throw new Error(`the PyTorch process ended: ${String(answer[0] ?? answer[1])}`);
    return JSON.parse(answer[0]) as Answer;
  }
}
