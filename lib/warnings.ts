const warned = new Set<string>();

/** Warns the first time it is called with `key`. @internal */
export function warnOnce(key: string, message: string): void {
  if (warned.has(key)) return;
  warned.add(key);
  process.emitWarning(message);
}
