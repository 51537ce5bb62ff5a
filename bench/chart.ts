// Draws docs/bench.svg from what `npm run bench` wrote, and puts its tables between the README's two markers.
//   npm run bench:chart -- [--from runs/bench.json]
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { saveChart } from '../examples/chart.js';
import type { Result } from './measure.js';
import { asMarkdown, byWorkload, conditions, type Report } from './report.js';

const markers = ['<!-- bench:begin -->', '<!-- bench:end -->'];
const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const { values } = parseArgs({ options: { from: { type: 'string', default: 'runs/bench.json' } } });
const report = JSON.parse(readFileSync(values.from, 'utf8')) as Report;
draw(report.results.filter(({ headline, values }) => headline && values.PyTorch));
await updateReadme();

/** A bar for each result: how many times what Cresset takes PyTorch takes, on a logarithmic axis. */
function draw(results: Result[]): void {
  const bars = results.map(({ name, ratios }) => ({ name, ratio: ratios.PyTorch })).reverse();
  const data = bars.map(({ ratio }) => ({
    value: Math.log2(ratio),
    itemStyle: { color: ratio >= 1 ? '#2f7d5b' : '#b5533c' },
    label: {
      position: ratio >= 1 ? ('right' as const) : ('left' as const),
      formatter: `${ratio.toFixed(ratio < 10 ? 2 : 0)}x`,
    },
  }));
  saveChart(
    path('docs/bench.svg'),
    { width: 820, height: 100 + 22 * bars.length },
    {
      title: {
        text: "PyTorch's time or memory / Cresset's",
        subtext: `${report.cpu}, ${report.threads} thread(s), PyTorch ${report.versions.PyTorch}: right of 1x Cresset is ahead`,
        left: 'center',
      },
      grid: { left: 225, right: 60, top: 60, bottom: 30 },
      xAxis: {
        type: 'value',
        axisLabel: { formatter: (power: number) => `${2 ** power}x` },
        interval: 1,
        min: ({ min }) => Math.floor(Math.min(min, -1)),
        max: ({ max }) => Math.ceil(Math.max(max, 1)),
      },
      yAxis: {
        type: 'category',
        data: bars.map(({ name }) => name),
        axisTick: { show: false },
        axisLine: { show: false },
      },
      series: [{ type: 'bar', data, barWidth: '65%', label: { show: true } }],
    },
  );
}

async function updateReadme(): Promise<void> {
  const file = path('README.md');
  const readme = readFileSync(file, 'utf8');
  const [begin, end] = markers.map((marker) => readme.indexOf(marker));
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines ${markers.join(' and ')}`);
  const section = [
    markers[0],
    "![How many times Cresset's time PyTorch takes, by workload](docs/bench.svg)",
    conditions(report).join('. ') + '.',
    '<details><summary>All results</summary>',
    ...byWorkload(report.results).map(([, results]) => asMarkdown(results)),
    '</details>',
    '',
  ].join('\n\n');
  const text = readme.slice(0, begin) + section + readme.slice(end);
  writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
}
