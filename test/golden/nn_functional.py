"""Writes nn_functional.json: values and gradients of torch.nn.functional, for test/nn/functional.test.ts.

Every tensor a case reads is in `tensors`, its values multiples of 1/64, so that float32 and float64 hold the same ones.
A case names the function, its positional arguments and its options ('@x' is tensor x); it holds the result in float64,
the gradients of all floating-point tensors among the arguments ('=x': not of that one) for the output gradient `seeded`, and
the gradients of those, summed. Where PyTorch has no derivative, null."""

import json
import math
import pathlib
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
generator = torch.Generator().manual_seed(1)


def grid(*size, low=-3.0, high=3.0):
    values = torch.rand(size, generator=generator, dtype=torch.float64) * (high - low) + low
    values = (values * 64).round() / 64
    return values.where(values != 0, 0.5)  # away from where slopes jump; `wide` holds the 0


def classes(*size, n):
    return torch.randint(n, size, generator=generator)


tensors = {
    "x": grid(3, 5),
    "y": grid(3, 5),
    "row": grid(5),
    "t": grid(4, 3).t(),  # not contiguous
    "images": grid(2, 3, 2, 2),
    "wide": torch.tensor([-40.0, -20.5, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 20.5, 40.0], dtype=torch.float64),
    "wide2": torch.tensor([-39.0, -20.25, -2.5, 0.0, 0.25, 0.5, 0.25, -1.0, 2.0, 22.5, 39.0], dtype=torch.float64),
    "p": torch.tensor([[0.25, 0.5, 0.015625], [0.75, 0.875, 0.984375]], dtype=torch.float64),
    "q": torch.tensor([[0.0, 0.25, 1.0], [0.5, 0.125, 1.0]], dtype=torch.float64),
    "certain": torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64),
    "truth": torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64),
    "positive": grid(3, 5, low=0.25, high=2),
    "weights": grid(5, low=0.25, high=2),
    "channel": grid(3, low=0.25, high=2),
    "one": torch.tensor([0.25], dtype=torch.float64),
    "labels": classes(3, n=5),
    "ignoring": torch.tensor([1, -100, 4]),
    "label": torch.tensor(2),
    "bytes": classes(3, n=5).to(torch.uint8),
    "pixels": classes(2, 2, 2, n=3),
    "spread": torch.tensor([[0.5, 0.25, 0, 0, 0.25], [0, 0, 1, 0, 0], [0.125] * 4 + [0.5]], dtype=torch.float64),
    "spread4": torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64).view(1, 3, 1, 1).expand(2, 3, 2, 2).contiguous(),
    "table": grid(6, 3),
    "places": torch.tensor([[1, 0, 5], [1, 1, 2]]),
    "matrices": grid(2, 5, 4),
    "left": grid(3, 5),
    "right": grid(3, 4),
    "pair": grid(2),
    "matrix": grid(2, 5),
    "affine": grid(2, 2, low=0.25, high=2),
    "shift": grid(2, 2),
}
cases = []

# Made of several nodes in PyTorch, or in Cresset: the last one says nothing.
COMPOSED = {
    "celu", "cosine_similarity", "cross_entropy", "glu", "hardshrink", "hardsigmoid", "kl_div", "linear", "normalize",
    "pairwise_distance", "prelu", "rms_norm", "softshrink",
}  # fmt: skip
# No second derivative at 0, the gradient of the gradient with its 1e-12 added, and with the frequencies left out.
NO_SECOND = {"elu", "selu", "celu", "binary_cross_entropy", "embedding"}


def seeded(t):
    return ((torch.arange(t.numel(), dtype=torch.float64) * 7) % 5 / 2 - 0.75).reshape(t.shape)


def plain(t):
    def number(x):
        return (float(f"{x:.15g}") if math.isfinite(x) else str(x)) if isinstance(x, float) else x

    return None if t is None else [number(x) for x in t.contiguous().flatten().tolist()]


