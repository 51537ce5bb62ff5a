// TensorFlow.js on its `cpu` or `wasm` backend: answers requests as ../contenders/serve.mjs tells.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { serve } from '../contenders/serve.mjs';

const require = createRequire(new URL('../../runs/peers/tfjs/package.json', import.meta.url));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

function model(sizes) {
  const layers = sizes.slice(1).map((out, i) => {
    const bound = sizes[i] ** -0.5;
    return [[sizes[i], out], [out]].map((shape) => tf.variable(tf.randomUniform(shape, -bound, bound)));
  });
  return (x) =>
    layers.reduce((from, [weight, bias], i) => {
      const out = from.matMul(weight).add(bias);
      return i < layers.length - 1 ? out.relu() : out;
    }, x);
}

function training(forward, lossOf) {
  const optimizer = tf.train.adam(0.001);
  return () => tf.tidy(() => void optimizer.minimize(() => lossOf(forward())));
}

function stepOf(program) {
  if (program.kind === 'tutorial') {
    const [x, y, net] = [tf.randomNormal([100, 10]), tf.randomNormal([100, 1]), model([10, 5, 1])];
    return training(
      () => net(x),
      (out) => tf.losses.meanSquaredError(y, out),
    );
  }
  if (program.kind === 'mlp') {
    const x = tf.randomNormal([program.batch, 784]);
    const y = tf.oneHot(tf.randomUniform([program.batch], 0, 10, 'int32'), 10);
    const net = model([784, 512, 256, 10]);
    return training(
      () => net(x),
      (out) => tf.losses.softmaxCrossEntropy(y, out),
    );
  }
  const { m, n, k } = program;
  const [a, b] = [tf.randomNormal([m, k]), tf.randomNormal([k, n])];
  return () => tf.matMul(a, b).dispose();
}

await serve({
  async start() {
    const [backend] = process.argv.slice(2);
    wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend}`);
    return { version: tf.version.tfjs, kinds: ['tutorial', 'mlp', 'matmul'] };
  },
  prepare: (program) => ({ step: stepOf(program) }),
});
