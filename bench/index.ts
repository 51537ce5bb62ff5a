// Measures each workload on Cresset and, where a Python with torch (and JAX) is found, on PyTorch (and JAX), alternating
// on the same number of threads.
//   npm run bench -- [workload…] [--out file]
//   npm run bench:peers            other libraries that train in Node.js instead, see peers/
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { peers, workloads, type Limit, type Workload } from './cases.js';
import { Contender, cresset, findPython, launches, type Launch } from './contender.js';
import { CoreWatch, describeMachine, Probe, type Reached } from './machine.js';
import {
  geometricMean,
  measureBits,
  measureLoad,
  measureSteps,
  median,
  type Contenders,
  type Limits,
  type Result,
} from './measure.js';
import { installPeers } from './peers/install.js';
import { asText, byWorkload, conditions, verdict, type Report } from './report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, peers: { type: 'boolean', default: false } },
});
const names = [...Object.keys(workloads), 'load'];
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined)
  throw new Error(`bench: no workload ${JSON.stringify(unknown)}; there are ${names.join(', ')}`);
const chosen = positionals.length > 0 ? positionals : names;

let report: Report;
if (values.peers) report = await run(peers, { ...launches(null), ...installPeers() });
else report = await run(pick(workloads, chosen), launches(findPython()), chosen.includes('load'));

for (const line of conditions(report)) console.log(line);
for (const [, results] of byWorkload(report.results)) console.log(`\n${asText(results)}`);
console.log(`\n${verdict(report.results)}`);

const out = values.out ?? (values.peers ? 'runs/peers.json' : 'runs/bench.json');
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, JSON.stringify(report, null, 1));
console.log(`wrote ${out}`);

function pick(all: Record<string, Workload>, keys: string[]): Record<string, Workload> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key)));
}

async function run(steps: Record<string, Workload>, all: Record<string, Launch>, load = false): Promise<Report> {
  const probe = Probe.compile();
  const watch = new CoreWatch();
  const versions: Record<string, string> = {};
  const results: Result[] = [];
  const limits: Limits = {};
  let threads: number | null = null;
  for (const [name, workload] of Object.entries(steps)) {
    // New processes for each workload: what another one left in memory is none of its business.
    const contenders: Contenders = { Cresset: await Contender.start('Cresset', cresset, threads) };
    threads ??= contenders.Cresset.threads!;
    for (const other of workload.contenders)
      if (other in all) contenders[other] ??= await Contender.start(other, all[other], threads);
    for (const [other, { version, threads: own }] of Object.entries(contenders))
      if (other === 'Cresset' || own === undefined) versions[other] = version; // in other settings it tells nothing new
    const measured = await measureSteps({ [name]: workload }, contenders, probe, watch, threads);
    results.push(...measured.results);
    for (const [limit, reached] of Object.entries(measured.limits)) (limits[limit as Limit] ??= []).push(...reached);
    if (name === 'threads') results.push(...(await measureBits(contenders)));
    for (const contender of Object.values(contenders)) contender.stop();
  }
  probe?.remove();
  results.push(...geometricMean(results));
  if (load) results.push(...(await measureLoad(all)));
  const conditions = {
    date: new Date().toISOString(),
    ...describeMachine(),
    threads: threads ?? 0,
    slowdown: watch.slowdown(),
    limits: Object.fromEntries(
      Object.entries(limits).map(([limit, reached]) => {
        const middle = (of: keyof Reached) => median(reached.map((one) => one[of]));
        return [limit, { most: middle('most'), median: middle('median') }];
      }),
    ),
    versions,
  };
  return { ...conditions, results: inOrder(results) };
}

/** Rows that were added later stand with their workload. */
function inOrder(results: Result[]): Result[] {
  return byWorkload(results).flatMap(([, rows]) => rows);
}
