import { writeFileSync } from 'node:fs';
import { profiling, Recorder, type TimedEvent } from './backend/recorder.js';
import { defineOptions } from './options.js';
import { checkPath } from './serialization/safetensors.js';
import { describe } from './tensor/tensor.js';

/** All events of one name. Times are in microseconds. PyTorch: `FunctionEventAvg`. */
export interface FunctionEventAvg {
  key: string;
  count: number;
  /** The time the events took. */
  cpu_time_total: number;
  /** The same without the events within them. */
  self_cpu_time_total: number;
}

const sortKeys: readonly SortKey[] = ['self_cpu_time_total', 'cpu_time_total', 'count'];

/** What {@link EventList.table} can be sorted by, the greatest first. */
export type SortKey = keyof Omit<FunctionEventAvg, 'key'>;

const tableOptions = defineOptions('profiler.EventList.table', {
  sort_by: 'self_cpu_time_total' as SortKey,
  row_limit: 100,
});

/** An array of averages that can be printed. PyTorch: `EventList`. */
class EventList extends Array<FunctionEventAvg> {
  /** What `map` and `filter` give is a plain array. @internal */
  static get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** The time of all events, each counted once. PyTorch: `EventList.self_cpu_time_total`. */
  get self_cpu_time_total(): number {
    return this.reduce((sum, row) => sum + row.self_cpu_time_total, 0);
  }

  /**
   * The averages as a text table. PyTorch: `EventList.table`.
   * @param options.sort_by Default `'self_cpu_time_total'`.
   * @param options.row_limit How many rows are shown. Default 100.
   * @throws RangeError if `sort_by` or `row_limit` is none of what it can be.
   */
  table(options?: { sort_by?: SortKey; row_limit?: number }): string {
    const { sort_by, row_limit } = tableOptions(options);
    if (!sortKeys.includes(sort_by))
      throw new RangeError(`table: sort_by: expected one of ${sortKeys.join(', ')}, got ${describe(sort_by)}`);
    if (!(row_limit >= 0)) throw new RangeError(`table: row_limit: expected 0 or more, got ${row_limit}`);
    const all = this.self_cpu_time_total;
    const share = (time: number): string => `${(all === 0 ? 0 : (100 * time) / all).toFixed(2)}%`;
    const header = ['Name', 'Self CPU %', 'Self CPU', 'CPU total %', 'CPU total', 'CPU time avg', '# of Calls'];
    const rows = this.toSorted((a, b) => b[sort_by] - a[sort_by])
      .slice(0, row_limit)
      .map(({ key, count, cpu_time_total: total, self_cpu_time_total: self }) => [
        key,
        share(self),
        readable(self),
        share(total),
        readable(total),
        readable(total / count),
        String(count),
      ]);
    const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
    const line = (cells: string[]): string => cells.map((cell, i) => cell.padStart(widths[i])).join('  ');
    const rule = line(widths.map((width) => '-'.repeat(width)));
    const lines = [rule, line(header), rule, ...rows.map(line), rule, `Self CPU time total: ${readable(all)}`];
    return `${lines.join('\n')}\n`;
  }
}

function readable(microseconds: number): string {
  if (microseconds >= 1e6) return `${(microseconds / 1e6).toFixed(3)}s`;
  if (microseconds >= 1e3) return `${(microseconds / 1e3).toFixed(3)}ms`;
  return `${microseconds.toFixed(3)}us`;
}

/** What ran during a call of {@link profile}. */
class Profile {
  constructor(private readonly recorded: readonly TimedEvent[]) {}

  /** The events by name, in the order in which the names first came. PyTorch: `profile.key_averages`. */
  key_averages(): EventList {
    const averages = new Map<string, FunctionEventAvg>();
    for (const { name, duration, self } of this.recorded) {
      let row = averages.get(name);
      if (row === undefined) {
        row = { key: name, count: 0, cpu_time_total: 0, self_cpu_time_total: 0 };
        averages.set(name, row);
      }
      row.count++;
      row.cpu_time_total += duration / 1e3;
      row.self_cpu_time_total += self / 1e3;
    }
    return EventList.from(averages.values()) as EventList;
  }

  /**
   * Writes the events as a Chrome trace, which Perfetto and `chrome://tracing` open. PyTorch: `profile.export_chrome_trace`.
   * @throws Error if the file cannot be written.
   */
  export_chrome_trace(path: string): void {
    checkPath('export_chrome_trace', path);
    const { threadId } = process.getBuiltinModule('node:worker_threads'); // an import would slow that of the library
    const traceEvents = this.recorded.map(({ name, begin, duration }) => ({
      ph: 'X',
      name,
      pid: process.pid,
      tid: threadId,
      ts: begin / 1e3,
      dur: duration / 1e3,
    }));
    try {
      writeFileSync(path, JSON.stringify({ displayTimeUnit: 'ms', traceEvents }));
    } catch (cause) {
      throw new Error(`export_chrome_trace: ${path}: cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}

export type { EventList, Profile };

/** Runs a function that must be done when it returns. */
function runNow<T>(name: string, fn: () => T): T {
  if (typeof fn !== 'function') throw new TypeError(`${name}: fn: expected a function, got ${describe(fn)}`);
  const result = fn();
  if (result instanceof Promise) {
    throw new TypeError(
      `${name}: fn: expected a synchronous function, got one that returns a Promise: it would be timed only until then`,
    );
  }
  return result;
}

/**
 * Runs `fn` and records what it does: kernels by their names, backward by the names of the graph's nodes,
 * `Optimizer.step#Adam.step` and the like, and what {@link record_function} names. PyTorch: `torch.profiler.profile`.
 * @throws TypeError if `fn` is asynchronous, Error within another profile; and what `fn` throws.
 */
export function profile(fn: () => unknown): Profile {
  if (profiling.recorder !== null) throw new Error('profile: a profile is being taken already: profiles do not nest');
  const recorder = (profiling.recorder = new Recorder());
  try {
    runNow('profile', fn);
  } finally {
    profiling.recorder = null;
  }
  return new Profile(recorder.events);
}

/**
 * Runs `fn` under a name of its own in the profile that is being taken, if any, and returns its result. PyTorch:
 * `torch.profiler.record_function`.
 * @throws TypeError if `fn` is asynchronous; and what `fn` throws.
 */
export function record_function<T>(name: string, fn: () => T): T {
  if (typeof name !== 'string') throw new TypeError(`record_function: name: expected a string, got ${describe(name)}`);
  const { recorder } = profiling;
  const run = (): T => runNow('record_function', fn);
  return recorder === null ? run() : recorder.time(name, run);
}
