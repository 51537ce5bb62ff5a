import type { StridedCall } from './call.js';

/**
 * Runs `body` at each position of the dimensions before the last `inner`, in row-major order, with the offset of every
 * operand there (0 if absent). The array of offsets is the same one each time.
 */
export function eachRow(call: StridedCall, inner: number, body: (offsets: readonly number[]) => void): void {
  const { shape, operands } = call;
  const outer = call.ndim - inner;
  const offsets = operands.map((operand) => operand?.offset ?? 0);
  const position: number[] = [];
  for (let d = 0; d < outer; d++) {
    if (shape[d] === 0) return;
    position.push(0);
  }
  for (;;) {
    body(offsets);
    let d = outer - 1;
    while (d >= 0 && position[d] === shape[d] - 1) {
      for (let i = 0; i < offsets.length; i++) offsets[i] -= (operands[i]?.strides[d] ?? 0) * position[d];
      position[d--] = 0;
    }
    if (d < 0) return;
    for (let i = 0; i < offsets.length; i++) offsets[i] += operands[i]?.strides[d] ?? 0;
    position[d]++;
  }
}

/** The same iteration in as few dimensions as its strides allow, and at least one. */
export function collapse(call: StridedCall): StridedCall {
  if (call.ndim === 1) return call;
  const shape: number[] = [];
  const kept: number[] = []; // the dimension of the call that gives each dimension its strides
  for (let d = 0; d < call.ndim; d++) {
    const size = call.shape[d];
    if (size === 1) continue;
    const last = shape.length - 1;
    if (last >= 0 && call.operands.every((o) => !o || o.strides[kept[last]] === o.strides[d] * size)) {
      shape[last] *= size;
      kept[last] = d;
    } else {
      shape.push(size);
      kept.push(d);
    }
  }
  if (shape.length === 0) shape.push(1);
  const operands = call.operands.map((o) => o && { ...o, strides: shape.map((_, i) => o.strides[kept[i]] ?? 0) });
  return { ndim: shape.length, shape, scalars: call.scalars, operands };
}
