import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import * as torch from 'cresset';

const { nn, optim, profiler } = torch;
const folder = mkdtempSync(join(tmpdir(), 'cresset-'));
afterAll(() => rmSync(folder, { recursive: true }));

const X = torch.randn(8, 3);
const y = torch.randn(8, 1);
const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.Linear(4, 1));
const optimizer = new optim.Adam(model.parameters());
const criterion = new nn.MSELoss();

function step(): void {
  const loss = profiler.record_function('forward', () => criterion.forward(model.forward(X), y));
  optimizer.zero_grad();
  profiler.record_function('backward', () => loss.backward());
  optimizer.step();
}

function twoSteps() {
  return profiler.profile(() => {
    step();
    step();
  });
}

/** The events of a trace with the names of those around them, by begin and duration in whole nanoseconds. */
function nested(file: string) {
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as {
    traceEvents: { ph: string; name: string; pid: number; tid: number; ts: number; dur: number }[];
  };
  const open: { name: string; end: number }[] = [];
  return traceEvents.map(({ ph, name, pid, tid, ts, dur }) => {
    expect({ ph, pid, tids: typeof tid }).toEqual({ ph: 'X', pid: process.pid, tids: 'number' });
    const begin = Math.round(ts * 1e3);
    const end = begin + Math.round(dur * 1e3);
    expect(end).toBeGreaterThanOrEqual(begin);
    while (open.length > 0 && open[open.length - 1].end <= begin) open.pop();
    for (const outer of open) expect(end).toBeLessThanOrEqual(outer.end);
    const path = [...open.map((outer) => outer.name), name].join(' > ');
    open.push({ name, end });
    return path;
  });
}

test('counts what ran, under the names of kernels, nodes, optimizers and the user', () => {
  const averages = twoSteps().key_averages();
  const counts = Object.fromEntries(averages.map(({ key, count }) => [key, count]));
  expect(counts).toMatchObject({
    forward: 2,
    relu: 2,
    backward: 2,
    MseLossBackward0: 2,
    ReluBackward0: 2,
    AddmmBackward0: 4,
    AccumulateGrad: 8,
    matmul: 4,
    linear_backward: 4,
    'Optimizer.step#Adam.step': 2,
    adam: 2,
  });
  expect(averages[0].key).toBe('forward');
  expect(averages.map(({ key }) => key)).toHaveLength(Object.keys(counts).length);
});

test('self time is total time without that of the events within', () => {
  const averages = twoSteps().key_averages();
  const at = (key: string) => averages.find((row) => row.key === key)!;
  for (const { self_cpu_time_total: self, cpu_time_total: total } of averages) {
    expect(self).toBeGreaterThanOrEqual(0);
    expect(self).toBeLessThanOrEqual(total);
  }
  for (const kernel of ['relu', 'matmul', 'adam']) {
    expect(at(kernel).self_cpu_time_total).toBe(at(kernel).cpu_time_total);
  }
  const step = at('Optimizer.step#Adam.step');
  expect(step.self_cpu_time_total).toBeCloseTo(step.cpu_time_total - at('adam').cpu_time_total, 6);
  const roots = ['forward', 'backward', 'Optimizer.step#Adam.step'].map((key) => at(key).cpu_time_total);
  const within = averages.self_cpu_time_total - roots.reduce((sum, time) => sum + time);
  expect(Math.abs(within)).toBeLessThan(1e-6);
});

test('a Chrome trace holds every event within those it ran in', () => {
  const file = join(folder, 'trace.json');
  const prof = profiler.profile(() =>
    profiler.record_function('a "name"', () => {
      step();
      profiler.record_function('empty', () => {});
    }),
  );
  prof.export_chrome_trace(file);
  const paths = nested(file);
  expect(paths[0]).toBe('a "name"');
  expect(paths).toEqual(
    expect.arrayContaining([
      'a "name" > forward > relu',
      'a "name" > backward > ReluBackward0 > threshold_backward',
      'a "name" > backward > AddmmBackward0 > linear_backward',
      'a "name" > backward > AccumulateGrad',
      'a "name" > Optimizer.step#Adam.step > adam',
      'a "name" > empty',
    ]),
  );
  expect(paths).toHaveLength(prof.key_averages().reduce((sum, { count }) => sum + count, 0));
  expect(() => prof.export_chrome_trace(join(folder, 'none', 'trace.json'))).toThrow(
    /^export_chrome_trace: .*trace\.json: cannot be written: ENOENT/,
  );
  expect(() => prof.export_chrome_trace(1 as never)).toThrow('export_chrome_trace: path: expected a file name, got 1');
});