def case(f, *args, **options):
    # Each a leaf of its own.
    leaves = {}

    def resolve(value):
        if not (isinstance(value, str) and value[0] in "@="):
            return value
        t = tensors[value[1:]].clone()
        if t.is_floating_point() and value[0] == "@":
            leaves[value[1:]] = t.requires_grad_()
        return t

    constant = {"weight", "pos_weight"} if f.endswith(("cross_entropy", "nll_loss", "with_logits")) else set()
    given = [resolve(a) for a in args]
    named = {k: resolve(v).detach() if k in constant else resolve(v) for k, v in options.items()}
    for k in constant & options.keys():
        leaves.pop(options[k][1:])
    out = getattr(F, f)(*given, **named)
    row = {"f": f, "args": list(args), "options": options, "shape": list(out.shape), "out": plain(out.detach())}
    if out.requires_grad:
        inputs = list(leaves.values())
        if f not in COMPOSED:
            row["node"] = out.grad_fn.name()
        g = seeded(out).requires_grad_()
        grads = torch.autograd.grad(out, inputs, g.detach(), retain_graph=True, allow_unused=True)
        row["grads"] = {name: plain(x) for name, x in zip(leaves, grads)}
        if f in NO_SECOND:
            cases.append(row)
            return
        grads = torch.autograd.grad(out, inputs, g, create_graph=True, allow_unused=True)
        total = sum((x * seeded(x)).sum() for x in grads if x is not None and x.requires_grad)
        try:
            second = torch.autograd.grad(total, [g, *inputs], allow_unused=True)
            row["second"] = [plain(x) for x in second]
        except RuntimeError:
            row["second"] = None  # no second derivative in PyTorch
    cases.append(row)


REDUCTIONS = ["none", "mean", "sum"]
for f in [
    "relu", "relu6", "elu", "selu", "celu", "leaky_relu", "gelu", "silu", "mish", "softplus", "sigmoid", "tanh",
    "logsigmoid", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "softsign", "tanhshrink",
]:  # fmt: skip
    case(f, "@wide")
    case(f, "@t")
case("elu", "@x", alpha=0.5)
case("celu", "@x", alpha=0.5)
case("leaky_relu", "@x", negative_slope=0.25)
case("gelu", "@wide", approximate="tanh")
case("softplus", "@wide", beta=2, threshold=10)
case("hardtanh", "@x", min_val=-0.5, max_val=2)
case("hardshrink", "@x", lambd=1)
case("softshrink", "@x", lambd=1)
case("threshold", "@x", 0.5, -2)
case("prelu", "@x", "@one")
case("prelu", "@images", "@channel")
case("glu", "@images", dim=2)
for dim in [0, 1, -1]:
    case("softmax", "@x", dim=dim)
    case("log_softmax", "@x", dim=dim)
    case("softmin", "@x", dim=dim)
case("softmax", "@images", dim=1)
case("log_softmax", "@t", dim=0)
case("normalize", "@x")
case("normalize", "@images", p=1, dim=2)
case("cosine_similarity", "@x", "@y")
case("cosine_similarity", "@x", "@y", dim=0, eps=0.5)
case("pairwise_distance", "@x", "@y")
case("pairwise_distance", "@x", "@y", p=1, eps=0.5, keepdim=True)

case("linear", "@x", "@matrix")
case("linear", "@x", "@matrix", "@pair")
case("bilinear", "@left", "@right", "@matrices")
case("bilinear", "@left", "@right", "@matrices", "@pair")
case("one_hot", "@places", num_classes=7)
case("one_hot", "@places")

for f in ["layer_norm", "rms_norm"]:
    case(f, "@x", [5])
    case(f, "@x", [5], weight="@row", eps=0.5)
    case(f, "@images", [2, 2], weight="@affine")
case("layer_norm", "@images", [2, 2], weight="@affine", bias="@shift")
case("layer_norm", "@t", [4], eps=0.25)

