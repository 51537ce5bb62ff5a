import { checkTensor, describe, type Tensor } from '../tensor/tensor.js';
import { bmm } from './linalg.js';
import { readDims, sumOver } from './reduction.js';
import { numelOf } from './shape.js';
import { diagonal } from './slices.js';
import { expand, permute, reshape } from './view.js';

// Einstein's summation, made of permutations, sums and batched matrix products.

/** A tensor whose dimensions have names: a letter, or `.n` for the n-th dimension of an ellipsis, counted from the end. */
interface Named {
  t: Tensor;
  names: string[];
}

/** The names in one part of an equation. */
function parse(part: string, ellipsis: number): string[] {
  const names: string[] = [];
  for (let i = 0; i < part.length; i++) {
    if (part.startsWith('...', i)) {
      for (let n = ellipsis - 1; n >= 0; n--) names.push(`.${n}`);
      i += 2;
    } else if (/[a-zA-Z]/.test(part[i])) {
      names.push(part[i]);
    } else {
      throw new RangeError(`einsum: equation: expected letters and '...', got ${describe(part)}`);
    }
  }
  return names;
}

/** Names an operand's dimensions. */
function named(part: string, t: Tensor): Named {
  const letters = part.replace('...', '').length;
  const hasEllipsis = part.includes('...');
  const rest = t._dims.length - letters;
  if (rest < 0 || (rest > 0 && !hasEllipsis)) {
    throw new RangeError(
      `einsum: equation: ${describe(part)} names ${letters} dimensions, but the operand is ${describe(t)}`,
    );
  }
  return { t, names: parse(part, rest) };
}

/** Without repeated names: their diagonal. */
function withoutRepeats({ t, names }: Named): Named {
  for (let i = 0; i < names.length; i++) {
    const j = names.indexOf(names[i], i + 1);
    if (j === -1) continue;
    if (t._dims[i] !== t._dims[j]) {
      throw new RangeError(
        `einsum: the repeated subscript ${describe(names[i])} stands for sizes ${t._dims[i]} and ${t._dims[j]}`,
      );
    }
    const rest = names.filter((_, k) => k !== i && k !== j);
    return withoutRepeats({ t: diagonal(t, { dim1: i, dim2: j }), names: [...rest, names[i]] });
  }
  return { t, names };
}

/** Summed over the names that are not wanted. */
function summed({ t, names }: Named, wanted: (name: string) => boolean): Named {
  const over = names.map((_, i) => i).filter((i) => !wanted(names[i]));
  if (over.length === 0) return { t, names };
  return { t: sumOver(t, readDims('einsum', over, names.length), false), names: names.filter(wanted) };
}

/** The operand as a batch of matrices, its dimensions in the order of the three groups of names. */
function grouped({ t, names }: Named, ...groups: string[][]): Tensor {
  const order = groups.flat().map((name) => names.indexOf(name));
  const sizes = groups.map((group) => numelOf(group.map((name) => t._dims[names.indexOf(name)])));
  return reshape(permute(t, order), sizes);
}

/** The product of two operands, summed over the names that both have and that are not wanted. */
function product(a: Named, b: Named, wanted: (name: string) => boolean): Named {
  const left = summed(a, (name) => wanted(name) || b.names.includes(name));
  const right = summed(b, (name) => wanted(name) || a.names.includes(name));
  const shared = left.names.filter((name) => right.names.includes(name));
  const batch = shared.filter(wanted);
  const inner = shared.filter((name) => !wanted(name));
  const rows = left.names.filter((name) => !shared.includes(name));
  const columns = right.names.filter((name) => !shared.includes(name));
  const out = bmm(grouped(left, batch, rows, inner), grouped(right, batch, inner, columns));
  const sizeOf = ({ t, names }: Named, name: string): number => t._dims[names.indexOf(name)];
  const dims = [...[...batch, ...rows].map((n) => sizeOf(left, n)), ...columns.map((n) => sizeOf(right, n))];
  return { t: reshape(out, dims), names: [...batch, ...rows, ...columns] };
}

/**
 * Sums of products of the operands' elements, their dimensions named by letters: `einsum('bij,bjk->bik', a, b)`. `...`
 * stands for dimensions not named, which broadcast; without `->` the result has the names that occur once, in
 * alphabetical order. PyTorch: `torch.einsum`.
 * @throws RangeError if the equation does not fit the operands, or sizes of one name differ.
 */
