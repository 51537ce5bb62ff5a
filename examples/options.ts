import { parseArgs } from 'node:util';

/**
 * Reads `--name value` from the command line, for the names and defaults given; `--name` alone where that is a boolean.
 * @throws Error for an unknown name, or where a number is expected and something else came.
 */
export function readOptions<T extends Record<string, number | string | boolean>>(defaults: T): T {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, fallback]) => {
      return [name, { type: typeof fallback === 'boolean' ? ('boolean' as const) : ('string' as const) }];
    }),
  );
  const { values } = parseArgs({ options });
  const entries = Object.entries(defaults).map(([name, fallback]) => {
    const text = values[name];
    if (text === undefined || typeof fallback !== 'number') return [name, text ?? fallback];
    const number = Number(text);
    if (text === '' || !(number >= 0)) throw new Error(`--${name}: expected a number, got ${JSON.stringify(text)}`);
    return [name, number];
  });
  return Object.fromEntries(entries) as T;
}
