import { expect, test } from 'vitest';
import * as torch from 'cresset';
import { optionDefaults } from '../lib/options.js';
import { exportedNames, pytorch } from '../scripts/api.js';

// Namespaces and values, which the list of callables leaves out; what has no name in PyTorch; safetensors' two functions.
const ownNames: Record<string, string[]> = {
  torch:
    'Tensor Generator nn optim utils autograd profiler backends __version__ DType ValuesIndices slice Slice get_printoptions save_file load_file'.split(
      ' ',
    ),
  'torch.optim': ['lr_scheduler', 'swa_utils', 'extra'],
  'torch.nn': ['Buffer', 'functional', 'init', 'utils'],
  'methods of Tensor': ['slice'],
};

const namespaces = Object.keys(pytorch);

function signature(path: string) {
  const dot = path.lastIndexOf('.');
  const owner = dot === -1 ? 'torch' : `torch.${path.slice(0, dot)}`;
  const ofClass = pytorch[`methods of ${owner.slice(owner.lastIndexOf('.') + 1)}`];
  return (pytorch[owner] ?? ofClass)?.[path.slice(dot + 1)];
}

const known = [...optionDefaults].flatMap(([path, defaults]) => {
  const parameters = signature(path);
  return parameters ? [{ path, defaults: defaults as Record<string, unknown>, parameters }] : [];
});

test('options are known for some of each family', () => {
  const families = [
    'optim.Adam',
    'optim.lr_scheduler.StepLR',
    'nn.Linear',
    'nn.functional.mse_loss',
    'nn.init.normal_',
  ];
  expect(known.map(({ path }) => path)).toEqual(expect.arrayContaining(families));
});

test.each(known)("$path takes PyTorch's options with PyTorch's defaults", ({ defaults, parameters }) => {
  const theirs = Object.fromEntries(
    parameters.filter(([name]) => name in defaults).map(([name, ...rest]) => [name, rest]),
  );
  // A parameter without a default has none here either: its place is taken by undefined.
  const ours = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, value === undefined ? [] : [plain(value)]]),
  );
  expect(ours).toEqual(theirs);
});

/** A default as JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === 'function') return value.name;
  if (value instanceof torch.Generator) return 'Generator';
  return Array.isArray(value) ? value.map(plain) : value;
}

test.each(namespaces)("%s: a name that is not PyTorch's is camelCase", (namespace) => {
  const strange = exportedNames(namespace).filter(
    (name) =>
      !(name in pytorch[namespace]) &&
      !(ownNames[namespace] ?? []).includes(name) &&
      !/^[a-z]+([A-Z][a-z]*)+$/.test(name) &&
      !(namespace === 'torch' && (torch as Record<string, unknown>)[name] instanceof torch.DType),
  );
  expect(strange).toEqual([]);
});

// Each export of some modules becomes a method: one that is meant for the library alone would show here.
test('Tensor has no other methods than PyTorch but these', () => {
  const own = exportedNames('methods of Tensor').filter((name) => !(name in pytorch['methods of Tensor']));
  expect(own.sort()).toEqual(['slice', 'toJSON', 'toTypedArray']);
});
