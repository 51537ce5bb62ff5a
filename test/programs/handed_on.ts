// A worker thread hands a tensor's memory to the main thread, and ends. Prints what the main thread then reads.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as torch from 'cresset';

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { execArgv: process.execArgv });
  const ended = once(worker, 'exit');
  const [memory] = (await once(worker, 'message')) as [ArrayBuffer];
  await ended;
  console.log(new Float32Array(memory).subarray(0, 2000).reduce((sum, x) => sum + x));
} else {
  const { buffer } = torch.ones(2000).toTypedArray({ copy: false });
  const memory = (buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer();
  parentPort!.postMessage(memory, [memory]);
}
