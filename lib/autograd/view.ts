import { stridesOf, Tensor, type Dims } from '../tensor/tensor.js';
import { mode, no_grad } from './mode.js';
import { gradientEdge, Node, nodeOf, record, requiresGrad, retain, type Op } from './node.js';
import { arange, as_strided, clone, copy_, index_add_, ones, reshape, zeros } from './ops.js';

/** Where a view's elements lie, counted from its storage's beginning. */
interface Geometry {
  dims: Dims;
  strides: Dims;
  offset: number;
}

/** A tensor's geometry; `AsStrided` wants that of the view and of its base. */
export function geometryOf(t: Tensor): Geometry {
  return { dims: t._dims, strides: stridesOf(t), offset: t._offset };
}

/** How many elements a geometry reaches over, first to last. */
function span({ dims, strides }: Geometry): number {
  return dims.reduce((n, d, i) => n + (d - 1) * strides[i], 1);
}

/** The gradient of the base, from that of the view: each element of the view adds to the place it lies at. */
function scatterView(grad: Tensor, view: Geometry, base: Geometry): Tensor {
  if (grad._numel === 0) return zeros(base.dims, { dtype: grad.dtype });
  const start = Math.min(base.offset, view.offset);
  const n = Math.max(base.offset + span(base), view.offset + span(view)) - start;
  const places = no_grad(() => reshape(as_strided(arange(n), view.dims, view.strides, view.offset - start), [-1]));
  const flat = index_add_(zeros([n], { dtype: grad.dtype }), 0, places, reshape(grad, [-1]));
  return as_strided(flat, base.dims, base.strides, base.offset - start);
}

/** Whether several elements may lie at one place. */
function mayOverlap({ dims, strides }: Geometry): boolean {
  const order = dims.map((_, i) => i).filter((i) => dims[i] > 1);
  order.sort((i, j) => strides[i] - strides[j]);
  let reach = 0;
  for (const i of order) {
    if (strides[i] <= reach) return true;
    reach += (dims[i] - 1) * strides[i];
  }
  return false;
}

/** A view, as a function of its base. Elements of the base that share a place share the place's gradient evenly. */
export const AsStrided: Op = {
  name: 'AsStridedBackward0',
  backward(grad, node) {
    const { view, base } = node.attrs as { view: Geometry; base: Geometry };
    const result = scatterView(grad, view, base);
    if (!mayOverlap(base)) return result;
    const counts = no_grad(() => scatterView(ones(base.dims, { dtype: grad._dtype }), base, base));
    return result.div(counts);
  },
};

/** The base after one of its views (the second input) was written: the base's gradient has a hole where the view lies. */
const CopySlices: Op = {
  name: 'CopySlices',
  backward(grad, node) {
    const { view, base } = node.attrs as { view: Geometry; base: Geometry };
    // Both as differentiable functions of `grad`, laid out contiguously: the places are counted within the base.
    const hole = asBase(grad, base);
    const inView = as_strided(hole, view.dims, view.strides, view.offset - base.offset);
    const rest = node.needs(0) ? subtractView(hole, inView, view, base) : null;
    return [rest, node.needs(1) ? clone(inView) : null];
  },
};

/** `grad` with the strides of the base, at offset 0 of a storage of its own. */
function asBase(grad: Tensor, base: Geometry): Tensor {
  return scatterView(grad, { ...base, offset: 0 }, { dims: [span(base)], strides: [1], offset: 0 });
}

function subtractView(flat: Tensor, inView: Tensor, view: Geometry, base: Geometry): Tensor {
  const places = no_grad(() =>
    reshape(as_strided(arange(flat._numel), view.dims, view.strides, view.offset - base.offset), [-1]),
  );
  const rest = index_add_(clone(flat), 0, places, reshape(inView, [-1]).neg());
  return clone(as_strided(rest, base.dims, base.strides, 0));
}

