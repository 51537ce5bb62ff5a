"""Writes optim.json: optimizers' trajectories by PyTorch. Run: python test/golden/optim.py"""

import json
import pathlib

import torch

here = pathlib.Path(__file__).parent
OPTIONS = json.loads((here / "../optim/options.json").read_text())
SHAPES = [(2, 3), (2,)]
SPLIT, STEPS = 10, 30

torch.manual_seed(0)
# Values that float32 holds exactly. A gradient is one of these plus a quarter of the parameter.
START = [torch.randn(shape).mul(64).round().div(64) for shape in SHAPES]
NOISE = [[torch.randn(shape).mul(64).round().div(64) for shape in SHAPES] for _ in range(STEPS)]


def flat(tensors):
    return [[float(f"{v:.9g}") if t.dtype == torch.float32 else v for v in t.flatten().tolist()] for t in tensors]


def step(optimizer, params, noise, dtype):
    for p, n in zip(params, noise):
        p.grad = p.detach() * 0.25 + n.to(dtype)
    optimizer.step()


trajectories = []
for name, variants in OPTIONS.items():
    for options in variants:
        for dtype in [torch.float32, torch.float64]:
            params = [t.to(dtype, copy=True).requires_grad_() for t in START]
            optimizer = getattr(torch.optim, name)(params, **options)
            for noise in NOISE[:SPLIT]:
                step(optimizer, params, noise, dtype)
            case = {"optimizer": name, "options": options, "dtype": str(dtype)[6:], "middle": flat(params)}
            state = optimizer.state_dict()["state"]
            case["state"] = {i: dict(zip(own, flat(own.values()))) for i, own in state.items()}
            group = optimizer.state_dict()["param_groups"][0]
            case["group"] = group
            for noise in NOISE[SPLIT:]:
                step(optimizer, params, noise, dtype)
            case["end"] = flat(params)
            trajectories.append(case)

printed = {name: str(getattr(torch.optim, name)([torch.zeros(1)])) for name in OPTIONS}

golden = {
    "split": SPLIT,
    "start": flat(START),
    "noise": [flat(noise) for noise in NOISE],
    "trajectories": trajectories,
    "printed": printed,
}
(here / "optim.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
