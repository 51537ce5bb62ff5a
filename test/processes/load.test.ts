import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Script, createContext, runInContext } from 'node:vm';
import { afterAll, beforeEach, expect, test } from 'vitest';

interface Loader {
  code: string;
  compile(cachedData?: Buffer): { script: Script; library: Library };
  load(): Library;
}
interface Library {
  file: string;
  sum(...numbers: number[]): number;
  beside: number;
  self: boolean;
}

const folder = mkdtempSync(join(tmpdir(), 'cresset-load-'));
const source = fileURLToPath(new URL('../../lib/load.cjs', import.meta.url));
const require = createRequire(join(folder, 'test.cjs'));
cpSync(source, join(folder, 'load.cjs'));
writeFileSync(join(folder, 'beside.cjs'), 'module.exports = 7;');
writeFileSync(
  join(folder, 'library.cjs'),
  `exports.file = __filename;
exports.sum = (...numbers) => numbers.reduce((sum, x) => sum + x, 0);
exports.beside = require('./beside.cjs');
exports.self = this === exports && module.exports === exports;`,
);
const loader = require('./load.cjs') as Loader;
const byRequire = () => Object.keys(require.cache).some((file) => file.endsWith('library.cjs'));

beforeEach(() => {
  rmSync(loader.code, { force: true });
  delete require.cache[join(folder, 'library.cjs')];
});
afterAll(() => rmSync(folder, { recursive: true }));

function check(library: Library) {
  expect(library).toMatchObject({ file: join(folder, 'library.cjs'), beside: 7, self: true });
  expect(library.sum(1, 2, 3)).toBe(6);
}

/** Keeps the code, with the function compiled that is called before. */
function keep() {
  const { script, library } = loader.compile();
  check(library);
  writeFileSync(loader.code, script.createCachedData());
}

test('the library is required where no code is kept', () => {
  check(loader.load());
  expect(byRequire()).toBe(true);
});

test('V8 takes the code that is kept', () => {
  keep();
  expect(loader.compile(readFileSync(loader.code)).script.cachedDataRejected).toBe(false);
  check(loader.load());
  expect(byRequire()).toBe(false);
});

test.each(['nothing', 'garbage', 'the code of another text'])(
  'where the file holds %s the library is compiled',
  (what) => {
    keep();
    const code = readFileSync(loader.code);
    if (what === 'the code of another text') code.writeUInt32LE(code.readUInt32LE(8) + 1, 8);
    writeFileSync(loader.code, what === 'nothing' ? '' : what === 'garbage' ? Buffer.alloc(4096, 'x') : code);
    check(loader.load());
  },
);

test('a realm with classes of its own requires the library', () => {
  keep();
  const exports: Partial<Loader> = {};
  const load = runInContext(
    `(function (exports, require, __dirname) { ${readFileSync(source, 'utf8')}\n})`,
    createContext({ process }),
  );
  load(exports, require, folder);
  check(exports.load!());
  expect(byRequire()).toBe(true);
});
