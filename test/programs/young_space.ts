// Takes large results, first so often that the engine optimizes what asks for its collections, then slowly, as a program does
// whose time goes to products. Prints the bytes that the engine keeps for young objects after the first and after the second.
import { getHeapSpaceStatistics } from 'node:v8';
import * as torch from 'cresset';

const results = (count: number, pause: number) => {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < count; i++) {
    if (pause > 0) Atomics.wait(cell, 0, 0, pause);
    torch.empty(1024, 1024);
  }
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.space_size;
};
console.log(JSON.stringify([results(9000, 0), results(90, 5)]));
