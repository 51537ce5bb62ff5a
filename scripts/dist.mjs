// Makes dist/, what the package ships: the library in one file, and its types. Plain Node.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });

// import and require() give the same instances of the classes: both hand on what load.cjs makes of library.cjs. One file loads
// three times as fast as one a module does. The reference backend is a file of its own, read where it runs.
const reference = 'lib/backend/reference/index.ts';
const deferred = {
  name: 'deferred',
  load: (id) =>
    id.endsWith(reference)
      ? `export const createReference = (...given) => require('../../reference.cjs').createReference(...given);`
      : null,
};
const names = await write('lib/index.ts', 'library.cjs', [deferred]);
await write(reference, 'reference.cjs');
copyFileSync(join(root, 'lib/load.cjs'), join(dist, 'load.cjs'));
writeFileSync(join(dist, 'index.cjs'), "module.exports = require('./load.cjs').load();\n");
writeFileSync(
  join(dist, 'index.js'),
  `import { createRequire } from 'node:module';

// Not imported: Node would search the file for the names of its exports, which takes as long as loading it.
const torch = createRequire(import.meta.url)('./index.cjs');
${names.map((name) => `const $${name} = torch.${name};`).join('\n')}
export {
${names.map((name) => `  $${name} as ${name},`).join('\n')}
};
`,
);

/** Bundles what `entry` imports into one file of dist, and returns the names of its exports. */
async function write(entry, file, plugins = []) {
  const bundle = await rolldown({ input: join(root, entry), platform: 'node', external: /^[^./]|\.cjs$/, plugins });
  const { output } = await bundle.generate({ format: 'cjs', comments: false });
  const [{ code, exports }] = output;
  // In ASCII: V8 keeps such a text in half the memory, while one other character makes all of it wide.
  const escape = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, file), plainNamespaces(code).replace(/[\u0080-\uffff]/g, escape));
  return exports;
}

/**
 * The bundler makes a getter for each name of a namespace, and V8 compiles one by one those that methods are made from. As
 * no name here is ever bound anew, plain values do, set at the end of the namespace's module.
 */
function plainNamespaces(code) {
  const namespace = /^var ([\w$]+) = __exportAll\(\{([^}]*)\}\);$/gm;
  const modules = code.split(/^(?=\/\/ lib\/)/m).map((module) => {
    const values = [...module.matchAll(namespace)].map(
      ([, name, getters]) => `Object.assign(${name}, {${getters.replaceAll('() => ', '')}});\n`,
    );
    return module.replace(namespace, 'var $1 = {};') + values.join('');
  });
  const plain = modules.join('');
  if (/= __exportAll\(/.test(plain)) throw new Error('dist: the bundler writes namespaces another way than expected');
  return plain;
}

// The types once, as those of a CommonJS module, which both kinds of modules may import.
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
if (status !== 0) {
  rmSync(dist, { recursive: true, force: true });
  process.exit(1);
}
for (const file of ['index.d.ts', 'index.d.cts'])
  writeFileSync(join(dist, file), "export * from './types/index.js';\n");
writeFileSync(join(dist, 'types/package.json'), '{ "type": "commonjs" }\n');
