import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import * as torch from 'cresset';
import { readIdx } from '../../examples/idx.js';
import { readOptions } from '../../examples/options.js';

// tutorial.json: what the same programs print in PyTorch, made by tutorial.py.
const golden = JSON.parse(readFileSync(new URL('../golden/tutorial.json', import.meta.url), 'utf8')) as {
  tutorial: string[];
  training_features: string[];
};

const folder = mkdtempSync(join(tmpdir(), 'cresset-examples-'));
const argv = process.argv;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs an example to its end and returns the lines it printed. */
async function run(name: string, ...args: string[]): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  process.argv = ['node', name, ...args];
  await import(`../../examples/${name}.ts`);
  return log.mock.calls.flatMap((call) => String(call[0]).split('\n'));
}

test('the tutorial prints the losses PyTorch prints', async () => {
  expect(await run('tutorial')).toEqual(golden.tutorial);
});

test('schedule, parameter groups, clipping and clearing print what PyTorch prints', async () => {
  expect(await run('training_features')).toEqual(golden.training_features);
});

test('MNIST: learns, says what ran, and leaves a picture and a checkpoint that loads', async () => {
  const lines = await run('mnist', '--limit', '2000', '--epochs', '3', '--out', folder);
  const { name, isa } = torch.backends;
  expect(lines[0]).toContain(`${name} backend, instruction set ${isa}, ${torch.get_num_threads()} thread`);
  expect(lines.filter((line) => /^epoch \d\/3 \| loss \d\.\d{4} \| \d+ samples\/s$/.test(line))).toHaveLength(3);
  const accuracies = lines.flatMap((line) => /^ +test accuracy (\d+\.\d\d) %$/.exec(line)?.slice(1).map(Number) ?? []);
  expect(accuracies).toHaveLength(3);
  expect(accuracies[2]).toBeGreaterThan(80);
  expect(readFileSync(join(folder, 'learning_curve.svg'), 'utf8')).toMatch(/^<svg[^]*Test accuracy[^]*<\/svg>\s*$/);
  const saved = torch.load(join(folder, 'model.safetensors')) as Record<string, torch.Tensor>;
  expect(Object.entries(saved).map(([key, value]) => [key, value.shape])).toEqual([
    ['0.weight', [256, 784]],
    ['0.bias', [256]],
    ['2.weight', [128, 256]],
    ['2.bias', [128]],
    ['4.weight', [10, 128]],
    ['4.bias', [10]],
  ]);
});

test('MNIST: Ctrl-C saves, --resume goes on, and the end is the same to the bit', async () => {
  const [whole, stopped] = ['whole', 'stopped'].map((name) => join(folder, name));
  /** Runs the example, and interrupts it once it has printed what `until` matches: its exit code and output. */
  const example = async (args: string[], until?: RegExp): Promise<[code: number, output: string]> => {
    const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', 'examples/mnist.ts', ...args]);
    let output = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (until?.test(output) === false && until.test(output + text)) child.kill('SIGINT');
        output += text;
      });
    const [code] = (await once(child, 'close')) as [number];
    return [code, output];
  };
  const small = ['--limit', '400', '--batch-size', '8', '--epochs', '3'];
  const [[straight], [code, output]] = await Promise.all([
    example([...small, '--out', whole]),
    example([...small, '--out', stopped], /test accuracy/),
  ]);
  expect([straight, code]).toEqual([0, 130]);
  expect(output).toContain(`interrupted; to go on: npm start -- --resume --out ${stopped}`);
  const [resumed, rest] = await example(['--resume', '--out', stopped]);
  expect(rest).toMatch(/going on in epoch \d+ after \d+ of 50 batches/);
  expect(resumed).toBe(0);
  for (const file of ['model.safetensors', 'learning_curve.svg'])
    expect(readFileSync(join(stopped, file)).equals(readFileSync(join(whole, file)))).toBe(true);
  const [missing, message] = await example(['--resume', '--out', stopped]);
  expect(missing).toBe(1);
  expect(message).toContain('--resume: there is no ');
});

test('the comparison prints time, memory and final losses of every optimizer, and draws them', async () => {
  const sizes = ['--limit', '32', '--epochs', '1', '--passes', '1', '--rates', '0.001,0.01'];
  const lines = await run('compare_optimizers', ...sizes, '--out', folder);
  const rows = lines.filter((line) => line.startsWith('│') && !line.includes('step, µs'));
  const cells = rows.map((line) => line.split('│').slice(1, -1).map((cell) => cell.trim())); // prettier-ignore
  // Every optimizer there is, by its own name or within a row's.
  const every = [...Object.keys(torch.optim), ...Object.keys(torch.optim.extra)].filter((name) => /^[A-Z]/.test(name));
  for (const name of every.filter((name) => name !== 'Optimizer')) {
    expect(cells.some(([title]) => title.split(/[ ,.]+/).includes(name))).toBe(true);
  }
  const memory = Object.fromEntries(cells.map(([title, , , bytes]) => [title, Number(bytes)]));
  expect(memory).toMatchObject({ SGD: 0, 'extra.Lion': 4, SparseAdam: 8, 'SGD, sparse': 0 });
  expect(memory.Adam).toBeCloseTo(8, 2);
  expect(memory.Adafactor).toBeLessThan(0.2);
  for (const [title, step, , , ...losses] of cells) {
    expect(Number(step)).toBeGreaterThan(0);
    expect(losses).toHaveLength(2);
    expect(losses.join(), title).toContain('* ');
  }
  for (const [name, title] of [
    ['batches', 'Adafactor'],
    ['whole', 'LBFGS, strong Wolfe'],
    ['embeddings', 'SparseAdam'],
  ]) {
    expect(readFileSync(join(folder, `${name}.svg`), 'utf8')).toContain(`>${title}</text>`);
  }
});

function idxFile(header: number[], data: number): string {
  const file = join(folder, 'digits-idx');
  const bytes = Buffer.alloc(4 * header.length + data);
  header.forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
  writeFileSync(file, bytes);
  return file;
}

test('an IDX file gives its sizes and bytes', () => {
  expect(readIdx(idxFile([0x803, 2, 3, 4], 24), 3)).toEqual({ dims: [2, 3, 4], data: Buffer.alloc(24) });
});

test.each([
  ['truncated', [0x803, 2, 3, 4], 23, 'expected 40 bytes for 2 x 3 x 4, got 39'],
  ['too long', [0x803, 2, 3, 4], 25, 'expected 40 bytes for 2 x 3 x 4, got 41'],
  ['other dimensions', [0x801, 2, 3, 4], 24, 'expected unsigned bytes in 3 dimensions (magic number 2051), got 2049'],
  ['no header', [0x803], 3, 'expected a header of 16 bytes, got a file of 7'],
])('an IDX file that is wrong (%s) is refused', (_, header, data, message) => {
  const file = idxFile(header, data);
  expect(() => readIdx(file, 3)).toThrow(`readIdx: ${file}: ${message}`);
});

test('options are read as numbers or text, and wrong ones are refused', () => {
  process.argv = ['node', 'x', '--lr', '0.5', '--out', 'there'];
  expect(readOptions({ lr: 1, epochs: 2, out: '' })).toEqual({ lr: 0.5, epochs: 2, out: 'there' });
  expect(() => readOptions({ lr: 1 })).toThrow("Unknown option '--out'");
  process.argv = ['node', 'x', '--lr', 'fast'];
  expect(() => readOptions({ lr: 1 })).toThrow('--lr: expected a number, got "fast"');
});
