import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import * as torch from 'cresset';

const folder = mkdtempSync(join(tmpdir(), 'cresset-'));
const file = join(folder, 'file.pt');
afterAll(() => rmSync(folder, { recursive: true }));

/** A safetensors file by hand: a header, as JSON or as it is, and data. */
function put(header: unknown, data: Uint8Array = new Uint8Array(), length?: bigint): void {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  writeFileSync(file, Buffer.concat([prefix, json, data]));
}

describe('save and load', () => {
  test('tensors of every dtype and shape', () => {
    const bits = torch.tensor([true, false, true]);
    const tensors: Record<string, torch.Tensor> = {
      f32: torch.tensor([
        [1.5, NaN],
        [-0, Infinity],
      ]),
      f64: torch.tensor(Math.PI, { dtype: torch.float64 }),
      i64: torch.tensor(new BigInt64Array([2n ** 62n, -1n])),
      i32: torch.tensor(new Int32Array([1, -2, 3])),
      u8: torch.tensor(new Uint8Array([0, 255])),
      bits,
      empty: torch.zeros(0, 3),
      transposed: torch.arange(6).reshape([2, 3]).t(),
      inner: bits.slice(0, 1, 3, 1),
    };
    torch.save(tensors, file);
    const loaded = torch.load(file) as Record<string, torch.Tensor>;
    expect(Object.keys(loaded)).toEqual(Object.keys(tensors));
    for (const [key, t] of Object.entries(tensors)) {
      expect([loaded[key].shape, loaded[key].dtype]).toEqual([t.shape, t.dtype]);
      expect(loaded[key].toTypedArray()).toEqual(t.contiguous().toTypedArray());
    }
  });

  test('nested data', () => {
    const data = {
      numbers: [1, -0, 0.1, NaN, Infinity, -Infinity, 2 ** 60],
      big: 2n ** 70n,
      nothing: null,
      text: 'naïve “quotes”',
      yes: true,
      'a.b': { c: [new Uint8Array([1, 2, 3]), new Float64Array([0.5])] },
      $: ['tensor', { $: 1 }],
      empty: [{}, []],
    };
    torch.save(data, file);
    expect(torch.load(file)).toEqual(data);
    for (const root of [3, 'x', null, [1]]) {
      torch.save(root, file);
      expect(torch.load(file)).toEqual(root);
    }
    const leaf = torch.ones(2, { requires_grad: true });
    torch.save(leaf, file);
    expect(torch.load(file).tolist()).toEqual([1, 1]);
    expect(torch.load(file).requires_grad).toBe(true);
  });

  test('names that read alike or mean something', () => {
    const data = { a: { b: torch.tensor(1) }, 'a.b': torch.tensor(2), __metadata__: torch.tensor(3) };
    torch.save(data, file);
    const loaded = torch.load(file);
    expect([loaded.a.b.item(), loaded['a.b'].item(), loaded.__metadata__.item()]).toEqual([1, 2, 3]);
  });

  test('a checkpoint continues bit for bit', () => {
    const make = () => {
      const p = torch.ones(3, { requires_grad: true });
      const optimizer = new torch.optim.Adam([p], { lr: 0.1, amsgrad: true });
      return { p, optimizer, scheduler: new torch.optim.lr_scheduler.StepLR(optimizer, { step_size: 2 }) };
    };
    const run = ({ p, optimizer, scheduler }: ReturnType<typeof make>) => {
      for (let i = 0; i < 3; i++) {
        optimizer.zero_grad();
        p.mul(p).mul(torch.rand(3)).sum().backward();
        optimizer.step();
        scheduler.step();
      }
      return p.tolist();
    };
    const [a, b] = [make(), make()];
    run(a);
    const { p, optimizer, scheduler } = a;
    torch.save(
      { p: p.detach(), o: optimizer.state_dict(), s: scheduler.state_dict(), rng: torch.get_rng_state() },
      file,
    );
    const expected = run(a);
    const loaded = torch.load(file);
    torch.no_grad(() => b.p.copy_(loaded.p));
    b.optimizer.load_state_dict(loaded.o);
    b.scheduler.load_state_dict(loaded.s);
    torch.set_rng_state(loaded.rng);
    expect(run(b)).toEqual(expected);
  });

  test('refuses what cannot be saved, and leaves the old file', () => {
    torch.save([1], file);
    const circle: unknown[] = [];
    circle.push(circle);
    const refused: [unknown, string][] = [
      [
        { a: [new Date()] },
        'save: obj.a.0: expected plain data (objects, arrays, tensors, …), got an object of class Date',
      ],
      [{ f: () => 1 }, 'save: obj.f: expected plain data'],
      [undefined, 'save: obj: expected plain data (objects, arrays, tensors, …), got undefined'],
      [new Map(), 'save: obj: expected plain data'],
      [circle, 'nested deeper than 500 levels, or in a circle'],
      [JSON.parse('{"__proto__": 1}'), 'save: __proto__: not a name that can be saved'],
    ];
    for (const [obj, message] of refused) expect(() => torch.save(obj as never, file)).toThrow(message);
    expect(torch.load(file)).toEqual([1]);
    expect(() => torch.save([1], 3 as never)).toThrow('save: path: expected a file name, got 3');
    expect(() => torch.save([1], join(folder, 'none', 'x'))).toThrow(/save: .*none.x: cannot be written: ENOENT/);
    expect(() => torch.save([1], folder)).toThrow('cannot be written');
    expect(readdirSync(folder)).toEqual(['file.pt']);
  });
});

