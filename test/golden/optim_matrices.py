"""Writes optim_matrices.json: optimizers that treat matrices as such, by PyTorch. Run: python test/golden/optim_matrices.py"""

import json
import math
import pathlib
import random

import torch

from options import combinations

torch.set_num_threads(1)
random.seed(0)
SPLIT, STEPS = 14, 36
# The last parameter is a group of its own, whose learning rate is a third of the others'.
SHAPES = {
    "Adafactor": [(2, 3), (4,), (2, 1, 2), (), (3, 1)],
    "Muon": [(3, 4), (3, 2), (1, 3)],
}


def number(low, high):
    """A decimal of three digits and either sign, its size between 10^low and 10^high."""
    return float(f"{random.choice((-1, 1)) * 10 ** random.uniform(low, high):.3g}")


def gradient(step, i, count):
    """One for each element, or None; of every size, and of one size in the second parameter."""
    if i == 1:
        return None if step % 5 == 3 else [number(step % 4 - 2, step % 4 - 1) for _ in range(count)]
    return None if i == 2 and step < 2 else [number(-6, 3) for _ in range(count)]


def flat(t):
    return [float(f"{v:.9g}") for v in t.flatten().tolist()] if t.dtype == torch.float32 else t.flatten().tolist()


def run(name, options, dtype, start, shapes, gradients, changes):
    params = [torch.tensor(v, dtype=dtype).reshape(s).requires_grad_() for v, s in zip(start, shapes)]
    options = options | {key: tuple(v) for key, v in options.items() if isinstance(v, list)}
    optimizer = getattr(torch.optim, name)([{"params": params[:-1]}, {"params": params[-1:]}], **options)
    optimizer.param_groups[1]["lr"] /= 3
    case = {"optimizer": name, "options": options, "dtype": str(dtype)[6:]}
    for step, grads in enumerate(gradients):
        for change in changes:
            if change["step"] == step:
                optimizer.param_groups[change["group"]]["lr"] *= change["factor"]
        for p, values in zip(params, grads):
            p.grad = None if values is None else torch.tensor(values, dtype=dtype).reshape(p.shape)
        optimizer.step()
        if step == SPLIT - 1:
            saved = optimizer.state_dict()
            state = {
                i: {key: {"shape": list(t.shape), "values": flat(t)} for key, t in own.items()}
                for i, own in saved["state"].items()
            }
            case |= {"middle": [flat(p) for p in params], "state": state}
            if dtype == torch.float64:
                case["groups"] = saved["param_groups"]
    return case | {"end": [flat(p) for p in params]}


def family(name, shapes):
    start = [[number(-1, 1) for _ in range(math.prod(shape))] for shape in shapes]
    gradients = [[gradient(step, i, len(v)) for i, v in enumerate(start)] for step in range(STEPS)]
    # Before which steps a group's learning rate becomes how many times what it was.
    changes = [{"step": 7, "group": 0, "factor": 0.5}, {"step": 20, "group": 1, "factor": 2.0}]
    given = {"start": start, "shapes": shapes, "gradients": gradients, "changes": changes}
    return given | {
        "optimizer": name,
        "printed": str(getattr(torch.optim, name)([torch.zeros(1, 1)])),
        "cases": [run(name, o, dtype, **given) for o in combinations(name) for dtype in [torch.float32, torch.float64]],
    }


golden = {"split": SPLIT, "families": [family(name, shapes) for name, shapes in SHAPES.items()]}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
