"""Writes optim.json: optimizers whose state has the parameter's shape, by PyTorch. Run: python test/golden/optim.py"""

import json
import math
import pathlib
import random

import torch

from options import combinations

NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop"]
# The first two parameters are one group, the third another, whose learning rate is a third of the first's.
SHAPES = [(2, 3), (2,), (3,)]
SPLIT, STEPS = 14, 36

torch.set_num_threads(1)
random.seed(0)


def number(low, high):
    """A decimal of three digits and either sign, its size between 10^low and 10^high."""
    return float(f"{random.choice((-1, 1)) * 10 ** random.uniform(low, high):.3g}")


def gradient(step, i):
    """One for each element, or None."""
    if i == 0:  # always there, of every size
        return [number(-6, 3) for _ in range(6)]
    if i == 1:  # missing at times; of one size each
        return None if step % 5 == 3 else [number(-6, -5), number(2, 3)]
    # Comes late; the first element is zero at first and its gradient at times, the others' is of one sign for a while.
    if step < 2 or step == SPLIT:
        return None
    return [0.0 if step % 3 else number(-1, 1), abs(number(-2, 0)), math.copysign(number(0, 1), step % 8 - 4)]


START = [[number(-1, 1) for _ in range(math.prod(shape))] for shape in SHAPES]
START[2][0] = 0.0
GRADIENTS = [[gradient(step, i) for i in range(3)] for step in range(STEPS)]
# Before which steps a group's learning rate becomes how many times what it was.
CHANGES = [{"step": 7, "group": 0, "factor": 0.5}, {"step": 20, "group": 1, "factor": 2.0}]


def flat(t):
    return [float(f"{v:.9g}") for v in t.flatten().tolist()] if t.dtype == torch.float32 else t.flatten().tolist()


def run(name, options, dtype):
    params = [torch.tensor(v, dtype=dtype).reshape(s).requires_grad_() for v, s in zip(START, SHAPES)]
    optimizer = getattr(torch.optim, name)([{"params": params[:2]}, {"params": params[2:]}], **options)
    if name == "ASGD":  # with foreach, PyTorch computes eta in float32: not the numbers it has by default
        for group in optimizer.param_groups:
            group["foreach"] = False
    optimizer.param_groups[1]["lr"] /= 3
    case = {"optimizer": name, "options": options, "dtype": str(dtype)[6:]}
    for step, grads in enumerate(GRADIENTS):
        for change in CHANGES:
            if change["step"] == step:
                optimizer.param_groups[change["group"]]["lr"] *= change["factor"]
        for p, values in zip(params, grads):
            p.grad = None if values is None else torch.tensor(values, dtype=dtype).reshape(p.shape)
        optimizer.step()
        if step == SPLIT - 1:
            saved = optimizer.state_dict()
            state = {i: {key: flat(t) for key, t in own.items()} for i, own in saved["state"].items()}
            case |= {"middle": [flat(p) for p in params], "state": state}
            if dtype == torch.float64:
                case["groups"] = [group | {"foreach": options.get("foreach")} for group in saved["param_groups"]]
    return case | {"end": [flat(p) for p in params]}


golden = {
    "printed": {name: str(getattr(torch.optim, name)([torch.zeros(1)])) for name in NAMES},
    "split": SPLIT,
    "start": START,
    "gradients": GRADIENTS,
    "changes": CHANGES,
    "trajectories": [
        run(name, options, dtype)
        for name in NAMES
        for options in combinations(name)
        for dtype in [torch.float32, torch.float64]
    ],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