describe('safetensors files', () => {
  test('flat tensors, as the format has them', () => {
    torch.save_file({ b: torch.ones(2), a: torch.tensor(new Uint8Array([7])) }, file, { note: 'x' });
    const bytes = readFileSync(file);
    const end = 8 + Number(bytes.readBigUInt64LE());
    expect(end % 8).toBe(0);
    expect(JSON.parse(bytes.subarray(8, end).toString())).toEqual({
      __metadata__: { note: 'x' },
      b: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      a: { dtype: 'U8', shape: [1], data_offsets: [8, 9] },
    });
    expect([...bytes.subarray(end)]).toEqual([0, 0, 128, 63, 0, 0, 128, 63, 7]);
    const loaded = torch.load_file(file);
    expect([loaded.b.tolist(), loaded.a.tolist()]).toEqual([[1, 1], [7]]);
    expect(() => torch.load(file)).toThrow(/load: .*file.pt: not written by save\(\)/);
  });

  test('refuses what is no tensor or no name', () => {
    expect(() => torch.save_file({ a: 3 } as never, file)).toThrow('save_file: tensors["a"]: expected a Tensor, got 3');
    expect(() => torch.save_file({ __metadata__: torch.ones(1) }, file)).toThrow('"__metadata__" is not a name');
    expect(() => torch.save_file({}, file, { a: 1 } as never)).toThrow('save_file: expected an object of tensors');
  });

  test('a file that is missing, truncated or damaged gives an error that names it', () => {
    const entry = (over: object) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...over } });
    const eight = new Uint8Array(8);
    const cases: [() => void, string][] = [
      [() => rmSync(file, { force: true }), 'cannot be read: ENOENT'],
      [() => writeFileSync(file, ''), 'not a safetensors file: it has 0 bytes'],
      [
        () => writeFileSync(file, 'garbage that is long enough'),
        'not a safetensors file, or a truncated one: a header of',
      ],
      [() => put('{}', eight, 2n ** 64n - 1n), 'a header of 18446744073709551615 bytes in a file of 18'],
      [() => put('{"a":'), 'the header is not JSON'],
      [() => writeFileSync(file, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe])), 'the header is not JSON'],
      [() => put('[]'), 'the header is not an object'],
      [() => put({ __metadata__: { a: 1 } }), '__metadata__ is not an object of strings'],
      [() => put({ a: 3 }), 'tensor "a": expected an object'],
      [() => put(`{"__proto__": ${JSON.stringify(entry({}).a)}}`, eight), 'tensor "__proto__": not a name'],
      [() => put(entry({ dtype: 'BF16' }), eight), 'tensor "a": dtype "BF16" is not supported: expected one of F32'],
      [() => put(entry({ shape: [-2] }), eight), 'shape: expected sizes, got [-2]'],
      [() => put(entry({ shape: 'x' }), eight), 'shape: expected sizes, got "x"'],
      [() => put(entry({ shape: [2 ** 40, 2 ** 40] }), eight), 'does not fill its 8 bytes'],
      [() => put(entry({ shape: [3] }), eight), 'shape [3] of float32 does not fill its 8 bytes'],
      [() => put(entry({ data_offsets: [8, 0] }), eight), 'data_offsets: expected a begin and an end, got [8, 0]'],
      [() => put(entry({ data_offsets: [0, 1e300] }), eight), 'data_offsets: expected a begin and an end'],
      [() => put(entry({ data_offsets: [8, 16] }), eight), 'begins at 8, where the one before ends at 0'],
      [() => put({ ...entry({}), b: entry({}).a }, eight), 'tensor "b" begins at 0, where the one before ends at 8'],
      [() => put(entry({}), new Uint8Array(7)), 'truncated or damaged: expected'],
      [() => put(entry({}), new Uint8Array(9)), 'truncated or damaged: expected'],
      [() => put(entry({ dtype: 'BOOL', shape: [8] }), eight.fill(2)), 'a boolean is neither 0 nor 1'],
    ];
    for (const [make, message] of cases) {
      make();
      expect(() => torch.load_file(file)).toThrow(message);
      expect(() => torch.load_file(file)).toThrow(`load_file: ${file}: `);
    }
    expect(() => torch.load_file(folder)).toThrow('cannot be read: EISDIR');
  });

  test('a damaged structure gives an error that names the file', () => {
    const cases: [string, string][] = [
      ['{', 'the structure is damaged: it is not JSON'],
      ['{"$":["tensor","a"]}', 'the structure is damaged: there is no "tensor" "a"'],
      ['{"$":["bigint","x"]}', 'the structure is damaged: there is no "bigint" "x"'],
      ['{"a":{"__proto__":1}}', '"__proto__" is not a name'],
      ['['.repeat(600) + ']'.repeat(600), 'nested deeper than 500 levels'],
    ];
    for (const [cresset, message] of cases) {
      put({ __metadata__: { cresset } });
      expect(() => torch.load(file)).toThrow(`load: ${file}: `);
      expect(() => torch.load(file)).toThrow(message);
    }
  });
});
