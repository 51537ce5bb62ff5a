import { createInterface } from 'node:readline';

/** Milliseconds a sample lasts at least: the clock's grain is nothing beside it, and garbage collection has its share. */
const sampleTime = 15;
/** Samples at least, before those that count, as a program's first steps find no memory to reuse, and of those. */
const [warmUps, least] = [3, 5];

/**
 * Answers requests, one JSON object a line, until the input ends:
 *
 *   {"threads": n or null}          ->  what contender.start(threads) gives: {"version", "kinds", …}
 *   {"program": {…}, "seconds": s}  ->  {"times": [microseconds a step, …]}
 *   {"program": {…}, "steps": n}    ->  {"digest": …}, of the n-th step's result
 *
 * A program is what cases.ts describes. contender.prepare(program) sets it up and returns `step`, and `finish` where
 * steps return before their work is done.
 */
export async function serve(contender) {
  let key, prepared;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    if ('threads' in request) {
      answer = await contender.start(request.threads);
    } else if ('steps' in request) {
      answer = { digest: contender.digest(request.program, request.steps) };
    } else {
      if (key !== JSON.stringify(request.program)) {
        prepared = undefined; // frees the last one's memory first
        prepared = await contender.prepare(request.program);
        key = JSON.stringify(request.program);
      }
      answer = { times: await sample(prepared, request.seconds) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

async function sample({ step, finish }, seconds) {
  const elapsed = async (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) step();
    await finish?.();
    return performance.now() - start;
  };
  // Warms up, and finds how many steps fill a sample.
  const warm = performance.now() + 500 * seconds;
  let count = 1;
  for (let i = 0, short = true; short || i < warmUps || performance.now() < warm; i++) {
    short = (await elapsed(count)) < sampleTime;
    if (short) count *= 2;
  }
  const times = [];
  const end = performance.now() + 1000 * seconds;
  do times.push((1000 * (await elapsed(count))) / count);
  while (times.length < least || performance.now() < end);
  return times;
}
