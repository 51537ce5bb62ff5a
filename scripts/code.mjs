// Keeps V8's compiled code of dist/ beside it, from where lib/load.cjs takes it. Plain Node.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './addon.mjs';

const require = createRequire(import.meta.url);

const loader = () => require(join(root, 'dist/load.cjs'));

export const isCodeKept = () => existsSync(loader().code);

/** Keeps it, with the functions that a training loop needs, and warns where it cannot. */
export function keepCode() {
  try {
    const { code, compile } = loader();
    const { script, library } = compile();
    train(library);
    const unfinished = `${code}.${process.pid}`;
    writeFileSync(unfinished, script.createCachedData());
    renameSync(unfinished, code);
  } catch (error) {
    console.warn(`cresset: V8's code could not be kept, so imports take longer: ${error.message}`);
  }
}

function train({ nn, optim, randn }) {
  const model = new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  const criterion = new nn.MSELoss();
  const [x, y] = [randn(100, 10), randn(100, 1)];
  for (let step = 0; step < 3; step++) {
    const loss = criterion.forward(model.forward(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss.item();
  }
}
