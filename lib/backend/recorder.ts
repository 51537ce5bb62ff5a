/** Something that ran: a kernel, a node of the graph, an optimizer's step, or what the user named. Times are whole nanoseconds. */
export interface TimedEvent {
  readonly name: string;
  readonly begin: number;
  duration: number;
  /** The duration without that of the events within. */
  self: number;
}

/** Times what runs. */
export class Recorder {
  /** In the order in which they began. */
  readonly events: TimedEvent[] = [];
  /** How long the events took that ended within the one that is running. */
  private inner = 0;

  /** Runs `fn` as an event, and returns its result. */
  time<T>(name: string, fn: () => T): T {
    const event: TimedEvent = { name, begin: now(), duration: 0, self: 0 };
    this.events.push(event);
    const before = this.inner;
    this.inner = 0;
    try {
      return fn();
    } finally {
      event.duration = now() - event.begin;
      event.self = event.duration - this.inner;
      this.inner = before + event.duration;
    }
  }
}

/** Whole, so that sums and differences of times are exact. */
function now(): number {
  return Math.round(performance.now() * 1e6);
}

/** The recorder while a profile is taken. Read on every kernel call, so a plain field. */
export const profiling = { recorder: null as Recorder | null };
