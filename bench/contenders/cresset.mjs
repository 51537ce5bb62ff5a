// Cresset's side of the benchmark. Plain Node, as its start and its memory are measured too.
//   cresset.mjs                  answers requests (serve.mjs)
//   cresset.mjs --start          prints {"ready": microseconds of the import, "resident": bytes after it}, having trained one step
//   cresset.mjs --memory n       prints {"early": bytes resident after 100 of the mlp's steps, "late": after n}
const begin = performance.now();
const torch = await import('cresset');
torch.ones(1).add(1);
const [ready, resident] = [1000 * (performance.now() - begin), process.memoryUsage.rss()];

const { nn, optim } = torch;

/** Sets a program up. The same stands in pytorch.py. */
function prepare(program) {
  torch.manual_seed(0);
  return { step: stepOf(program) };
}

function stepOf(program) {
  switch (program.kind) {
    case 'tutorial':
      return training(tutorialModel(), new nn.MSELoss(), torch.randn(100, 10), torch.randn(100, 1));
    case 'mlp': {
      const model = new nn.Sequential(
        new nn.Linear(784, 512),
        new nn.ReLU(),
        new nn.Linear(512, 256),
        new nn.ReLU(),
        new nn.Linear(256, 10),
      );
      const [x, y] = [torch.randn(program.batch, 784), torch.randint(0, 10, [program.batch])];
      return training(model, new nn.CrossEntropyLoss(), x, y);
    }
    case 'matmul': {
      const { m, n, k, layout } = program;
      const options = { dtype: torch[program.dtype] };
      const a = layout === 'TN' ? torch.randn(k, m, options).t() : torch.randn(m, k, options);
      const b = layout === 'NT' ? torch.randn(n, k, options).t() : torch.randn(k, n, options);
      return () => torch.matmul(a, b);
    }
    case 'layer': {
      const { module, args, options, shape, below } = program;
      const made = new nn[module](...args, ...(Object.keys(options).length > 0 ? [options] : []));
      const x = below === undefined ? torch.randn(shape, { requires_grad: true }) : torch.randint(0, below, shape);
      const grad = torch.randn_like(made.forward(x));
      return () => {
        x.grad = null;
        made.zero_grad();
        made.forward(x).backward(grad);
      };
    }
    case 'optimizer': {
      const { optimizer, options, clip, count, shape } = program;
      const params =
        count === undefined
          ? [...tutorialModel().parameters()]
          : Array.from({ length: count }, () => new nn.Parameter(torch.randn(shape)));
      for (const p of params) p.grad = torch.randn_like(p);
      const made = new optim[optimizer](params, options);
      // Without zero_grad: the next step takes the same gradients.
      return clip === undefined ? () => made.step() : () => optim.extra.clippedStep(made, clip, { zero_grad: false });
    }
    default:
      throw new Error(`no program ${program.kind}`);
  }
}

function tutorialModel() {
  return new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
}

function training(model, criterion, x, y) {
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
  return () => {
    const loss = criterion.forward(model.forward(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss;
  };
}

function run(program, steps) {
  const { step } = prepare(program);
  let result;
  for (let i = 0; i < steps; i++) result = step();
  return { step, result };
}

const [mode, steps] = process.argv.slice(2);
if (mode === '--start') {
  run({ kind: 'tutorial' }, 1);
  console.log(JSON.stringify({ ready, resident }));
} else if (mode === '--memory') {
  const { step } = run({ kind: 'mlp', batch: 32 }, 100);
  const early = process.memoryUsage.rss();
  for (let i = 100; i < Number(steps); i++) step();
  console.log(JSON.stringify({ early, late: process.memoryUsage.rss() }));
} else {
  const { createHash } = await import('node:crypto');
  const { serve } = await import('./serve.mjs');
  await serve({
    start(threads) {
      if (threads !== null) torch.set_num_threads(threads);
      const { name, isa } = torch.backends;
      const kinds = ['tutorial', 'mlp', 'matmul', 'layer', 'optimizer'];
      return { version: `${torch.__version__} (${name}, ${isa})`, kinds, threads: torch.get_num_threads() };
    },
    prepare,
    digest: (program, count) =>
      createHash('sha256').update(run(program, count).result.detach().toTypedArray()).digest('hex'),
  });
}
