/** What is measured, in terms every contender understands. */
export type Program =
  | { kind: 'tutorial' }
  | { kind: 'mlp'; batch: number }
  | { kind: 'matmul'; m: number; n: number; k: number; layout: Layout; dtype: Dtype }
  | LayerProgram
  | OptimizerProgram;

/** Forward, and backward from a given gradient, of a module on an input of `shape`. */
interface LayerProgram {
  kind: 'layer';
  module: string;
  args: number[];
  options: Record<string, number>;
  shape: number[];
  /** The input holds integers below this, and has no gradient. */
  below?: number;
}

interface OptimizerProgram {
  kind: 'optimizer';
  optimizer: string;
  options: Record<string, number>;
  /** The greatest norm of the gradients: absent, they are not clipped. */
  clip?: number;
  /** Without count and shape: over the tutorial's parameters. */
  count?: number;
  shape?: number[];
}

/** Which operand is given transposed: none, the second, the first. */
export type Layout = 'NN' | 'NT' | 'TN';

export type Dtype = 'float32' | 'float64';

/** What a result is to reach: at least, or at most. */
export interface Target {
  /** A rival (its time over ours), `limit` (the share reached), `rate` (10^9 operations or bytes a second), or `value`. */
  readonly of: string;
  readonly least?: number;
  readonly most?: number;
}

/** The machine's limit that a program runs against. */
export type Limit = Dtype | 'streams3' | 'streams5' | 'streams7';

/** Floating-point operations, or bytes to and from memory, and what limits them. */
export interface Work {
  readonly amount: number;
  readonly limit: Limit;
}

/** One row of the results. */
export interface Case {
  readonly name: string;
  readonly program: Program;
  /** What one step has to do at least, one after the other. */
  readonly work?: Work[];
  readonly targets: Target[];
  /** Belongs in the picture. */
  readonly headline?: boolean;
}

export interface Workload {
  /** Ours first, then its rivals; those that cannot run a program are left out. */
  readonly contenders: string[];
  readonly cases: Case[];
}

const rivals = ['Cresset', 'PyTorch', 'JAX jit'];
const faster = (least: number, of = 'PyTorch'): Target => ({ of, least });

const mlpSizes = [784, 512, 256, 10];

function mlp(batch: number, targets: Target[]): Case {
  const weights = mlpSizes.slice(1).reduce((sum, out, i) => sum + out * mlpSizes[i], 0);
  // Forward, and backward to the weights of all layers and to the inputs of all but the first.
  const work: Work[] = [
    { amount: 2 * batch * (3 * weights - mlpSizes[0] * mlpSizes[1]), limit: 'float32' },
    { amount: 7 * 4 * weights, limit: 'streams7' }, // Adam
  ];
  return { name: `mlp, batch ${batch}`, program: { kind: 'mlp', batch }, work, targets, headline: true };
}

const tutorial: Case = {
  name: 'tutorial step',
  program: { kind: 'tutorial' },
  targets: [faster(35), faster(4, 'JAX jit')],
  headline: true,
};

function matmul(m: number, n: number, k: number, layout: Layout, dtype: Dtype = 'float32'): Case {
  const large = m === n && n === k && m >= 512 && dtype === 'float32';
  return {
    name: `matmul ${m}x${n}x${k} ${layout}${dtype === 'float64' ? ' f64' : ''}`,
    program: { kind: 'matmul', m, n, k, layout, dtype },
    // Where a dimension is 1, memory is the limit, or a cache.
    work: Math.min(m, n, k) > 1 ? [{ amount: 2 * m * n * k, limit: dtype }] : undefined,
    targets: large ? [faster(1), { of: 'limit', least: 0.9 }] : [faster(1)],
    headline: layout === 'NN' && m === n && n === k,
  };
}

/** A linear layer's matmuls: forward, the gradient of its input, the gradient of its weight. */
function linear(batch: number, from: number, to: number): Case[] {
  return [matmul(batch, to, from, 'NT'), matmul(batch, from, to, 'NN'), matmul(to, from, batch, 'TN')];
}

const layouts: Layout[] = ['NN', 'NT', 'TN'];
const cubes = (sizes: number[], dtype?: Dtype) =>
  sizes.flatMap((n) => layouts.map((layout) => matmul(n, n, n, layout, dtype)));

/** An optimizer, and the floats its step must read and write for each parameter. */
type Step = [label: string, optimizer: string, options: Record<string, number>, limit: Limit];
const common: Step[] = [
  ['SGD', 'SGD', { lr: 0.001 }, 'streams3'],
  ['SGD momentum', 'SGD', { lr: 0.001, momentum: 0.9 }, 'streams5'],
  ['Adam', 'Adam', {}, 'streams7'],
  ['AdamW', 'AdamW', {}, 'streams7'],
  ['RMSprop', 'RMSprop', {}, 'streams5'],
];
const others: Step[] = [
  ['Adagrad', 'Adagrad', {}, 'streams5'],
  ['ASGD', 'ASGD', {}, 'streams5'],
  ['Adadelta', 'Adadelta', {}, 'streams7'],
  ['Adamax', 'Adamax', {}, 'streams7'],
  ['NAdam', 'NAdam', {}, 'streams7'],
  ['RAdam', 'RAdam', {}, 'streams7'],
  ['Rprop', 'Rprop', {}, 'streams7'],
];

