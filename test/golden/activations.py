"""Activations and losses of differences at their edges and at numbers that are none: values and gradients in float64."""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

EDGES = [
    0.0, 0.25, -0.25, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 3.0, -3.0, 6.0, -6.0, 19.5, 20.5, -20.5, 41.0, -41.0, 87.0, -87.0,
    1e4, -1e4, math.inf, -math.inf, math.nan,
]  # fmt: skip
FUNCTIONS = {
    "relu": {}, "relu6": {}, "elu": {"alpha": 1.5}, "selu": {}, "celu": {"alpha": 0.5}, "leaky_relu": {"negative_slope": 0.25},
    "gelu": {}, "silu": {}, "mish": {}, "softplus": {"beta": 2, "threshold": 6}, "sigmoid": {}, "tanh": {}, "logsigmoid": {},
    "hardtanh": {"min_val": -1.5, "max_val": 3}, "hardsigmoid": {}, "hardswish": {}, "hardshrink": {"lambd": 0.5},
    "softshrink": {"lambd": 0.5}, "huber_loss": {"delta": 1.5}, "smooth_l1_loss": {"beta": 0.5},
}  # fmt: skip
VECTOR = 16  # each is in a whole vector: PyTorch's loops for the rest treat NaN in their own way


def plain(t):
    return [x if math.isfinite(x) else str(x) for x in t.reshape(-1, VECTOR)[:, 0].tolist()]


def case(name, options):
    x = torch.tensor(EDGES, dtype=torch.float64).repeat_interleave(VECTOR).requires_grad_()
    f = getattr(F, name)
    out = f(x, torch.zeros_like(x), reduction="none", **options) if name.endswith("loss") else f(x, **options)
    out.backward(torch.full_like(x, -0.75))
    return {"f": name, "options": options, "out": plain(out.detach()), "grad": plain(x.grad)}


cases = [case(name, options) for name, options in FUNCTIONS.items()]
edges = [x if math.isfinite(x) else str(x) for x in EDGES]
Path(__file__).with_suffix(".json").write_text(json.dumps({"edges": edges, "cases": cases}) + "\n")
