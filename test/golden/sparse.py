"""Writes sparse.json: sparse gradients and what optimizers do with them, by PyTorch. Run: python test/golden/sparse.py"""

import json
import pathlib
import random

import torch
from torch.nn.functional import embedding

from options import combinations

torch.set_num_threads(1)
random.seed(0)
ROWS, WIDTH, SPLIT, STEPS = 6, 3, 14, 36
NAMES = ["SparseAdam", "SGD", "Adagrad"]


def number(low, high):
    """A decimal of three digits and either sign, its size between 10^low and 10^high."""
    return float(f"{random.choice((-1, 1)) * 10 ** random.uniform(low, high):.3g}")


def lookup(step):
    """The rows looked up, some twice, or none, and the gradient of each; None where there is no gradient at all."""
    if step % 9 == 4:
        return None
    indices = [] if step % 9 == 6 else [random.randrange(ROWS) for _ in range(random.randrange(1, 7))]
    return {"indices": indices, "values": [[number(-6, 3) for _ in range(WIDTH)] for _ in indices]}


START = [[number(-1, 1) for _ in range(WIDTH)] for _ in range(ROWS)]
LOOKUPS = [lookup(step) for step in range(STEPS)]


def flat(t):
    return [float(f"{v:.9g}") for v in t.flatten().tolist()] if t.dtype == torch.float32 else t.flatten().tolist()


def backward(weight, indices, values, **options):
    out = embedding(torch.tensor(indices, dtype=torch.int64), weight, sparse=True, **options)
    (out * torch.tensor(values, dtype=weight.dtype).reshape(-1, WIDTH)).sum().backward()


def run(name, options, dtype):
    weight = torch.tensor(START, dtype=dtype).requires_grad_()
    options = options | {key: tuple(v) for key, v in options.items() if isinstance(v, list)}
    optimizer = getattr(torch.optim, name)([weight], **options)
    case = {"optimizer": name, "options": options, "dtype": str(dtype)[6:]}
    for step, given in enumerate(LOOKUPS):
        optimizer.zero_grad()
        if given:
            backward(weight, **given)
        optimizer.step()
        if step == SPLIT - 1:
            saved = optimizer.state_dict()
            # With a momentum, the buffer is sparse, and has every gradient so far: each step adds another.
            state = {
                key: flat(v.to_dense()) if isinstance(v, torch.Tensor) else v for key, v in saved["state"].get(0, {}).items()
            }
            case |= {"middle": flat(weight), "state": state, "group": saved["param_groups"][0]}
    return case | {"end": flat(weight)}


def gradient(*steps, **options):
    weight = torch.tensor(START).requires_grad_()
    for step in steps:
        backward(weight, **LOOKUPS[step], **options)
    grad, unique = weight.grad, weight.grad.coalesce()
    return {
        "steps": steps,
        "options": options,
        "indices": grad._indices().tolist(),
        "values": grad._values().tolist(),
        "coalesced": [unique.indices().tolist(), unique.values().tolist()],
        "dense": grad.to_dense().tolist(),
    }


small = torch.tensor(START).requires_grad_()
backward(small, [4, 1, 4], [[1.0, 2.0, 3.0], [-1.5, 0.25, 0.0], [1.0, 1.0, 1.0]])

golden = {
    "split": SPLIT,
    "start": START,
    "lookups": LOOKUPS,
    "gradients": [gradient(1), gradient(1, 2, 3), gradient(0, padding_idx=2), gradient(3, padding_idx=-1), gradient(6)],
    "text": [str(small.grad), str(small.grad.coalesce())],
    "printed": str(torch.optim.SparseAdam([torch.zeros(1)])),
    "cases": [
        run(name, options, dtype)
        for name in NAMES
        for options in combinations(name)
        if not {"weight_decay", "fused"} & options.keys()  # which it refuses
        for dtype in [torch.float32, torch.float64]
    ],
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
