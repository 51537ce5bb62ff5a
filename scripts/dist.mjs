// Makes dist/, what the package ships: the library in one file, and its types. Plain Node.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });

// import and require() give the same instances of the classes: the library is index.cjs, and index.js exports what that holds.
// One file loads three times as fast as one a module does.
const bundle = await rolldown({ input: join(root, 'lib/index.ts'), platform: 'node', external: /^[^./]/ });
const { output } = await bundle.generate({ format: 'cjs', comments: false });
const [{ code, exports: names }] = output;
// In ASCII: V8 keeps such a text in half the memory, while one other character makes all of it wide.
const escaped = code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
mkdirSync(dist);
writeFileSync(join(dist, 'index.cjs'), escaped);
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