test('only what the gradients asked for need is counted', () => {
  const w = torch.ones(2, { requires_grad: true });
  const v = torch.ones(2, { requires_grad: true });
  const out = w.mul(2).add(v.exp()).sum();
  const averages = profiler.profile(() => torch.autograd.grad(out, w)).key_averages();
  const nodes = averages.map(({ key }) => key).filter((key) => key.endsWith('Backward0'));
  expect(nodes).toEqual(['SumBackward0', 'AddBackward0', 'MulBackward0']);
});

test('the table', () => {
  const averages = twoSteps().key_averages();
  const lines = averages.table({ sort_by: 'count', row_limit: 2 }).split('\n');
  expect(lines).toHaveLength(8);
  expect(lines[0]).toMatch(/^-+( {2}-+){6}$/);
  expect(lines[1].trim().split(/ {2,}/)).toEqual([
    'Name',
    'Self CPU %',
    'Self CPU',
    'CPU total %',
    'CPU total',
    'CPU time avg',
    '# of Calls',
  ]);
  const [first, second] = averages.toSorted((a, b) => b.count - a.count);
  for (const [line, { key, count }] of [
    [lines[3], first],
    [lines[4], second],
  ] as const) {
    expect(line).toMatch(new RegExp(String.raw`^ *${key}  ( *[\d.]+(%|us|ms|s)  ){5} *${count}$`));
    expect(line).toHaveLength(lines[0].length);
  }
  expect(lines[6]).toMatch(/^Self CPU time total: [\d.]+(us|ms|s)$/);
  // By default by self time, the greatest first.
  const names = averages
    .table()
    .split('\n')
    .slice(3, -3)
    .map((line) => line.trim().split('  ')[0]);
  const sorted = averages.toSorted((a, b) => b.self_cpu_time_total - a.self_cpu_time_total);
  expect(names).toEqual(sorted.map(({ key }) => key));
  expect(
    profiler
      .profile(() => {})
      .key_averages()
      .table(),
  ).toMatch(/Self CPU time total: 0\.000us\n$/);
});

test('a table that cannot be is refused', () => {
  const averages = profiler.profile(() => {}).key_averages();
  expect(() => averages.table({ sort_by: 'cuda_time' as never })).toThrow(
    /^table: sort_by: expected one of self_cpu_time_total, cpu_time_total, count, got .*cuda_time/,
  );
  expect(() => averages.table({ row_limit: -1 })).toThrow('table: row_limit: expected 0 or more, got -1');
  expect(() => averages.table({ limit: 3 } as never)).toThrow(
    "table: unknown option 'limit'. Did you mean 'row_limit'?",
  );
});

test('profiles do not nest, and end whatever happens', () => {
  expect(() => profiler.profile(() => profiler.profile(() => {}))).toThrow(/^profile: .* do not nest/);
  expect(() =>
    profiler.profile(() =>
      profiler.record_function('fails', () => {
        throw new Error('the user failed');
      }),
    ),
  ).toThrow('the user failed');
  // A kernel that refuses its operands is an event too.
  const ones = torch.ones(1, { dtype: torch.int64 });
  const prof = profiler.profile(() => {
    expect(() => ones.div(0, { rounding_mode: 'floor' })).toThrow('integer division by zero');
    profiler.record_function('after', () => {});
  });
  const counts = prof.key_averages().map(({ key, count }) => [key, count]);
  expect(counts).toEqual([
    ['div_floor', 1],
    ['after', 1],
  ]);
});

test('a function that is not done when it returns is refused', () => {
  const message = /fn: expected a synchronous function, got one that returns a Promise/;
  expect(() => profiler.profile(async () => {})).toThrow(message);
  expect(() => profiler.record_function('a', async () => {})).toThrow(message);
  expect(() => profiler.profile(1 as never)).toThrow('profile: fn: expected a function, got 1');
  expect(() => profiler.record_function(1 as never, () => {})).toThrow(
    'record_function: name: expected a string, got 1',
  );
  expect(profiler.profile(() => {}).key_averages()).toHaveLength(0);
});

test('record_function gives the result of its function, also where nothing is recorded', () => {
  expect(profiler.record_function('a', () => 5)).toBe(5);
  profiler.profile(() => expect(profiler.record_function('a', () => 5)).toBe(5));
});