function step([label, optimizer, options, limit]: Step): Case[] {
  const program = { kind: 'optimizer' as const, optimizer, options };
  const amount = 16 * 1024 * 1024 * 4 * Number(limit.slice('streams'.length));
  return [
    {
      name: `${label}, 16 of 1024x1024`,
      program: { ...program, count: 16, shape: [1024, 1024] },
      work: [{ amount, limit }],
      targets: [faster(0.97), { of: 'limit', least: 0.95 }],
      headline: true,
    },
    {
      name: `${label}, 100 of 64x64`,
      program: { ...program, count: 100, shape: [64, 64] },
      targets: [faster(optimizer === 'Adam' ? 3.5 : 3)],
      headline: true,
    },
    { name: `${label}, the tutorial's 4`, program, targets: [faster(1)] },
  ];
}

function layer(
  module: string,
  args: number[] = [],
  options: Record<string, number> = {},
  { shape = [1024, 1024], below }: { shape?: number[]; below?: number } = {},
): Case {
  const program = { kind: 'layer' as const, module, args, options, shape, ...(below !== undefined && { below }) };
  return { name: `${module}, ${shape.join('x')}`, program, targets: [faster(1)], headline: true };
}

const clipping = { kind: 'optimizer' as const, optimizer: 'Adam', options: {}, clip: 1 };
const clipped: Case[] = [
  { count: 16, shape: [1024, 1024] },
  { count: 100, shape: [64, 64] },
].map(({ count, shape }) => ({
  name: `Adam with clipping, ${count} of ${shape.join('x')}`,
  program: { ...clipping, count, shape },
  targets: [faster(1)],
  headline: true,
}));

const cube1024 = matmul(1024, 1024, 1024, 'NN');
const most = (microseconds: number): Target[] => [{ of: 'value', most: microseconds }];

/** The workloads that are timed step by step. */
export const workloads: Record<string, Workload> = {
  tutorial: { contenders: rivals, cases: [tutorial] },
  mlp: { contenders: rivals, cases: [mlp(128, [faster(1.6)]), mlp(32, [faster(2)])] },
  matmul: {
    contenders: rivals,
    cases: [
      ...cubes([64, 128, 256, 512, 1024, 2048]),
      ...linear(100, 10, 5),
      ...linear(128, 784, 512),
      ...linear(128, 512, 256),
      ...linear(128, 256, 10),
      ...[matmul(1, 1024, 1024, 'NN'), matmul(1, 1024, 1024, 'NT'), matmul(1024, 1, 1024, 'NN')],
      ...[matmul(1024, 1024, 1, 'NN'), matmul(1, 1, 4096, 'NN'), matmul(3, 4096, 64, 'NN')],
      ...[matmul(31, 37, 41, 'NN'), matmul(127, 131, 137, 'NT'), matmul(509, 521, 523, 'TN')],
      ...cubes([64, 512], 'float64'),
      matmul(1024, 1024, 1024, 'NN', 'float64'),
    ],
  },
  layers: {
    contenders: rivals,
    cases: [
      layer('ReLU'),
      layer('Sigmoid'),
      layer('SiLU'),
      layer('GELU'),
      layer('Softmax', [], { dim: 1 }),
      layer('LayerNorm', [1024]),
      layer('RMSNorm', [1024]),
      layer('Dropout', [], { p: 0.5 }),
      layer('Embedding', [10_000, 256], {}, { shape: [4096], below: 10_000 }),
    ],
  },
  optimizers: {
    contenders: rivals,
    cases: [...common.flatMap(step), ...clipped, ...others.flatMap(step).map((row) => ({ ...row, headline: false }))],
  },
  reference: {
    contenders: ['reference'],
    cases: [
      { ...tutorial, targets: most(100) },
      { ...mlp(128, most(150_000)), work: undefined },
      { ...cube1024, targets: [{ of: 'rate', least: 4 }] },
    ].map((row) => ({ ...row, headline: false })),
  },
  threads: {
    contenders: ['2 threads', '1 thread'],
    cases: [
      { ...cube1024, targets: [faster(1.8, '1 thread')], headline: false },
      { ...mlp(128, []), headline: false },
    ],
  },
};

/** What `npm run bench:peers` measures: other libraries that train in Node.js. */
export const peers: Record<string, Workload> = {
  peers: {
    contenders: ['Cresset', 'reference', 'tfjs-cpu', 'tfjs-wasm', 'jax-js'],
    cases: [tutorial, mlp(128, []), cube1024].map((row) => ({ ...row, targets: [] })),
  },
};
