import { readFileSync } from 'node:fs';
import * as torch from 'cresset';
import type { AnyOptimizer, Options } from './database.js';

/** A run of an optimizer by PyTorch: what test/golden/optim.py writes. */
export interface Case {
  optimizer: string;
  options: Options;
  dtype: 'float32' | 'float64';
  /** After `split` steps: the parameters, the state by parameter, and (with float64) the groups. */
  middle: number[][];
  state: Record<string, Record<string, number[]>>;
  groups?: Options[];
  /** The parameters at the end. */
  end: number[][];
}

interface Golden {
  printed: Record<string, string>;
  split: number;
  start: number[][];
  gradients: (number[] | null)[][];
  changes: { step: number; group: number; factor: number }[];
  trajectories: Case[];
}

const file = new URL('../golden/optim.json', import.meta.url);

export const { printed, split, start, gradients, changes, trajectories }: Golden = JSON.parse(
  readFileSync(file, 'utf8'),
);
export const shapes = [[2, 3], [2], [3]];

/** The parameters, as leaves. */
export function parameters(values = start, dtype: torch.DType = torch.float64): torch.Tensor[] {
  return values.map((v, i) => torch.tensor(v, { dtype }).reshape(shapes[i]).clone().requires_grad_());
}

const tensors = new Map<torch.DType, (torch.Tensor | null)[][]>();

/** The gradients of a step: the same tensors every time, which optimizers leave as they are. */
export function gradientsOf(step: number, dtype: torch.DType = torch.float64): (torch.Tensor | null)[] {
  if (!tensors.has(dtype)) {
    const steps = gradients.map((grads) => grads.map((v, i) => v && torch.tensor(v, { dtype }).reshape(shapes[i])));
    tensors.set(dtype, steps);
  }
  return tensors.get(dtype)![step];
}

/** Takes steps [first, last) with the gradients of the golden file. */
export function run(
  optimizer: AnyOptimizer,
  params: torch.Tensor[],
  first = 0,
  last = split,
  { before, after }: { before?: (step: number) => void; after?: () => void } = {},
): void {
  for (let step = first; step < last; step++) {
    const grads = gradientsOf(step, params[0].dtype);
    params.forEach((p, i) => (p.grad = grads[i]));
    before?.(step);
    optimizer.step();
    after?.();
  }
}

/** The elements of each tensor. */
export const values = (ts: torch.Tensor[]): number[][] => ts.map((t) => t.flatten().tolist() as number[]);
