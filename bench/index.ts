// Measures each workload on Cresset and, where a Python with torch is found, on PyTorch, alternating on the same threads.
//   npm run bench -- [workload…] [--out file]
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import * as torch from 'cresset';
import { workloads, type Case } from './cases.js';
import { prepare, sample } from './engine.js';
import { describeMachine, measureLimits, type Limits } from './machine.js';
import { findPython, PyTorch, script } from './pytorch.js';

const rounds = 3;
const seconds = 0.1;
/** Milliseconds in which the other side's idle threads go to sleep. */
const pause = 20;
const longRun = 20_000;

interface Result {
  workload: string;
  name: string;
  unit: 'µs' | 'ms' | 'MB';
  cresset: number;
  pytorch: number | null;
  /** The part of the machine's own limit that Cresset reaches. */
  share: number | null;
}

const names = [...Object.keys(workloads), 'load'];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: 'runs/bench.json' } },
});
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined)
  throw new Error(`bench: no workload ${JSON.stringify(unknown)}; there are ${names.join(', ')}`);
const chosen = positionals.length > 0 ? positionals : names;

const threads = torch.get_num_threads();
const limits = measureLimits(threads);
const python = findPython();
const pytorch = python === null ? null : new PyTorch(python);
const version = pytorch === null ? null : await pytorch.start(threads);
console.log(
  `cresset ${torch.__version__} (${torch.backends.name}, ${torch.backends.isa}); ` +
    `${version === null ? 'no Python with torch found' : `PyTorch ${version}`}; ${threads} thread(s)`,
);
console.log(
  limits === null
    ? "no C++ compiler: the machine's limits are unknown"
    : `the machine's limits: ${limits.gflops.toFixed(0)} GFLOP/s, ${limits.gbytes.toFixed(1)} GB/s`,
);

const load = loadavg()[0];
if (load > 0.5)
  console.log(`other programs are running (load ${load.toFixed(1)}): times will be too long, on either side`);

const results: Result[] = [];
for (const workload of chosen) {
  const found = workload === 'load' ? measureLoad() : await measureAll(workload, workloads[workload]);
  results.push(...found);
  console.log(`\n${workload}\n${tableOf(found)}`);
}
pytorch?.stop();

mkdirSync(dirname(values.out), { recursive: true });
const conditions = { date: new Date().toISOString(), ...describeMachine(), load, threads, limits, pytorch: version };
writeFileSync(
  values.out,
  JSON.stringify({ ...conditions, cresset: torch.__version__, backend: torch.backends, results }, null, 1),
);
console.log(`\nwrote ${values.out}`);

async function measureAll(workload: string, cases: Case[]): Promise<Result[]> {
  const found: Result[] = [];
  for (const { name, program, flops, bytes } of cases) {
    const step = prepare(program);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(...sample(step, seconds));
      await sleep(pause);
      if (pytorch === null) continue;
      theirs.push(...(await pytorch.sample(program, seconds)));
      await sleep(pause);
    }
    const cresset = median(ours);
    const result = { workload, name, unit: 'µs' as const, cresset, pytorch: theirs.length > 0 ? median(theirs) : null };
    found.push({ ...result, share: shareOf(limits, cresset, flops, bytes) });
  }
  return found;
}

function shareOf(limits: Limits | null, micros: number, flops?: number, bytes?: number): number | null {
  if (limits === null) return null;
  if (flops !== undefined) return flops / micros / 1000 / limits.gflops;
  return bytes === undefined ? null : bytes / micros / 1000 / limits.gbytes;
}

/** From process start to the end, with one trained step and with many; and the most memory that was resident. */
function measureLoad(): Result[] {
  const program = fileURLToPath(new URL('load.mjs', import.meta.url));
  const ours = () => run(process.execPath, [program, '1']);
  const theirs = python === null ? null : () => run(python, [script, '--load', '1']);
  const pairs = Array.from({ length: rounds }, () => ({ ours: ours(), theirs: theirs?.() }));
  const longOurs = run(process.execPath, [program, String(longRun)]);
  const longTheirs = python === null ? null : run(python, [script, '--load', String(longRun)]);
  const of = (value: (run: Run) => number, what: 'ours' | 'theirs') =>
    median(pairs.map((pair) => (pair[what] === undefined ? NaN : value(pair[what]))));
  const row = (name: string, unit: Result['unit'], cresset: number, other: number | undefined): Result => ({
    workload: 'load',
    name,
    unit,
    cresset,
    pytorch: other === undefined || Number.isNaN(other) ? null : other,
    share: null,
  });
  const [time, memory] = [(run: Run) => run.ms, (run: Run) => run.mb];
  return [
    row('process with one step', 'ms', of(time, 'ours'), of(time, 'theirs')),
    row('resident, one step', 'MB', of(memory, 'ours'), of(memory, 'theirs')),
    row(`resident, ${longRun} steps`, 'MB', longOurs.mb, longTheirs?.mb),
  ];
}

interface Run {
  ms: number;
  mb: number;
}

function run(file: string, args: string[]): Run {
  const start = performance.now();
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`bench: ${file} ${args.join(' ')} failed`);
  return { ms: performance.now() - start, mb: Number(stdout) / 2 ** 20 };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function tableOf(found: Result[]): string {
  const table = new Table({
    head: ['', 'Cresset', 'PyTorch', 'PyTorch / Cresset', 'of the limit'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  const show = (value: number, unit: string) => `${value < 100 ? value.toPrecision(3) : value.toFixed(0)} ${unit}`;
  for (const { name, unit, cresset, pytorch, share } of found) {
    table.push([
      name,
      show(cresset, unit),
      pytorch === null ? '-' : show(pytorch, unit),
      pytorch === null ? '-' : `${(pytorch / cresset).toFixed(2)}x`,
      share === null ? '-' : `${(100 * share).toFixed(0)} %`,
    ]);
  }
  return table.toString();
}