/** Replaces the stale node of a view whose memory was changed in place since by one that follows from the base. */
export function regenerateNode(view: Tensor, base: Tensor): void {
  view._viewVersion = view._storage.version;
  if (gradientEdge(base) === null) return;
  view._node = new Node(AsStrided, [base], [], { view: geometryOf(view), base: geometryOf(base) }, 1);
  view._outputNr = 0;
}

/**
 * A tensor over the memory of `t`, recorded as its view by `op`.
 * @param strides Null for a contiguous view.
 */
export function viewOf(
  t: Tensor,
  dims: Dims,
  strides: Dims | null,
  offset: number,
  op: Op,
  attrs: unknown = null,
): Tensor {
  let numel = 1;
  for (let i = 0; i < dims.length; i++) numel *= dims[i];
  const view = new Tensor(t._storage, offset, dims, strides, numel, t._dtype);
  if (t._dtype.is_floating_point) {
    const inGraph = requiresGrad(t);
    if (mode.enabled && inGraph) record(op, view, [t], [], attrs);
    if (mode.enabled || inGraph) follow(view, t, mode.enabled ? null : 'was made under no_grad');
  }
  return view;
}

/**
 * Makes the graph follow what happens to the shared memory: a change through `view` is one of the base, and the reverse.
 * @param fixed Why a change of the view could not be recorded, or null.
 */
export function follow(view: Tensor, t: Tensor, fixed: string | null): void {
  view._viewVersion = t._storage.version;
  view._base = t._base ?? t;
  view._fixedView = t._fixedView ?? fixed;
}

/**
 * Refuses an in-place change that would be wrong.
 * @throws Error if `t` is a leaf that requires a gradient, a view of one, or has elements that share memory.
 */
export function checkInPlace(name: string, t: Tensor): void {
  if (t._strides !== null && t._strides.some((s, i) => s === 0 && t._dims[i] > 1)) {
    throw new Error(
      `${name}: unsupported operation: more than one element of the written-to tensor refers to a single memory location. ` +
        'Please clone() the tensor before performing the operation.',
    );
  }
  if (!mode.enabled) return;
  if (t._base !== null && nodeOf(t._base) === null && requiresGrad(t)) {
    throw new Error(`${name}: a view of a leaf tensor that requires grad is being used in an in-place operation`);
  }
  if (t._leafGrad) throw new Error(`${name}: a leaf tensor that requires grad is being used in an in-place operation`);
}

/** Refuses a change, to be recorded, of a view that the graph cannot follow. */
export function checkFollowed(name: string, t: Tensor): void {
  if (t._fixedView === null) return;
  throw new Error(
    `${name}: a view that ${t._fixedView} is being modified in place where gradients are recorded. ` +
      'Change its base, or clone() it first',
  );
}

/**
 * Changes `t` in place to `compute(t)` and records it: the result is computed beside `t`, so that whatever its backward
 * saved stays as it was, and `t` takes over its values and its place in the graph.
 * @param compute Gets a copy of `t` that stands at its place in the graph.
 * @throws Error if `t` is a view that the graph cannot follow.
 */
export function inPlaceRecorded(name: string, t: Tensor, compute: (before: Tensor) => Tensor): Tensor {
  checkFollowed(name, t);
  const node = nodeOf(t);
  const before = no_grad(() => clone(t));
  before._node = node;
  before._outputNr = t._outputNr;
  const result = compute(before);
  no_grad(() => copy_(t, result));
  adopt(t, result);
  if (node?.retaining?.get(before._outputNr)?.deref() === t) {
    node.retaining.delete(before._outputNr);
    retain(t);
  }
  return t;
}

/** `t`, whose memory was changed, takes the place of `result` in the graph; of a view, the base does. */
export function adopt(t: Tensor, result: Tensor): void {
  const base = t._base;
  if (base === null) {
    t._node = nodeOf(result);
    t._outputNr = result._outputNr;
  } else if (requiresGrad(result) || requiresGrad(base)) {
    record(CopySlices, base, [base, result], [], { view: geometryOf(t), base: geometryOf(base) });
    base._outputNr = 0;
  }
}
