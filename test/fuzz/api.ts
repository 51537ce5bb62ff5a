// Hostile arguments to the whole public API. Each call must return or throw an error that begins with a name and a colon;
// a call that throws leaves its tensors as they were; none takes long.
import fc from 'fast-check';
import * as torch from 'cresset';
import { ODD_NUMBERS } from './random.js';

// What a program may do but a fuzzer may not: files, settings of the process, waiting.
const LEFT_OUT = new Set([
  ...['save', 'load', 'save_file', 'load_file', 'set_num_threads', 'set_default_dtype', 'Tensor', 'profiler'],
  ...['constructor', 'toString', 'toJSON', 'deepCopy', 'Optimizer'],
  'LBFGS', // its step is many evaluations, of which one may fail
]);
const SECONDS = 5;

type Callable = (...args: unknown[]) => unknown;
interface Target {
  name: string;
  call: (args: unknown[]) => unknown;
}

function functionsOf(space: object, prefix: string): Target[] {
  return Object.entries(space).flatMap(([name, value]) => {
    if (typeof value !== 'function' || LEFT_OUT.has(name)) return [];
    const made = /^[A-Z]/.test(name);
    const call = made
      ? (args: unknown[]) => Reflect.construct(value as Callable, args) as unknown
      : (args: unknown[]) => (value as Callable)(...args);
    return [{ name: prefix + name, call }];
  });
}

const methods: Target[] = Object.getOwnPropertyNames(torch.Tensor.prototype)
  .filter((name) => !name.startsWith('_') && !LEFT_OUT.has(name))
  .flatMap((name) => {
    const { value } = Object.getOwnPropertyDescriptor(torch.Tensor.prototype, name)!;
    if (typeof value !== 'function') return [];
    return [
      {
        name: `Tensor.${name}`,
        call: ([self, ...args]: unknown[]) =>
          (value as Callable).apply(self instanceof torch.Tensor ? self : torch.ones(2), args),
      },
    ];
  });

const modules: Target[] = functionsOf(torch.nn, 'nn.')
  .filter(({ name }) => /^nn\.[A-Z]/.test(name))
  .map(({ name, call }) => ({
    name,
    call: ([input, ...args]) => {
      const made = call(args);
      return made instanceof torch.nn.Module ? (made as unknown as { forward: Callable }).forward(input) : made;
    },
  }));

const optimizers: Target[] = functionsOf(torch.optim, 'optim.').map(({ name, call }) => ({
  name,
  call: ([first, second]) => {
    const made = call([Array.isArray(first) ? first : [first], second]) as { step?: Callable; param_groups?: unknown };
    return made.step?.(() => torch.tensor(1));
  },
}));

const targets: Target[] = [
  ...functionsOf(torch, '').filter(({ name }) => /^[a-z]/.test(name)),
  ...functionsOf(torch.nn.functional, 'nn.functional.'),
  ...functionsOf(torch.nn.init, 'nn.init.'),
  ...functionsOf(torch.nn.utils, 'nn.utils.'),
  ...methods,
  ...modules,
  ...optimizers,
];

/** A tensor over memory that was taken away: of a large page, as that of smaller ones stays. */
function withoutMemory(): torch.Tensor {
  const tensor = torch.ones(2 ** 19);
  const { buffer } = tensor.toTypedArray({ copy: false });
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  return tensor;
}

