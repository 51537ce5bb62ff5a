import { saveChart } from './chart.js';

/** What an optimizer came to on a task. */
export interface Result {
  readonly name: string;
  /** The final loss for each learning rate. */
  readonly losses: number[];
  /** Microseconds for a gradient with its update, and for the update alone. */
  readonly step: number;
  readonly update: number;
  /** Bytes of state for each parameter. */
  readonly memory: number;
}

/** A loss in three digits, as far as there is one. */
export function formatLoss(loss: number): string {
  if (!Number.isFinite(loss)) return '–';
  if (loss >= 100) return loss.toExponential(0).replace('+', '');
  return loss.toPrecision(2);
}

// Dark for low losses; the text on it is light then.
const shades = ['#0b3c5d', '#1f6f8b', '#5aa9b7', '#a8d5d8', '#d6ebeb', '#f4f6f4'];
const [none, frame] = ['#f0dcd8', '#d1495b']; // of no loss at all, and of the best

/** Draws, in one row for each optimizer, its losses by learning rate, its time and its memory. */
export function drawResults(file: string, title: string, rates: number[], results: Result[]): void {
  const names = results.map(({ name }) => name);
  const finite = results.flatMap(({ losses }) => losses.filter(Number.isFinite));
  const least = Math.min(...finite);
  // Losses ten times the best are all alike.
  const shadeOf = (loss: number): number =>
    Number.isFinite(loss) ? Math.min(shades.length - 1, Math.floor(6 * Math.log10(loss / least))) : shades.length;
  const cells = results.flatMap(({ losses }, row) => {
    const best = Math.min(...losses.filter(Number.isFinite));
    return losses.map((loss, column) => {
      const shade = shadeOf(loss);
      return {
        value: [column, row, shade],
        itemStyle: { borderColor: loss === best ? frame : '#ffffff', borderWidth: loss === best ? 2.5 : 1 },
        label: { color: shade < 2 ? '#ffffff' : '#222222', formatter: formatLoss(loss) },
      };
    });
  });
  // The best are drawn last, so that no neighbour hides their frames.
  cells.sort((a, b) => a.itemStyle.borderWidth - b.itemStyle.borderWidth);
  const [top, height] = [84, 27 * names.length];
  const columns = [
    { left: 190, width: 46 * rates.length },
    { left: 725, width: 95 },
    { left: 875, width: 75 },
  ];
  const heading = (text: string, column: number) => ({
    text,
    left: columns[column].left,
    top: 38,
    textStyle: { fontSize: 13 },
  });
  const bars = (column: number, name: string, data: number[], color: string, digits: number) => ({
    type: 'bar' as const,
    xAxisIndex: column,
    yAxisIndex: column,
    barWidth: '55%',
    barGap: '-100%',
    name,
    data,
    itemStyle: { color },
    label: {
      show: digits >= 0,
      position: 'right' as const,
      formatter: ({ value }: { value?: unknown }) => (value as number).toFixed(digits),
    },
  });
  const hidden = { show: false };
  const rows = (gridIndex: number) => ({
    type: 'category' as const,
    gridIndex,
    data: names,
    inverse: true,
    axisTick: hidden,
    axisLine: hidden,
    axisLabel: { show: gridIndex === 0, fontSize: 13, color: '#222222' },
  });
  saveChart(
    file,
    { width: 1000, height: top + height + 16 },
    {
      title: [
        { text: title, left: 12, top: 10, textStyle: { fontSize: 15 } },
        heading('Final loss by learning rate', 0),
        heading('Time of a step, µs', 1),
        heading('State, B/param', 2),
      ],
      grid: columns.map((column) => ({ ...column, top, height })),
      xAxis: [
        {
          type: 'category',
          gridIndex: 0,
          position: 'top',
          data: rates.map(String),
          axisTick: hidden,
          axisLine: hidden,
          axisLabel: { interval: 0, color: '#222222' },
        },
        { type: 'value', gridIndex: 1, show: false },
        { type: 'value', gridIndex: 2, show: false },
      ],
      visualMap: {
        type: 'piecewise',
        show: false,
        seriesIndex: 0,
        pieces: [...shades, none].map((color, value) => ({ value, color })),
      },
      yAxis: [rows(0), rows(1), rows(2)],
      series: [
        { type: 'heatmap', data: cells, label: { show: true, fontSize: 11 } },
        bars(
          1,
          'step',
          results.map(({ step }) => step),
          '#c9d6df',
          0,
        ),
        bars(
          1,
          'update',
          results.map(({ update }) => update),
          '#1f6f8b',
          -1,
        ),
        bars(
          2,
          'state',
          results.map(({ memory }) => memory),
          '#8a9ba8',
          1,
        ),
      ],
    },
  );
}
