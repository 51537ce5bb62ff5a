// Run in a project that has installed the package: trains, and prints which backend did.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as torch from 'cresset';

const required = createRequire(import.meta.url)('cresset');
assert.deepEqual(Object.keys(required).sort(), Object.keys(torch).sort());
for (const name of Object.keys(required)) assert.equal(required[name], torch[name], name);

const { nn, optim } = torch;
torch.manual_seed(0);
const model = new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
const [x, y] = [torch.randn(100, 10), torch.randn(100, 1)];
const losses = Array.from({ length: 100 }, () => {
  const loss = nn.functional.mse_loss(model.forward(x), y);
  optimizer.zero_grad();
  loss.backward();
  optimizer.step();
  return loss.item();
});
assert(losses[99] < 0.9 * losses[0], `the loss went from ${losses[0]} to ${losses[99]}`);
console.log(JSON.stringify(torch.backends));