function detachedArray(): Float32Array {
  const array = new Float32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

const odd = torch.tensor([NaN, Infinity, -Infinity, 1e-45, -0, 1e38]);
const tensors: [string, () => torch.Tensor][] = [
  ['f32[2,3]', () => torch.arange(6).to(torch.float32).reshape([2, 3])],
  ['f32[3,3]', () => torch.eye(3)],
  ['f32[3]', () => torch.tensor([0.5, -1, 2])],
  ['f32[2,3,4]', () => torch.ones(2, 3, 4)],
  ['f32[1,2,5,5]', () => torch.ones(1, 2, 5, 5)],
  ['f32[]', () => torch.tensor(1.5)],
  ['f32[0]', () => torch.zeros(0)],
  ['f32[2,0]', () => torch.zeros(2, 0)],
  ['odd[6]', () => odd.clone()],
  ['f64[3]', () => torch.tensor([1, NaN, -0], { dtype: torch.float64 })],
  ['leaf[2,3]', () => torch.ones(2, 3, { requires_grad: true })],
  [
    'leaf with grad',
    () => {
      const leaf = torch.ones(3, { requires_grad: true });
      leaf.sum().backward();
      return leaf;
    },
  ],
  ['t()', () => torch.arange(6).to(torch.float32).reshape([3, 2]).t()],
  ['expanded', () => torch.ones(1, 3).expand([4, 3])],
  ['overlapping', () => torch.ones(6).as_strided([3, 3], [1, 1])],
  ['i64[3]', () => torch.tensor([0, 2, 1])],
  ['i64 outside', () => torch.tensor([-1, 5, 0])],
  ['i64[2,3]', () => torch.tensor([[0, 1, 2], [2, 0, 1]])], // prettier-ignore
  ['i32[3]', () => torch.tensor(new Int32Array([1, -(2 ** 31), 0]))],
  ['u8[3]', () => torch.tensor(new Uint8Array([0, 1, 255]))],
  ['bool[3]', () => torch.tensor([true, false, true])],
  ['without memory', withoutMemory],
];

// Sizes that memory cannot hold are refused; sizes it can hold, and that take long, are not what is tried here.
const numbers = ODD_NUMBERS.filter((n) => !(Math.abs(n) > 300 && Math.abs(n) < 2 ** 45)).concat(2 ** 45, -(2 ** 45));
const number = fc.constantFrom(...numbers);
const size = fc.constantFrom(0, 1, 2, 3, 4, -1, 5);

interface Made {
  /** Shown when a call fails the test. */
  text: string;
  make: () => unknown;
}
const show = (value: unknown): string => (typeof value === 'bigint' ? `${value}n` : String(value));
const tensor: fc.Arbitrary<Made> = fc.constantFrom(...tensors.map(([text, make]) => ({ text, make })));
const plain: fc.Arbitrary<Made> = fc
  .oneof(
    { weight: 4, arbitrary: size },
    { weight: 2, arbitrary: number },
    fc.boolean(),
    fc.constantFrom(null, undefined, 'mean', 'x', '', 10n, 2n ** 70n, torch.float32, torch.int64, torch.bool),
  )
  .map((value) => ({ text: show(value), make: () => value }));
const list = (element: fc.Arbitrary<Made>) =>
  fc.array(element, { maxLength: 4 }).map((all) => ({
    text: `[${all.map(({ text }) => text).join(', ')}]`,
    make: () => all.map(({ make }) => make()),
  }));
const strange: fc.Arbitrary<Made> = fc.constantFrom<Made>(
  { text: 'Float32Array', make: () => new Float32Array([1, 2]) },
  { text: 'a detached array', make: detachedArray },
  { text: 'BigInt64Array', make: () => new BigInt64Array([1n, -1n]) },
  { text: 'a shared array', make: () => new Float64Array(new SharedArrayBuffer(16)) },
  { text: 'a Symbol', make: () => Symbol('s') },
  { text: 'a function', make: () => () => 3 },
  { text: '{}', make: () => ({}) },
  { text: 'a cycle', make: () => { const a: unknown[] = []; a.push(a); return a; } }, // prettier-ignore
  { text: 'ragged', make: () => [[1, 2], [3]] },
);
const keys = [
  'dim',
  'keepdim',
  'dtype',
  'reduction',
  'lr',
  'p',
  'size',
  'weight',
  'alpha',
  'unbiased',
  'largest',
  'nothing',
];
const option = fc.oneof({ weight: 4, arbitrary: plain }, tensor, list(plain), strange);
const options: fc.Arbitrary<Made> = fc.dictionary(fc.constantFrom(...keys), option, { maxKeys: 2 }).map((given) => ({
  text: `{${Object.entries(given).map(([key, { text }]) => `${key}: ${text}`).join(', ')}}`, // prettier-ignore
  make: () => Object.fromEntries(Object.entries(given).map(([key, { make }]) => [key, make()])),
}));
const argument = fc.oneof(
  { weight: 6, arbitrary: tensor },
  { weight: 6, arbitrary: plain },
  { weight: 2, arbitrary: list(plain) },
  { weight: 2, arbitrary: list(tensor) },
  { weight: 2, arbitrary: options },
  { weight: 1, arbitrary: strange },
);
const first = fc.oneof({ weight: 8, arbitrary: tensor }, { weight: 2, arbitrary: argument });
const command = fc.record({
  target: fc.nat(targets.length - 1).map((i) => targets[i]),
  args: fc.tuple(first, fc.array(argument, { maxLength: 4 })).map(([one, rest]) => [one, ...rest]),
});

/** What a tensor is, to the bit. */
function stateOf(value: unknown): string {
  if (Array.isArray(value)) return value.length > 0 && value[0] !== value ? value.map(stateOf).join() : '[]';
  if (!(value instanceof torch.Tensor)) return '';
  const about = `${value.shape.join()} ${value.requires_grad}`;
  try {
    return `${about} ${Buffer.from(value.detach().contiguous().toTypedArray().buffer).toString('hex')}`;
  } catch {
    return about; // its memory is gone
  }
}

const INTERNAL =
  /internal error|reading '|is not a function|is not iterable|is not a constructor|call stack|Cannot (read|convert|mix|set|redefine)|Invalid (array|typed)/;

/** One call. @throws Error that tells it, if it broke a rule. */
function attempt({ name, call }: Target, args: Made[]): boolean {
  const values = args.map(({ make }) => make());
  const before = values.map(stateOf);
  const start = process.cpuUsage();
  const told = () => `${name}(${args.map(({ text }) => text).join(', ')})`;
  const [seed, threads] = [torch.get_rng_state(), torch.get_num_threads()];
  try {
    call(values);
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`${told()} threw what is no error: ${show(error)}`);
    if (INTERNAL.test(error.message) || !/^[\w.]+( |:|\()/.test(error.message))
      throw new Error(`${told()} threw "${error.name}: ${error.message}"`, { cause: error });
    values.forEach((value, i) => {
      if (stateOf(value) !== before[i]) throw new Error(`${told()} changed argument ${i} and threw "${error.message}"`);
    });
    return false;
  } finally {
    torch.set_rng_state(seed);
    torch.set_num_threads(threads);
    torch.set_default_dtype(torch.float32);
  }
  const { user, system } = process.cpuUsage(start);
  if ((user + system) / 1e6 > SECONDS) throw new Error(`${told()} took more than ${SECONDS} s`);
  return true;
}

/** Runs until `seconds` have passed, and returns the calls made and those that returned. */
export function fuzzApi(seed: number, seconds: number): string {
  let [calls, returned] = [0, 0];
  fc.assert(
    fc.property(command, ({ target, args }) => {
      calls++;
      if (attempt(target, args)) returned++;
    }),
    { seed, numRuns: 2 ** 31 - 1, interruptAfterTimeLimit: 1000 * seconds },
  );
  return `${calls} calls of ${targets.length} functions, of which ${returned} returned`;
}
