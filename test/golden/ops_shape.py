"""Writes ops_shape.json: views, joining, indexing, sorting, products, random tensors and printing. Run: python test/golden/ops_shape.py

A case is a call, spelled so that the test can make it too. Tensors are {"shape", "dtype", "layout"}, filled by a rule, or
{"values", "dtype"}; slices {"slice"}; a trailing object holds named arguments.
"""

import json
import pathlib

import torch

DTYPES = {name: getattr(torch, name) for name in ("float32", "float64", "int64", "int32", "uint8", "bool")}


def T(*shape, dtype="float64", layout=None):
    return {"shape": list(shape), "dtype": dtype, "layout": layout}


def V(values, dtype="int64"):
    return {"values": values, "dtype": dtype}


def S(*bounds):
    return {"slice": list(bounds)}


def filled(numel, factor, shift, modulus, dtype):
    values = [(i * factor + shift) % modulus - modulus // 2 for i in range(numel)]
    return torch.tensor(values, dtype=dtype)


def decode(spec, leaves):
    if isinstance(spec, list):
        return [decode(s, leaves) for s in spec]
    if not isinstance(spec, dict):
        return Ellipsis if spec == "..." else spec
    if "slice" in spec:
        return slice(*spec["slice"])
    dtype = DTYPES[spec["dtype"]]
    if "values" in spec:
        values = spec["values"]
        return torch.tensor([float(v) if isinstance(v, str) else v for v in values] if isinstance(values, list) else values, dtype=dtype)
    shape = spec["shape"]
    leaf = filled(int(torch.tensor(shape).prod()), 7, 3, 11, dtype).reshape(shape)
    if dtype.is_floating_point:
        leaf.requires_grad_()
        leaves.append(leaf)
    return leaf.transpose(0, -1) if spec["layout"] == "t" else leaf


def call(fn, args, leaves):
    *given, last = [decode(a, leaves) if not isinstance(a, dict) or {"shape", "values", "slice"} & a.keys() else a for a in args] or [{}]
    named = last if isinstance(last, dict) else {}
    given = given if isinstance(last, dict) else [*given, last]
    if fn == "index":
        return given[0][tuple(given[1:])]
    if fn == "index_put" and not named.get("accumulate"):
        out = given[0].clone()
        out[tuple(given[1])] = given[2]
        return out
    if fn == "index_put":
        given[1] = tuple(given[1])
    return getattr(torch if hasattr(torch, fn) else torch.Tensor, fn)(*given, **named)


def numbers(t):
    return [str(v) if v != v or v in (float("inf"), -float("inf")) else v for v in t.flatten().tolist()]


cases = []


def add(fn, *args, view=False, seed=None):
    leaves = []
    if seed is not None:
        torch.manual_seed(seed)
    out = call(fn, args, leaves)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    case = {"fn": fn, "args": list(args)}
    if seed is not None:
        case["seed"] = seed
    case["out"] = [{"shape": list(o.shape), "dtype": str(o.dtype)[6:], "values": numbers(o)} for o in outs]
    if view:
        case["strides"] = [list(o.stride()) for o in outs]
        case["offsets"] = [o.storage_offset() for o in outs]
    differentiable = [o for o in outs if o.grad_fn is not None]
    if differentiable:
        sum((o * filled(o.numel(), 5, 2, 7, o.dtype).reshape(o.shape)).sum() for o in differentiable).backward()
        case["grads"] = [None if leaf.grad is None else numbers(leaf.grad) for leaf in leaves]
    cases.append(case)


x, m, v = T(2, 3, 4), T(3, 4), T(5)
xt, mt = T(4, 3, 2, layout="t"), T(4, 3, layout="t")
mask = V([[True, False, True], [False, True, False]], "bool")
for t in (x, xt):
    add("movedim", t, 0, -1, view=True)
    add("movedim", t, [0, 1], [2, 0], view=True)
    add("swapaxes", t, 0, 2, view=True)
    add("split", t, 2, {"dim": 2}, view=True)
    add("split", t, [1, 3], 2, view=True)
    add("chunk", t, 2, 1, view=True)
    add("tensor_split", t, 3, 2, view=True)
    add("tensor_split", t, [1, 3], 2, view=True)
    add("unbind", t, 1, view=True)
    add("diagonal", t, {"offset": 1, "dim1": 2, "dim2": 1}, view=True)
    add("unfold", t, 2, 2, 1, view=True)
    add("narrow", t, 1, 1, 2, view=True)
    add("select", t, 1, -1, view=True)
    add("unsqueeze", t, 1, view=True)
    add("squeeze", t, view=True)
    add("flatten", t, 1, 2)
    add("reshape", t, [4, -1])
    for index in (
        [1], [-1, "..."], ["...", 0], [S(None, None, 2)], [S(None), S(1, None), S(-3, -1)], [None, "...", None], [0, 1, 2],
        [S(5, 9)], [],
    ):  # fmt: skip
        add("index", t, *index, view=True)
    for index in (
        [V([0, 1, 0])], [S(None), V([2, 0])], [V([0, 1]), S(None), V([3, -1])], [S(None), V([[0, 1]]), V([0, 2])],
        [mask], [mask, 1], [S(None), V([True, False, True], "bool")], [1, S(None), V([0, 0])], [None, V([1]), 0],
        ["...", V([[1], [2]])], [V(1)], [V([0, 1]), None, V([0, 1])], [V([], "int64")],
    ):  # fmt: skip
        add("index", t, *index)
        value = T(*call("index", [t, *index], []).shape)
        add("index_put", t, index, value)
        add("index_put", t, index, 7)
    add("index_put", t, [V([0, 0, 1]), V([1, 1, 2])], T(3, 4), {"accumulate": True})
    add("flip", t, [0, 2])
    add("roll", t, 1, 2)
    add("roll", t, [1, -1], [0, 2])
    add("roll", t, 5)
    add("repeat", t, 2, 1, 3)
    add("repeat", t, 2, 1, 1, 2)
    add("tile", t, [2])
    add("repeat_interleave", t, 2, {"dim": 1})
    add("repeat_interleave", t, V([1, 0, 2]), {"dim": 1})
    add("tril", t, {"diagonal": 1})
    add("triu", t, {"diagonal": -1})
    add("gather", t, 1, V([[[0, 1], [2, 2]], [[1, 0], [0, 0]]]))
    add("scatter", t, 2, V([[[0, 1], [2, 3]], [[1, 0], [3, 2]]]), T(2, 2, 2))
    add("scatter", t, 2, V([[[0, 1], [2, 3]], [[1, 0], [3, 2]]]), 9)
    add("scatter_add", t, 1, V([[[0, 1], [0, 1]], [[2, 2], [2, 2]]]), T(2, 2, 2))
    add("index_select", t, 1, V([2, 0, 2]))
    add("index_add", t, 1, V([2, 0, 2]), T(2, 3, 4), {"alpha": 2})
    add("index_copy", t, 1, V([2, 0]), T(2, 2, 4))
    add("index_fill", t, 2, V([0, -1]), 8)
    add("masked_fill", t, V([[True], [False], [True]], "bool"), -4)
    add("masked_fill", t, V([[True], [False], [True]], "bool"), T())
    add("masked_select", t, V([[True], [False], [True]], "bool"))
    add("take", t, V([[0, -1], [5, 5]]))
    add("take_along_dim", t, V([[[1], [0], [2]]]), 2)
    add("sort", t)
    add("sort", t, {"dim": 0, "descending": True})
    add("argsort", t, {"dim": 1, "stable": True})
    add("kthvalue", t, 2)
    add("matmul", t, T(4, 2))
    add("matmul", t, T(4))
    add("matmul", T(3), T(2, 3, 4))
    add("inner", t, T(2, 4))
    add("baddbmm", T(3, 1), t, T(2, 4, 2), {"beta": 0.5, "alpha": 2})
    add("tensordot", t, T(3, 4, 2), 2)
    add("tensordot", t, T(4, 2), {"dims": [[2, 0], [0, 1]]})
    add("topk", T(3, 5), 2, {"dim": 1})
for a, b, equation in (
    (x, T(2, 4, 3), "bij,bjk->bik"), (m, T(4, 3), "ij,jk"), (m, m, "ij,ij->"), (x, v, "...,k->...k"), (x, T(4), "...i,i->..."),
    (m, T(3), "ij,i->j"), (x, T(1, 3, 4), "b...,c...->bc..."), (m, T(2), "ij,k->kji"), (T(3, 3), T(3, 3), "ii,ij->j"),
):  # fmt: skip
    add("einsum", equation, a, b)
add("einsum", "ii", T(3, 3))
add("einsum", "ba", m)
add("einsum", "ij,jk,kl->il", m, T(4, 2), T(2, 3))
add("addmm", T(4), mt, T(4, 4), {"beta": 0, "alpha": 2})
add("addmv", T(3), mt, T(4))
add("dot", v, v)
add("mv", mt, T(4))
add("outer", v, T(3))
add("trace", mt)
add("diag", v, 1)
add("diag", m, -1)
add("cat", [m, T(1, 4), T(0)], {"dim": 0})
add("cat", [m, T(3, 2, dtype="int64")], 1)
add("cat", [mt, mt], -1)
add("stack", [m, mt], 1)
add("hstack", [m, mt])
add("vstack", [T(4), m])
add("meshgrid", [T(2), T(3)], {"indexing": "xy"})
add("broadcast_tensors", T(3, 1), T(2))
add("nonzero", T(2, 3, dtype="int64"))
add("nonzero", T(2, 6, dtype="int32"), {"as_tuple": True})
add("nonzero", V(3))
add("argwhere", V([[True, False], [True, True]], "bool"))
for dtype in ("float32", "int64", "int32", "uint8"):
    add("sort", V([3, 1, 2, 1], dtype), {"descending": True, "stable": True})
add("sort", V([3.0, "nan", 1.0, "inf", -2.0], "float32"))

for seed in (0, 1):
    add("rand", 3, seed=seed)
    add("randn", [4, 5], seed=seed)
    add("randint", 10, [5], seed=seed)
    add("randint", -3, 3, [5], seed=seed)
    add("randperm", 9, seed=seed)
    add("rand_like", T(3, 4, dtype="float32"), seed=seed)
    add("normal", V([1.0, 2.0, 3.0], "float32"), V([0.5, 0.1, 2.0], "float32"), seed=seed)
    add("normal", 1.0, V([0.5, 0.1, 2.0], "float32"), seed=seed)
    add("normal", 1.0, 0.5, [4], seed=seed)
    add("bernoulli", V([[0.1, 0.9], [0.5, 0.5]], "float32"), seed=seed)
    for samples, replacement in ((1, True), (3, False), (5, True)):
        add("multinomial", V([[0.1, 0.2, 0.7], [3.0, 1.0, 1.0]], "float32"), samples, {"replacement": replacement}, seed=seed)
    for fill, *numbers_given in (
        ("uniform_", -1, 1), ("normal_", 1, 2), ("random_", 3, 9), ("bernoulli_", 0.3), ("exponential_", 2), ("geometric_", 0.4),
        ("cauchy_", 1, 2), ("log_normal_", 0, 0.5), ("bernoulli_", V([[0.2], [0.8], [0.5]], "float64")),
    ):  # fmt: skip
        for layout in (None, "t"):
            with torch.no_grad():
                add(fill, T(3, 7) if layout is None else T(7, 3, layout=layout), *numbers_given, seed=seed)

prints = []


def show(values, dtype="float32", shape=None, options=None, grad=None):
    options = options or {}
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**options)
    t = torch.arange(values, dtype=DTYPES[dtype]) if isinstance(values, int) else torch.tensor(values, dtype=DTYPES[dtype])
    t = t if shape is None else t.reshape(shape)
    if grad == "leaf":
        t.requires_grad_()
    elif grad == "neg":
        t = -t.requires_grad_()
    encoded = values if isinstance(values, int) else [str(v) if isinstance(v, float) and (v != v or abs(v) == float("inf") or str(v) == "-0.0") else v for v in values]
    prints.append({"values": encoded, "dtype": dtype, "shape": shape, "options": options, "grad": grad, "text": str(t)})


