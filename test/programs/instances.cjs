// Loads the library, a file named by the first argument, several times in one process, as test runners do for each file of tests.
// Prints one line of JSON. Needs --expose-gc.
const { createHash } = require('node:crypto');
const { setTimeout } = require('node:timers/promises');

const file = process.argv[2];

function load() {
  delete require.cache[file];
  module.children.length = 0;
  return require(file);
}

/** What trains a model of the instance by a step a call; returns a digest of its parameters. */
function trainer({ manual_seed, ones, randn, nn, optim }) {
  const model = new nn.Sequential(new nn.Linear(16, 64), new nn.ReLU(), new nn.Linear(64, 1));
  const optimizer = new optim.Adam(model.parameters());
  let steps = 0;
  return () => {
    manual_seed(steps++);
    optimizer.zero_grad();
    model.forward(randn(128, 16)).square().mean().backward();
    ones(2 ** 20); // so that collections are asked for
    optimizer.step();
    const hash = createHash('sha256');
    for (const parameter of model.parameters()) hash.update(parameter.detach().toTypedArray());
    return hash.digest('hex');
  };
}

function seeded(torch) {
  torch.manual_seed(0);
  return trainer(torch);
}

/** MiB in array buffers, once what nobody holds is gone. */
async function held() {
  for (let i = 0; i < 3; i++) {
    global.gc();
    await setTimeout(20);
  }
  return process.memoryUsage().arrayBuffers / 2 ** 20;
}

async function main() {
  const alone = seeded(load());
  const turns = Array.from({ length: 3 }, () => seeded(load()));
  const digests = [];
  for (let i = 0; i < 60; i++) digests.push([alone, ...turns].map((step) => step()));
  const equal = digests.every((step) => step.every((digest) => digest === step[0]));
  const memory = [];
  for (let i = 0; i < 10; i++) {
    const torch = load();
    torch.ones(2 ** 22);
    if (i === 1 || i === 9) memory.push(await held());
  }
  console.log(JSON.stringify({ equal, distinct: new Set(digests.map(([digest]) => digest)).size, memory }));
}

void main();
