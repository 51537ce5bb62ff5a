import { readFileSync } from 'node:fs';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Options = Record<string, any>;

/** What options.json has of an optimizer: values besides the default, and sets of options that are not multiplied. */
interface Entry {
  each: Record<string, unknown[]>;
  also: Options[];
}

const database = JSON.parse(readFileSync(new URL('./options.json', import.meta.url), 'utf8')) as Record<string, Entry>;

/**
 * Every option of an optimizer at its default and at each other value, in all combinations that are `taken`, as
 * test/golden/options.py has them. What comes in a few sets of its own is `foreach` and `fused`, which change no numbers;
 * of Adafactor an `eps` of zeros; of Muon `eps`, which only stands for a smaller norm, and the other name of a default.
 */
export function combinations(name: string, taken: (options: Options) => boolean = () => true): Options[] {
  const { each, also } = database[name];
  let sets: Options[] = [{}];
  for (const [option, values] of Object.entries(each)) {
    sets = sets.flatMap((set) => [set, ...values.map((value) => ({ ...set, [option]: value }))]);
  }
  return [...sets.filter(taken), ...also];
}
