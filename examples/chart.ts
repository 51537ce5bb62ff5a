import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { init, type EChartsOption } from 'echarts';

/** Draws a chart (https://echarts.apache.org/en/option.html) into an SVG file. */
export function saveChart(file: string, size: { width: number; height: number }, option: EChartsOption): void {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  chart.setOption({ animation: false, backgroundColor: '#ffffff', textStyle: { fontFamily: 'sans-serif' }, ...option });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, chart.renderToSVGString());
  chart.dispose();
}
