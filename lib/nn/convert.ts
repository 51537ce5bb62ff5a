import { checkOptions } from '../options.js';
import { DType } from '../tensor/dtype.js';
import { describe, Tensor } from '../tensor/tensor.js';
import type { Module } from './module.js';
import { adopt } from './parameter.js';

/** What a module can be converted to. */
export type ToTarget = DType | Tensor | 'cpu' | { dtype?: DType | null; device?: 'cpu' | null };

/** The dtype and device that the argument of `to` stands for. */
function readTarget(target: ToTarget): { dtype?: DType | null; device?: unknown } {
  if (target instanceof DType) return { dtype: target };
  if (target instanceof Tensor) return { dtype: target.dtype };
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return { device: String(target) };
  checkOptions('to', target, { dtype: null, device: null });
  return target;
}

/** The work of {@link Module.to}. */
export function convert(module: Module, target: ToTarget): void {
  const { dtype = null, device = null } = readTarget(target);
  if (!(dtype === null || dtype instanceof DType) || !(device === null || device === 'cpu')) {
    throw new TypeError(`to: expected a dtype, a Tensor, 'cpu' or { dtype, device: 'cpu' }, got ${describe(target)}`);
  }
  if (dtype === null) return;
  if (!dtype.is_floating_point)
    throw new TypeError(`to: dtype: expected a floating-point dtype, got torch.${dtype.name}`);
  for (const tensor of [...module.parameters(), ...module.buffers()]) {
    for (const t of [tensor, tensor.grad]) {
      if (t !== null && t.is_floating_point()) adopt(t, t.detach().to(dtype));
    }
  }
}
