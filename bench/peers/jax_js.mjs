// jax-js on WebAssembly, the whole training step compiled by its jit: answers requests as ../contenders/serve.mjs tells.
// Each use of an array consumes it, unless through `.ref`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { serve } from '../contenders/serve.mjs';

const folder = new URL('../../runs/peers/jax-js/', import.meta.url);
const require = createRequire(new URL('package.json', folder));
const { version } = JSON.parse(readFileSync(new URL('node_modules/@jax-js/jax/package.json', folder), 'utf8'));
const { blockUntilReady, defaultDevice, init, jit, nn, numpy: np, random, tree, valueAndGrad } = require('@jax-js/jax');

const [beta1, beta2, lr, eps] = [0.9, 0.999, 0.001, 1e-8];

function forward(params, x) {
  return params.reduce((from, [weight, bias], i) => {
    const out = np.matmul(from, weight).add(bias);
    return i < params.length - 1 ? nn.relu(out) : out;
  }, x);
}

/** Adam on one parameter; `scale` holds both bias corrections. */
function adam(p, g, m, v, scale) {
  const mean = m.mul(beta1).add(g.ref.mul(1 - beta1));
  const square = v.mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
  const [first, second] = [scale.ref.slice(0), scale.slice(1)];
  const change = mean.ref.mul(first).div(np.sqrt(square.ref.mul(second)).add(eps));
  return [p.sub(change.mul(lr)), mean, square];
}

function training(sizes, x, y, lossOf) {
  let key = 0;
  const uniform = (shape, bound) => random.uniform(random.key(key++), shape, { minval: -bound, maxval: bound });
  let params = sizes
    .slice(1)
    .map((out, i) => [[sizes[i], out], [out]].map((shape) => uniform(shape, sizes[i] ** -0.5)));
  let means = tree.map((p) => np.zeros(p.shape), tree.ref(params));
  let squares = tree.map((p) => np.zeros(p.shape), tree.ref(params));
  let loss;
  let count = 0;
  const train = jit((params, means, squares, scale, x, y) => {
    const [loss, grads] = valueAndGrad((params) => lossOf(forward(params, x), y))(tree.ref(params));
    const updated = params.map((layer, l) =>
      layer.map((p, i) => adam(p, grads[l][i], means[l][i], squares[l][i], scale.ref)),
    );
    scale.dispose();
    const part = (which) => updated.map((layer) => layer.map((state) => state[which]));
    return [part(0), part(1), part(2), loss];
  });
  return {
    step() {
      count++;
      const scale = np.array([1 / (1 - beta1 ** count), 1 / (1 - beta2 ** count)]);
      loss?.dispose();
      [params, means, squares, loss] = train(params, means, squares, scale, x.ref, y.ref);
    },
    finish: () => blockUntilReady([params, means, squares, loss]),
  };
}

function prepare(program) {
  const normal = (shape, seed) => random.normal(random.key(100 + seed), shape);
  if (program.kind === 'tutorial') {
    return training([10, 5, 1], normal([100, 10], 0), normal([100, 1], 1), (out, y) => np.mean(np.square(out.sub(y))));
  }
  if (program.kind === 'mlp') {
    const labels = Array.from({ length: program.batch }, (_, i) => i % 10);
    const y = nn.oneHot(np.array(labels, { dtype: np.int32 }), 10);
    const lossOf = (out, y) => np.mean(np.sum(nn.logSoftmax(out).mul(y), 1)).mul(-1);
    return training([784, 512, 256, 10], normal([program.batch, 784], 0), y, lossOf);
  }
  const { m, n, k } = program;
  const [a, b] = [normal([m, k], 0), normal([k, n], 1)];
  let product;
  return {
    step() {
      product?.dispose();
      product = np.matmul(a.ref, b.ref);
    },
    finish: () => blockUntilReady(product),
  };
}

await serve({
  async start() {
    await init('wasm');
    defaultDevice('wasm');
    return { version, kinds: ['tutorial', 'mlp', 'matmul'] };
  },
  prepare,
});