export function einsum(equation: string, ...tensors: (Tensor | readonly Tensor[])[]): Tensor {
  if (typeof equation !== 'string')
    throw new TypeError(`einsum: equation: expected a string, got ${describe(equation)}`);
  const given = (tensors.length === 1 && Array.isArray(tensors[0]) ? tensors[0] : tensors) as Tensor[];
  given.forEach((t, i) => checkTensor('einsum', `operands[${i}]`, t));
  const [left, right, ...more] = equation.replace(/\s/g, '').split('->');
  const parts = left.split(',');
  if (more.length > 0) throw new RangeError(`einsum: equation: expected at most one '->', got ${describe(equation)}`);
  if (given.length === 0 || parts.length !== given.length) {
    throw new RangeError(`einsum: equation: ${describe(equation)} has ${parts.length} operands, got ${given.length}`);
  }
  const operands = parts.map((part, i) => withoutRepeats(named(part, given[i])));
  const sizes = new Map<string, number>();
  for (const { t, names } of operands) {
    names.forEach((name, i) => {
      const size = sizes.get(name) ?? 1;
      if (size !== 1 && t._dims[i] !== 1 && size !== t._dims[i]) {
        throw new RangeError(`einsum: the subscript ${describe(name)} stands for sizes ${size} and ${t._dims[i]}`);
      }
      if (t._dims[i] !== 1 || !sizes.has(name)) sizes.set(name, t._dims[i]);
    });
  }
  const output = outputNames(parts, right, sizes);
  const full = operands.map(({ t, names }) => ({
    t: expand(
      t,
      names.map((name) => sizes.get(name)!),
    ),
    names,
  }));
  let result = full[0];
  for (let i = 1; i < full.length; i++) {
    const later = new Set([...output, ...full.slice(i + 1).flatMap(({ names }) => names)]);
    result = product(result, full[i], (name) => later.has(name));
  }
  result = summed(result, (name) => output.includes(name));
  return permute(
    result.t,
    output.map((name) => result.names.indexOf(name)),
  );
}

function outputNames(parts: readonly string[], right: string | undefined, sizes: Map<string, number>): string[] {
  const ellipsis = [...sizes.keys()].filter((name) => name[0] === '.').length;
  if (right === undefined) {
    const letters = parts.join('').replaceAll('.', '');
    const once = [...letters].filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
    return [...parse('...', ellipsis), ...once];
  }
  const names = parse(right, ellipsis);
  names.forEach((name, i) => {
    if (!sizes.has(name) || names.indexOf(name) !== i) {
      throw new RangeError(
        `einsum: equation: the subscript ${describe(name)} of the output must occur in it once, and in the operands`,
      );
    }
  });
  return names;
}

/**
 * The product of two tensors summed over dimensions of both: the last `dims` of `a` with the first of `b`, or the pairs in
 * two lists. PyTorch: `torch.tensordot`.
 */
export function tensordot(
  a: Tensor,
  b: Tensor,
  given:
    | number
    | readonly [readonly number[], readonly number[]]
    | { dims?: number | readonly [readonly number[], readonly number[]] } = 2,
): Tensor {
  checkTensor('tensordot', 'a', a);
  checkTensor('tensordot', 'b', b);
  const dims =
    typeof given === 'object' && given !== null && !Array.isArray(given)
      ? ((given as { dims?: number }).dims ?? 2)
      : given;
  const n = a._dims.length;
  if (typeof dims === 'number' && !(Number.isInteger(dims) && dims >= 0 && dims <= Math.min(n, b._dims.length)))
    throw new RangeError(`tensordot: dims: expected an integer from 0 to ${Math.min(n, b._dims.length)}, got ${dims}`);
  const [overA, overB] =
    typeof dims === 'number'
      ? [Array.from({ length: dims }, (_, i) => n - dims + i), Array.from({ length: dims }, (_, i) => i)]
      : listsOf(dims);
  if (overA.length !== overB.length)
    throw new RangeError(`tensordot: dims: expected two lists of one length, got ${describe(dims)}`);
  const left = readOrder('tensordot', overA, n);
  const right = readOrder('tensordot', overB, b._dims.length);
  left.forEach((d, i) => {
    if (a._dims[d] !== b._dims[right[i]]) {
      throw new RangeError(
        `tensordot: dims: the contracted sizes must agree, got ${a._dims[d]} (dimension ${d}) and ${b._dims[right[i]]} (dimension ${right[i]})`,
      );
    }
  });
  const name = (i: number): string => String.fromCharCode((i < 26 ? 97 : 39) + i);
  const namesA = a._dims.map((_, i) => name(i));
  const namesB = b._dims.map((_, i) => (right.includes(i) ? namesA[left[right.indexOf(i)]] : name(n + i)));
  const kept = [...namesA.filter((_, i) => !left.includes(i)), ...namesB.filter((_, i) => !right.includes(i))];
  return einsum(`${namesA.join('')},${namesB.join('')}->${kept.join('')}`, a, b);
}

/** The two lists of dimensions. @throws TypeError if they are not. */
function listsOf(dims: unknown): readonly (readonly number[])[] {
  if (Array.isArray(dims) && dims.length === 2 && dims.every(Array.isArray)) return dims as number[][];
  throw new TypeError(`tensordot: dims: expected a number or two lists of dimensions, got ${describe(dims)}`);
}

function readOrder(name: string, dims: readonly number[], ndim: number): number[] {
  const sorted = readDims(name, dims.length === 0 ? [] : dims, ndim);
  return dims.length === 0 ? [] : dims.map((d) => (d < 0 ? d + ndim : d)).filter((d) => sorted.includes(d));
}
