// Training in worker threads and forked processes. The mode is the first argument; prints one line of JSON.
import cluster from 'node:cluster';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as torch from 'cresset';
const { nn, optim } = torch;

function train(seed: number, steps: number): string {
  torch.manual_seed(seed);
  const model = new nn.Sequential(new nn.Linear(200, 300), new nn.ReLU(), new nn.Dropout(), new nn.Linear(300, 10));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  for (let step = 0; step < steps; step++) {
    const loss = nn.functional.cross_entropy(model.forward(torch.randn(64, 200)), torch.randint(0, 10, [64]));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
  const hash = createHash('sha256');
  for (const parameter of model.parameters()) hash.update(parameter.detach().toTypedArray());
  return hash.digest('hex');
}

interface Order {
  seed: number;
  steps: number;
}
const start = (order: Order): Worker => new Worker(new URL(import.meta.url), { workerData: order });
const result = async (worker: Worker): Promise<string> => ((await once(worker, 'message')) as [string])[0];

const modes: Record<string, () => Promise<unknown>> = {
  /** Each worker's result beside others, and alone. */
  async together() {
    const orders = [0, 1, 2, 3].map((seed) => ({ seed, steps: 20 }));
    const together = await Promise.all(orders.map((order) => result(start(order))));
    const alone: string[] = [];
    for (const order of orders) alone.push(await result(start(order)));
    return { together, alone, here: train(2, 20) };
  },
  /** Workers ended while they load or train; what this thread computes before and after. */
  async terminated() {
    const before = train(0, 5);
    for (let round = 0; round < 10; round++) {
      const workers = Array.from({ length: 4 }, (_, seed) => start({ seed, steps: 1e9 }));
      // From before a worker's first line to the middle of its training.
      await Promise.all(
        workers.map(async (worker, i) => {
          await setTimeout((round * 4 + i) * 5);
          await worker.terminate();
        }),
      );
    }
    return { before, after: train(0, 5) };
  },
  /** Resident memory in MiB after 5 and after 25 workers. */
  async memory() {
    const resident: number[] = [];
    for (let i = 1; i <= 25; i++) {
      const worker = start({ seed: i, steps: 10 });
      await once(worker, 'exit');
      if (i === 5 || i === 25) resident.push(process.memoryUsage.rss() / 2 ** 20);
    }
    return resident;
  },
  /** The result of two forked processes, and of this one. */
  async cluster() {
    if (!cluster.isPrimary) {
      process.send!(train(7, 10));
      process.disconnect();
      return null;
    }
    const forked = [cluster.fork(), cluster.fork()].map((worker) => once(worker, 'message') as Promise<[string]>);
    return { forked: (await Promise.all(forked)).map(([digest]) => digest), here: train(7, 10) };
  },
};

if (isMainThread) {
  const printed = await modes[process.argv[2]]();
  if (cluster.isPrimary) console.log(JSON.stringify(printed));
} else {
  const { seed, steps } = workerData as Order;
  parentPort!.postMessage(train(seed, steps));
}
