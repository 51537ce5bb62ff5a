// Trains models of many sizes in a loop and reports whether memory and the time of a step stay flat.
//   npm run soak -- [--seconds 120] [--async] [--load 1]
// `--async` gives the event loop a turn after each step; `--load` is the part of one core to use, the rest is slept.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as torch from 'cresset';
const { nn, optim } = torch;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    async: { type: 'boolean', default: false },
    load: { type: 'string', default: '1' },
  },
});
const [seconds, load] = [Number(values.seconds), Number(values.load)];
if (!(seconds > 0 && load > 0 && load <= 1)) throw new RangeError('soak: --seconds must be above 0, --load in (0, 1]');

/** A step of training on data of a size that changes from step to step. */
function trainer(widths: number[], embedding: boolean): (batch: number) => torch.Tensor {
  const layers: torch.nn.Module[] = embedding ? [new nn.Embedding(1000, widths[0])] : [];
  widths.slice(1).forEach((width, i) => layers.push(new nn.Linear(widths[i], width), new nn.ReLU(), new nn.Dropout()));
  const model = new nn.Sequential(...layers, new nn.Linear(widths.at(-1)!, 10));
  const optimizer = new optim.AdamW(model.parameters(), {});
  const criterion = new nn.CrossEntropyLoss();
  return (batch) => {
    const input = embedding ? torch.randint(0, 1000, [batch]) : torch.randn(batch, widths[0]);
    const loss = criterion.forward(model.forward(input), torch.randint(0, 10, [batch]));
    optimizer.zero_grad();
    loss.backward();
    nn.utils.clip_grad_norm_(model.parameters(), 1);
    optimizer.step();
    return loss;
  };
}

torch.manual_seed(0);
const trainers = [
  trainer([10, 5], false),
  trainer([256, 128, 64], false),
  trainer([784, 512, 256], false),
  trainer([64, 128], true),
];
/** Some losses are kept for a while, as training loops do. */
const kept: torch.Tensor[] = [];
const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);

const start = performance.now();
let [reported, steps, spent] = [start, 0, 0];
/** The greatest resident memory and the processor time of a step, in the first and the second half. */
const halves = [0, 1].map(() => ({ resident: 0, steps: 0, spent: 0 }));
for (let step = 0; performance.now() - start < 1000 * seconds; step++) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const loss = trainers[step % trainers.length](1 + ((step * 7919) % 256));
  kept.push(loss);
  if (kept.length > 500) kept.splice(0, 250);
  if (step % 50 === 0 && !Number.isFinite(loss.item()))
    throw new Error(`soak: the loss of step ${step} is ${loss.item()}`);
  const { user, system } = process.cpuUsage(cpu);

  const half = halves[Number(performance.now() - start > 500 * seconds)];
  half.steps++;
  half.spent += user + system;
  steps++;
  spent += user + system;
  if (step % 100 === 0) half.resident = Math.max(half.resident, process.memoryUsage.rss());
  if (performance.now() - reported > Math.min(60_000, 100 * seconds)) {
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    console.log(
      `${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s  ${String(step).padStart(7)} steps  ` +
        `resident ${mebibytes(rss)} MiB, heap ${mebibytes(heapUsed)}, buffers ${mebibytes(arrayBuffers)}  ` +
        `processor ${(spent / steps / 1000).toFixed(3)} ms a step`,
    );
    [reported, steps, spent] = [performance.now(), 0, 0];
  }
  if (values.async) await setImmediate();
  const rest = (performance.now() - began) * (1 / load - 1);
  if (rest > 0) {
    // A synchronous loop that sleeps gives the event loop no turn.
    if (values.async) await setTimeout(rest);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, rest);
  }
}
for (const [i, half] of halves.entries()) {
  console.log(
    `${['first', 'second'][i]} half: ${half.steps} steps, at most ${mebibytes(half.resident)} MiB resident, ` +
      `processor ${(half.spent / half.steps / 1000).toFixed(3)} ms a step`,
  );
}
