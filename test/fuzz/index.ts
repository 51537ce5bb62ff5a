// Fuzzing: see binding.ts and api.ts.
//   npm run fuzz -- binding|api [--seconds 60] [--seed 1]
import { parseArgs } from 'node:util';
import { fuzzApi } from './api.js';
import { fuzzBinding } from './binding.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const fuzzers: Record<string, (seed: number, seconds: number) => string> = { binding: fuzzBinding, api: fuzzApi };
const [name] = positionals;
if (!Object.hasOwn(fuzzers, name)) throw new Error(`fuzz: expected one of ${Object.keys(fuzzers).join(', ')}`);
console.log(`fuzz ${name} --seed ${values.seed}`);
console.log(fuzzers[name](Number(values.seed), Number(values.seconds)));