nan, inf = float("nan"), float("inf")
for dtype in DTYPES:
    show([0, 1, 1, 0], dtype)
    show([1], dtype, shape=[])
    show([], dtype)
    show([], dtype, shape=[2, 0])
for values in (
    [0.5, 1.25, -3.0], [1.0, 2.0, 100.0], [1e-5, 1.0], [1e9, 1.0], [1e8, 1.0], [nan, 1.0, inf], [nan, inf, -inf], [nan, 0.1, -inf], [0.0, -0.0],
    [0.03125, 0.09375, -0.03125], [1234.5678, 0.5], [0.1, 99.99999], [12345678.0, 2.0], [-1e-30, 1e30], [0.00012, 0.1], [1e5, 1e-1],
):  # fmt: skip
    show(values)
    show(values, "float64")
    show(values, options={"precision": 2})
    show(values, options={"sci_mode": True})
    show(values, options={"sci_mode": False, "precision": 1})
for shape in ([1001], [40, 50], [5, 6, 70], [2, 3, 1, 200], [10, 1, 101]):
    n = 1
    for s in shape:
        n *= s
    show(n, shape=shape)
    show(n, "int64", shape=shape, options={"edgeitems": 1})
show(24, shape=[2, 3, 4], grad="neg")
show(24, "float64", shape=[2, 3, 4], grad="leaf")
show(30)
show(30, "int64")
show(100, "float64", shape=[2, 50], options={"linewidth": 40})
show(12, shape=[12], options={"threshold": 5})
show(12, shape=[3, 4], options={"threshold": 5, "edgeitems": 0})
show(12, options={"profile": "short"})
show(1200, "int32", options={"profile": "full"})
show([0.25] * 9, "float64", grad="neg")
show([0.25] * 7, grad="leaf")
show([True, False], "bool")

path = pathlib.Path(__file__).with_suffix(".json")
lines = lambda rows: "[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]"
path.write_text(f'{{"cases":{lines(cases)},\n"prints":{lines(prints)}}}\n')
