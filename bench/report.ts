import Table from 'cli-table3';
import type { Limit } from './cases.js';
import type { Reached, Slowdown } from './machine.js';
import type { Result } from './measure.js';

/** The JSON file: the results and what they were measured on. */
export interface Report {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly threads: number;
  /** Of a loop that is always the same, throughout the run. */
  readonly slowdown: Slowdown;
  /** What the machine reached: medians, of those that were measured; none where there is no C++ compiler. */
  readonly limits: Partial<Record<Limit, Reached>>;
  readonly versions: Record<string, string>;
  readonly results: Result[];
}

/** What the results were measured on, in lines. */
export function conditions({ date, cpu, cores, node, threads, slowdown, limits, versions }: Report): string[] {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `${date.slice(0, 10)}, ${cpu}, ${cores} core(s), Node.js ${node}, ${threads} thread(s); ${names.join(', ')}`,
  ];
  const told = Object.entries(limits).map(([limit, { most, median }]) => {
    const streams = /^streams(\d)$/.exec(limit);
    return streams
      ? `${most.toFixed(1)} GB/s through ${streams[1]} streams`
      : `${most.toFixed(0)} GFLOP/s in ${limit} (${median.toFixed(0)} in the median)`;
  });
  lines.push(`The machine's limits: ${told.length > 0 ? told.join(', ') : 'not measured'}`);
  if (slowdown.tenth > 1.2) {
    const [median, tenth] = [slowdown.median, slowdown.tenth].map((times) => times.toFixed(2));
    lines.push(
      `Something else took part of the cores: the same additions took ${median} times their shortest time in the median, ` +
        `above ${tenth} times in a tenth. Times are too long, most of all those of programs that keep a core's units busy`,
    );
  }
  return lines;
}

/** Workloads in the order they come in, each with its results. */
export function byWorkload(results: Result[]): [workload: string, results: Result[]][] {
  const names = [...new Set(results.map((result) => result.workload))];
  return names.map((name) => [name, results.filter((result) => result.workload === name)]);
}

/** A workload's table: header and rows. */
export function tableOf(results: Result[], withTargets: boolean): { head: string[]; rows: string[][] } {
  const names = [...new Set(results.flatMap((result) => Object.keys(result.values)))];
  const [ours, ...rivals] = names;
  const columns: [head: string, cell: (result: Result) => string | undefined][] = [
    [results[0].workload, ({ name }) => name],
    ...names.map((name): (typeof columns)[number] => [name, (result) => shown(result.values[name], result.unit)]),
    ...rivals.map((name): (typeof columns)[number] => [`${name} / ${ours}`, ({ ratios }) => shown(ratios[name], 'x')]),
    ['G/s', ({ rate }) => (rate === undefined ? undefined : precise(rate))],
    ['of the limit', ({ limit }) => (limit === undefined ? undefined : `${(100 * limit).toFixed(0)} %`)],
  ];
  if (withTargets) columns.push(['target', (result) => result.targets.map((one) => told(one, result)).join('; ')]);
  const used = columns.filter(([, cell]) => results.some((result) => cell(result)));
  return {
    head: used.map(([head]) => head),
    rows: results.map((result) => used.map(([, cell]) => cell(result) ?? '')),
  };
}

function told({ of, least, most, met }: Result['targets'][number], { unit, ratios, limit, sustained }: Result): string {
  const bound = `${most === undefined ? '≥' : '≤'} `;
  const value = (most ?? least)!;
  let verdict = met === null ? 'not measured' : met ? 'met' : 'NOT MET';
  if (met === false && limit !== undefined && of in ratios)
    verdict += `, ${shown(ratios[of] / limit, 'x')} at the limit`;
  if (met === false && of === 'limit' && sustained !== limit)
    verdict += `, ${(100 * sustained!).toFixed(0)} % of its loop's median`;
  if (unit === 'bool') return `yes: ${verdict}`;
  if (of === 'value') return `${bound}${shown(value, unit)}: ${verdict}`;
  if (of === 'limit') return `${bound}${(100 * value).toFixed(0)} % of the limit: ${verdict}`;
  return `${bound}${of === 'rate' ? `${value} G/s` : `${precise(value)}x ${of}`}: ${verdict}`;
}

function shown(value: number | undefined, unit: Result['unit']): string | undefined {
  if (value === undefined || Number.isNaN(value)) return undefined;
  if (unit === 'bool') return value === 1 ? 'yes' : 'no';
  if (unit === 'x') return `${value < 10 ? value.toFixed(2) : precise(value)}x`;
  if (unit === 'µs' && value >= 1000) return `${precise(value / 1000)} ms`;
  return `${precise(value)} ${unit}`;
}

/** Three digits, or all there are before the point. */
function precise(value: number): string {
  return value < 100 ? value.toPrecision(3) : value.toFixed(0);
}

/** A workload's table for the terminal. */
export function asText(results: Result[]): string {
  const { head, rows } = tableOf(results, true);
  const colAligns = head.map((title, i) => (i === 0 || title === 'target' ? 'left' : 'right'));
  const table = new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
  table.push(...rows);
  return table.toString();
}

/** A workload's table in Markdown. */
export function asMarkdown(results: Result[]): string {
  const { head, rows } = tableOf(results, false);
  const rule = head.map((_, i) => (i === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** How many of the targets that could be judged are met, and which are not. */
export function verdict(results: Result[]): string {
  const all = results.flatMap((result) => result.targets.map((target) => ({ ...target, result })));
  const known = all.filter(({ met }) => met !== null);
  if (known.length === 0) return 'no targets';
  const failed = known.filter(({ met }) => !met);
  const lines = failed.map((one) => `  ${one.result.workload}: ${one.result.name}: ${told(one, one.result)}`);
  return [`${known.length - failed.length} of ${known.length} targets met`, ...lines].join('\n');
}
