/** What is measured, in terms both sides (engine.ts and torch_bench.py) understand. */
export type Program =
  | { kind: 'tutorial' }
  | { kind: 'mlp'; batch: number }
  | { kind: 'matmul'; m: number; n: number; k: number; layout: Layout }
  | { kind: 'optimizer'; optimizer: string; options: Record<string, number>; count: number; shape: number[] }
  | { kind: 'optimizer'; optimizer: string; options: Record<string, number>; model: 'tutorial' };

/** Which operand is given transposed: none, the second, the first. */
export type Layout = 'NN' | 'NT' | 'TN';

/** One row of the results. */
export interface Case {
  readonly name: string;
  readonly program: Program;
  /** Floating-point operations, where arithmetic is the limit. */
  readonly flops?: number;
  /** Bytes to and from memory, where that is the limit. */
  readonly bytes?: number;
}

const layouts: Layout[] = ['NN', 'NT', 'TN'];

function matmul(m: number, n: number, k: number, layout: Layout): Case {
  return { name: `${m}x${n}x${k} ${layout}`, program: { kind: 'matmul', m, n, k, layout }, flops: 2 * m * n * k };
}

const mlpSizes = [784, 512, 256, 10];

function mlp(batch: number): Case {
  const weights = mlpSizes.slice(1).reduce((sum, out, i) => sum + out * mlpSizes[i], 0);
  // Forward, and backward to the weights of all layers and to the inputs of all but the first.
  const flops = 2 * batch * (3 * weights - mlpSizes[0] * mlpSizes[1]);
  return { name: `batch ${batch}`, program: { kind: 'mlp', batch }, flops };
}

/** A linear layer's matmuls: forward, the gradient of its input, the gradient of its weight. */
function linear(batch: number, from: number, to: number): Case[] {
  return [matmul(batch, to, from, 'NT'), matmul(batch, from, to, 'NN'), matmul(to, from, batch, 'TN')];
}

/** Optimizers, and the floats a step must read and write for each parameter. */
const optimizers: [label: string, optimizer: string, options: Record<string, number>, floats: number][] = [
  ['SGD', 'SGD', { lr: 0.001 }, 3],
  ['SGD momentum', 'SGD', { lr: 0.001, momentum: 0.9 }, 5],
  ['Adam', 'Adam', {}, 7],
  ['AdamW', 'AdamW', {}, 7],
  ['RMSprop', 'RMSprop', {}, 5],
];

/** The cases of each workload. */
export const workloads: Record<string, Case[]> = {
  tutorial: [{ name: '10-5-1, batch 100, Adam', program: { kind: 'tutorial' } }],
  mlp: [mlp(128), mlp(32)],
  matmul: [
    ...[64, 128, 256, 512, 1024, 2048].flatMap((n) => layouts.map((layout) => matmul(n, n, n, layout))),
    ...linear(128, 784, 512),
    ...linear(128, 512, 256),
    ...linear(128, 256, 10),
  ],
  optimizers: optimizers.flatMap(([label, optimizer, options, floats]): Case[] => [
    {
      name: `${label}, 16 of 1024x1024`,
      program: { kind: 'optimizer', optimizer, options, count: 16, shape: [1024, 1024] },
      bytes: 16 * 1024 * 1024 * 4 * floats,
    },
    { name: `${label}, 100 of 64x64`, program: { kind: 'optimizer', optimizer, options, count: 100, shape: [64, 64] } },
    { name: `${label}, the tutorial's 4`, program: { kind: 'optimizer', optimizer, options, model: 'tutorial' } },
  ]),
};
