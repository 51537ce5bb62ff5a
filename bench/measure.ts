import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Case, Limit, Program, Target, Workload } from './cases.js';
import type { Contender, Description, Launch } from './contender.js';
import type { CoreWatch, Probe, Reached } from './machine.js';

/** At least so many; and so many seconds of them, as the ratio of few is chance where other machines share the cores. */
const rounds = 5;
const roundsTime = 60;
const seconds = 0.075;
/** For the first program of a kind: just-in-time compilers take their time. */
const warmUp = 1;
const manySteps = 20_000;

/** One measured row. */
export interface Result {
  readonly workload: string;
  readonly name: string;
  /** `x` is a factor, `bool` is 0 or 1. */
  readonly unit: 'µs' | 'MB' | 'x' | 'bool';
  /** Medians, by contender: ours first. */
  readonly values: Record<string, number>;
  /** Their values over ours, by rival; the median of the rounds' where there were rounds. */
  readonly ratios: Record<string, number>;
  /** 10^9 operations or bytes a second, ours: those of the first work, where there are several. */
  readonly rate?: number;
  /**
   * The part of our time that the machine needs at least for the same work; the median of the rounds', each beside the
   * limits measured in it.
   */
  readonly limit?: number;
  /** The same of what the limits' loops reached in the median of their rounds. */
  readonly sustained?: number;
  readonly targets: (Target & { met: boolean | null })[];
  readonly headline: boolean;
}

/** A case, its times by contender and round, and by round what the machine reached for each work, if that is known. */
interface Timed {
  readonly workload: string;
  readonly row: Case;
  readonly samples: Map<string, number[][]>;
  readonly reached: Reached[][];
}

export type Contenders = Record<string, Contender & Description>;

/** What the machine reached in each round, beside each case that has such a limit. */
export type Limits = Partial<Record<Limit, Reached[]>>;

/**
 * Times all workloads, once each round, contenders of one case right after each other: a disturbance that passes meets
 * few rounds, and all contenders alike.
 */