case("embedding", "@places", "@table")
case("embedding", "@places", "@table", padding_idx=1)
case("embedding", "@places", "@table", padding_idx=-1)
case("embedding", "@places", "@table", scale_grad_by_freq=True)

for reduction in REDUCTIONS:
    r = {"reduction": reduction}
    for f in ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"]:
        case(f, "@x", "@y", **r)
        case(f, "@x", "@row", **r)
        if f != "smooth_l1_loss":
            case(f, "@x", "@y", weight="@positive", **r)
    case("smooth_l1_loss", "@x", "@y", beta=2.5, **r)
    case("smooth_l1_loss", "@x", "@y", beta=0, **r)
    case("huber_loss", "@x", "@y", delta=2.5, **r)
    case("mse_loss", "@t", "@t", **r)
    case("nll_loss", "@x", "@labels", **r)
    case("nll_loss", "@row", "@label", **r)
    case("nll_loss", "@images", "@pixels", weight="@channel", ignore_index=1, **r)
    for smoothing in [0, 0.25]:
        s = {"label_smoothing": smoothing, **r}
        case("cross_entropy", "@x", "@labels", **s)
        case("cross_entropy", "@x", "@bytes", **s)
        case("cross_entropy", "@x", "@ignoring", **s)
        case("cross_entropy", "@x", "@labels", weight="@weights", ignore_index=2, **s)
        case("cross_entropy", "@row", "@label", **s)
        case("cross_entropy", "@row", "@label", weight="@weights", **s)
        case("cross_entropy", "@images", "@pixels", weight="@channel", ignore_index=1, **s)
        case("cross_entropy", "@x", "@spread", **s)
        case("cross_entropy", "@x", "@spread", weight="@weights", **s)
        case("cross_entropy", "@images", "@spread4", weight="@channel", **s)
        case("cross_entropy", "@row", "@weights", **s)
    case("binary_cross_entropy", "@p", "@q", **r)
    case("binary_cross_entropy", "@p", "@q", weight="@channel", **r)
    case("binary_cross_entropy", "@certain", "=truth", **r)
    case("binary_cross_entropy_with_logits", "@x", "@spread", **r)
    case("binary_cross_entropy_with_logits", "@wide", "@wide2", **r)
    case("binary_cross_entropy_with_logits", "@x", "@spread", weight="@positive", pos_weight="@weights", **r)
for reduction in [*REDUCTIONS, "batchmean"]:
    case("kl_div", "@x", "@spread", reduction=reduction)
    case("kl_div", "@x", "@y", reduction=reduction, log_target=True)


def drawn(f, name, seed, **options):
    x = tensors[name].float()
    torch.manual_seed(seed)
    out = getattr(F, f)(x, **options)
    return {"f": f, "x": name, "seed": seed, "options": options, "out": plain(out)}


random = [
    drawn("dropout", "x", 1),
    drawn("dropout", "t", 2, p=0.25),
    drawn("dropout", "images", 3, p=1.0),
    drawn("alpha_dropout", "x", 4, p=0.25, training=True),
    drawn("alpha_dropout", "x", 5, p=1.0, training=True),
    drawn("rrelu", "x", 6, training=True),
    drawn("rrelu", "t", 7, lower=0.25, upper=0.75, training=True),
    drawn("rrelu", "x", 8),
]

renormalized = []
for norm_type in [1.0, 2.0, 3.0]:
    table = tensors["table"].clone()
    out = F.embedding(tensors["places"], table, max_norm=2.5, norm_type=norm_type)
    renormalized.append({"norm_type": norm_type, "out": plain(out), "table": plain(table)})

path = pathlib.Path(__file__).with_suffix(".json")
table = {
    name: {"shape": list(t.shape), "strided": not t.is_contiguous(), "dtype": str(t.dtype)[6:], "values": plain(t)}
    for name, t in tensors.items()
}
lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in cases)
rest = json.dumps({"tensors": table, "random": random, "renormalized": renormalized}, separators=(",", ":"))
path.write_text(f'{rest[:-1]},\n"cases":[\n{lines}\n]}}\n')
