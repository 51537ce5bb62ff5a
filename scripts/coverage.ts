// Prints, for each of PyTorch's namespaces, which of its public names are here and which are missing.
import Table from 'cli-table3';
import { exportedNames, pytorch } from './api.js';

const wide = process.argv.includes('--all');
const table = new Table({
  head: ['namespace', 'here', 'PyTorch', 'share'],
  colAligns: ['left', 'right', 'right', 'right'],
});
let here = 0;
let total = 0;

function row(namespace: string, have: number, of: number): void {
  table.push([namespace, have, of, `${((100 * have) / of).toFixed(0)} %`]);
}

for (const [namespace, signatures] of Object.entries(pytorch)) {
  const names = Object.keys(signatures);
  const ours = new Set(exportedNames(namespace));
  const missing = names.filter((name) => !ours.has(name));
  const have = names.filter((name) => ours.has(name));
  row(namespace, have.length, names.length);
  here += have.length;
  total += names.length;
  console.log(`${namespace}\n  here: ${list(have)}\n  missing: ${list(missing)}\n`);
}
row('total', here, total);
console.log(table.toString());

function list(names: string[]): string {
  const shown = wide ? names : names.slice(0, 40);
  const more = names.length - shown.length;
  return names.length === 0 ? '-' : shown.join(' ') + (more > 0 ? ` … ${more} more (--all)` : '');
}