export async function measureSteps(
  workloads: Record<string, Workload>,
  contenders: Contenders,
  probe: Probe | null,
  watch: CoreWatch,
  threads: number,
): Promise<{ results: Result[]; limits: Limits }> {
  const rows: Timed[] = Object.entries(workloads).flatMap(([workload, { contenders: names, cases }]) =>
    cases.map((row) => {
      const able = names.filter((name) => contenders[name]?.kinds.includes(row.program.kind));
      return { workload, row, samples: new Map(able.map((name) => [name, []])), reached: [] };
    }),
  );
  const warmed = new Set<string>();
  for (const { row, samples } of rows) {
    for (const name of samples.keys()) {
      const key = `${name} ${row.program.kind}`;
      if (!warmed.has(key)) await contenders[name].sample(row.program, warmUp);
      warmed.add(key);
    }
  }
  const end = performance.now() + 1000 * roundsTime;
  for (let round = 0; round < rounds || performance.now() < end; round++) {
    console.error(`round ${round + 1}`);
    for (const { row, samples, reached } of rows) {
      watch.sample();
      const turns: (() => void | Promise<void>)[] = [...samples].map(([name, times]) => async () => {
        times.push(await contenders[name].sample(row.program, seconds));
      });
      const { work } = row;
      if (probe !== null && work)
        turns.unshift(() => void reached.push(work.map((one) => probe.measure(one.limit, threads))));
      // Nobody is always the one to go first.
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
  }
  const limits: Limits = {};
  if (probe !== null)
    for (const { row, reached } of rows)
      row.work?.forEach(({ limit }, i) => (limits[limit] ??= []).push(...reached.map((round) => round[i])));
  return { results: rows.map((row) => timed(row)), limits };
}

function timed({ workload, row, samples, reached }: Timed): Result {
  const ofEach = <T>(f: (rounds: number[][]) => T) =>
    Object.fromEntries([...samples].map(([name, rounds]) => [name, f(rounds)]));
  const values = ofEach((rounds) => median(rounds.flat()));
  const [ours] = Object.values(values);
  // Contenders ran side by side in a round: what slows the machine for seconds cancels out.
  const own = [...samples.values()][0]?.map(median);
  const ratios = ofEach((rounds) => median(rounds.map((times, round) => median(times) / own[round])));
  const { name, work, targets, headline = false } = row;
  const rate = work && own && work[0].amount / ours / 1000;
  const share = (of: keyof Reached) => {
    if (reached.length === 0) return undefined;
    const needed = (all: Reached[]) => work!.reduce((sum, { amount }, i) => sum + amount / all[i][of] / 1000, 0);
    return median(reached.map((all, round) => needed(all) / own[round]));
  };
  const [limit, sustained] = [share('most'), share('median')];
  return judged({ workload, name, unit: 'µs', values, rate, limit, sustained, headline }, targets, ratios);
}

function judged(result: Omit<Result, 'targets' | 'ratios'>, targets: Target[], ratios?: Result['ratios']): Result {
  const [ours] = Object.values(result.values);
  ratios ??= Object.fromEntries(Object.entries(result.values).map(([name, value]) => [name, value / ours]));
  const reached = (of: string) => {
    if (of === 'value') return ours;
    return of === 'limit' || of === 'rate' ? result[of] : ratios[of];
  };
  const judge = (target: Target) => {
    const value = reached(target.of);
    if (value === undefined || Number.isNaN(value)) return { ...target, met: null };
    return { ...target, met: value >= (target.least ?? -Infinity) && value <= (target.most ?? Infinity) };
  };
  return { ...result, ratios, targets: targets.map(judge) };
}

/** The geometric mean of how far ahead of PyTorch the large float32 products are; none where they were not measured. */
export function geometricMean(results: Result[]): Result[] {
  const large = results.filter((result) => /^matmul (\d+)x\1x\1 ..$/.test(result.name) && result.values.PyTorch);
  const chosen = large.filter((result) => result.workload === 'matmul' && parseInt(result.name.slice(7)) >= 512);
  if (chosen.length === 0) return [];
  const logs = chosen.map(({ ratios }) => Math.log(ratios.PyTorch));
  const values = { Cresset: Math.exp(logs.reduce((a, b) => a + b) / logs.length) };
  const row = { workload: 'matmul', name: 'PyTorch / Cresset, geometric mean from 512 on', unit: 'x' as const, values };
  return [judged({ ...row, headline: false }, [{ of: 'value', least: 1.15 }])];
}

/** Whether one thread and two give the same bits. */
export async function measureBits(contenders: Contenders): Promise<Result[]> {
  const programs: [name: string, program: Program, steps: number][] = [
    ['matmul 1024x1024x1024 NN', { kind: 'matmul', m: 1024, n: 1024, k: 1024, layout: 'NN', dtype: 'float32' }, 1],
    ["mlp, batch 128, the twentieth step's loss", { kind: 'mlp', batch: 128 }, 20],
  ];
  const results: Result[] = [];
  for (const [name, program, steps] of programs) {
    const one = await contenders['1 thread'].digest(program, steps);
    const same = one === (await contenders['2 threads'].digest(program, steps));
    const row = { workload: 'threads', name: `same bits: ${name}`, unit: 'bool' as const, headline: false };
    results.push(judged({ ...row, values: { '2 threads': Number(same) } }, [{ of: 'value', least: 1 }]));
  }
  return results;
}

/** In fresh processes: import, first step, memory. */
export async function measureLoad(all: Record<string, Launch>): Promise<Result[]> {
  const sides = Object.entries(all).filter(([name]) => name === 'Cresset' || name === 'PyTorch');
  const row = (name: string, unit: Result['unit'], pick: (side: string) => number, targets: Target[] = []): Result => {
    const values = Object.fromEntries(sides.map(([side]) => [side, pick(side)]));
    return judged({ workload: 'load', name, unit, values, headline: true }, targets);
  };
  const starts = new Map(sides.map(([side]) => [side, [] as Record<string, number>[]]));
  for (let round = 0; round < rounds; round++)
    for (const [side, launch] of sides) starts.get(side)!.push(await fresh(launch, ['--start']));
  const start = (key: string) => (side: string) => median(starts.get(side)!.map((one) => one[key]));

  const memory: Record<string, Record<string, number>> = {};
  for (const [side, launch] of sides) memory[side] = await fresh(launch, ['--memory', String(manySteps)]);
  const megabytes = (bytes: number) => bytes / 2 ** 20;
  const { early, late } = memory.Cresset;
  const growth = { workload: 'load', name: 'growth between the two', unit: 'x' as const, headline: false };
  return [
    row('import', 'µs', start('ready'), [{ of: 'value', most: 60_000 }]),
    row('process start to first step', 'µs', start('first')),
    row('resident after import', 'MB', (side) => megabytes(start('resident')(side)), [{ of: 'value', most: 80 }]),
    row('resident after 100 mlp steps', 'MB', (side) => megabytes(memory[side].early)),
    // At most 1.3 times PyTorch's.
    row(`resident after ${manySteps} mlp steps`, 'MB', (side) => megabytes(memory[side].late), [
      { of: 'PyTorch', least: 1 / 1.3 },
    ]),
    judged({ ...growth, values: { Cresset: late / early } }, [{ of: 'value', most: 1.1 }]),
  ];
}

/** Runs a contender's program to its end: what it printed, and `first`, the microseconds until it did. */
async function fresh({ file, args }: Launch, options: string[]): Promise<Record<string, number>> {
  const begin = performance.now();
  const child = spawn(file, [...args, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const line = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as unknown[];
  const first = 1000 * (performance.now() - begin);
  const [status] = (await ended) as unknown[];
  if (status !== 0 || typeof line[0] !== 'string') throw new Error(`bench: ${file} ${options.join(' ')} failed`);
  return { first, ...(JSON.parse(line[0]) as Record<string, number>) };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
