// Turns the kernel contract (native/kernels.def) into lib/backend/kernels.ts. Plain Node: it runs before anything is built.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const source = readFileSync(new URL('native/kernels.def', root), 'utf8');
const kernels = [...source.matchAll(/^(STRIDED|LIST)\((\w+), "([^"]*)", "([^"]*)"\)/gm)].map(
  ([, kind, name, operands, scalars]) => ({ kind, name, operands, scalars }),
);

const text = `// Generated from native/kernels.def by scripts/kernels.mjs; not committed.

/** The position of each kernel in the contract: what the calling frame names it by. */
export const K = {
${kernels.map((k, i) => `  ${k.name}: ${i},`).join('\n')}
} as const;

/** The name of a kernel. */
export type KernelName = keyof typeof K;

/** A kernel's position. */
export type KernelId = (typeof K)[KernelName];

/** One line a kernel, "KIND name|operands|scalars": compared with the addon's own list at load. */
export const contract: readonly string[] = [
${kernels.map((k) => `  '${k.kind} ${k.name}|${k.operands}|${k.scalars}',`).join('\n')}
];
`;

const target = new URL('lib/backend/kernels.ts', root);
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
  writeFileSync(target, text);
  console.log(`wrote ${fileURLToPath(target)}: ${kernels.length} kernels`);
}
