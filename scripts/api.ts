import { readFileSync } from 'node:fs';
import * as torch from '../lib/index.js';

/** A parameter of a PyTorch function: its name and, if it has one, its default. */
export type Parameter = [name: string, fallback?: unknown];

/** PyTorch's public names by namespace, with their parameters; null where Python cannot tell them. */
export const pytorch = JSON.parse(
  readFileSync(new URL('../test/golden/torch_api.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, Parameter[] | null>>;

function at(path: string): object | undefined {
  let value: unknown = torch;
  for (const name of path.split('.').slice(1)) value = (value as Record<string, unknown> | undefined)?.[name];
  return value as object | undefined;
}

/** The public members of a class's instances. */
function members(path: string): string[] {
  const names = new Set<string>();
  let prototype = (at(path) as { prototype: object } | undefined)?.prototype;
  while (prototype && prototype !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(prototype)) names.add(name);
    prototype = Object.getPrototypeOf(prototype) as object;
  }
  names.delete('constructor');
  return [...names].filter((name) => !name.startsWith('_'));
}

const classes: Record<string, string> = {
  'methods of Optimizer': 'torch.optim.Optimizer',
  'methods of LRScheduler': 'torch.optim.lr_scheduler.LRScheduler',
  'methods of Module': 'torch.nn.Module',
  'methods of Tensor': 'torch.Tensor',
};

/** The names this package has in a namespace of {@link pytorch}. */
export function exportedNames(namespace: string): string[] {
  if (namespace in classes) return members(classes[namespace]);
  return Object.keys(at(namespace) ?? {});
}
