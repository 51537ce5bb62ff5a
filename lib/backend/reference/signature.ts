import { DType } from './call.js';
import { contract } from '../kernels.js';

/** What the frame says of one operand. */
interface OperandRule {
  optional: boolean;
  /** Written, so never a number in place of a tensor. */
  output: boolean;
  /** LIST: one element, not the row's n. */
  single: boolean;
  /** The dtype it must have; null: that of the first such operand; undefined: any. */
  dtype: number | null | undefined;
}

/** What a kernel's line in the contract means for the frame that calls it. */
export interface Signature {
  name: string;
  list: boolean;
  operands: OperandRule[];
  scalars: number;
  minDims: number;
  /** The scalar that says how many dimensions are reduced, or -1. */
  reduced: number;
  /** Has something to write, or to refuse, although a dimension has size 0. */
  runsWhenEmpty: boolean;
}

const words = (text: string) => (text === '' ? [] : text.split(' '));

const outputs = words('out indices var mean total grad_input grad_weight grad_bias state');
const predicates = words('eq ne lt le gt ge logical_and logical_or logical_xor logical_not');
const alongRows = words(
  'arange linspace cumsum cumprod softmax log_softmax softmax_backward log_softmax_backward sort',
);
const indexed = words('gather scatter scatter_add nll_loss nll_loss_backward');
const drawing = words('uniform normal bernoulli random randperm exponential cauchy geometric');
const minDims: Record<string, number> = {
  tril: 2,
  triu: 2,
  nonzero: 2,
  layer_norm: 2,
  layer_norm_backward: 2,
  matmul: 3,
  matmul_bfloat16: 3,
  linear_backward: 3,
  multinomial: 3,
};
for (const name of [...alongRows, ...indexed]) minDims[name] = 1;
for (const name of drawing) minDims[name] = 2;

function dtypeRule(kernel: string, name: string): number | null | undefined {
  if (kernel === 'copy') return undefined;
  if (name === 'condition') return DType.bool;
  if (name === 'state') return DType.int32;
  if (name === 'index' || name === 'indices') return DType.int64;
  if (name === 'out' && predicates.includes(kernel)) return DType.bool;
  if (name === 'out' && ['argmax', 'argmin', 'nonzero', 'multinomial'].includes(kernel)) return DType.int64;
  return null;
}

function parse(line: string): Signature {
  const [head, operands, scalars] = line.split('|');
  const [kind, name] = head.split(' ');
  const reduced = words(scalars).indexOf('reduced');
  return {
    name,
    list: kind === 'LIST',
    operands: words(operands).map((word) => {
      const operand = word.replace('?', '');
      return {
        optional: word.endsWith('?'),
        output: outputs.includes(operand),
        single: operand === 'out' || operand === 'factor',
        dtype: dtypeRule(name, operand),
      };
    }),
    scalars: words(scalars).length,
    minDims: minDims[name] ?? 0,
    reduced,
    runsWhenEmpty: reduced >= 0 || name.startsWith('matmul') || indexed.includes(name),
  };
}

/** The signature of every kernel, in the order of the contract. */
export function readContract(): readonly Signature[] {
  return contract.map(parse);
}
