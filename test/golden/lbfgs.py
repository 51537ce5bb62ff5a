"""Writes lbfgs.json: trajectories of L-BFGS by PyTorch. Run: python test/golden/lbfgs.py"""

import json
import pathlib

import torch

torch.set_num_threads(1)
SHAPES = [(2, 3), (2,)]
SPLIT, STEPS = 10, 30
OPTIONS = [
    {"max_iter": 3},
    {"lr": 0.25, "max_iter": 4, "history_size": 2},
    {"lr": 0.1, "max_iter": 2, "max_eval": 2},
    {"lr": 0.5, "tolerance_grad": 0.01, "tolerance_change": 0.001},
    {"max_iter": 2, "line_search_fn": "strong_wolfe"},
    {"lr": 3.0, "max_iter": 6, "max_eval": 4, "history_size": 3, "line_search_fn": "strong_wolfe"},
    {"lr": 0.03, "max_iter": 1, "line_search_fn": "strong_wolfe"},
    {"lr": 0.5, "tolerance_grad": 0.01, "tolerance_change": 0.001, "line_search_fn": "strong_wolfe"},
]

torch.manual_seed(0)


def grid(*shape):
    """Values that float32 holds exactly."""
    return torch.randn(shape).mul(64).round().div(64)


START = [grid(*shape) for shape in SHAPES]
X, Y = grid(8, 3), grid(8, 2)
NOISE = [[grid(*shape).div(4) for shape in SHAPES] for _ in range(STEPS)]


def objective(kind, params, step):
    weight, bias = params
    if kind == "quadratic":  # another one at each step
        return sum((p * p * 0.125 + n.to(p.dtype) * p).sum() for p, n in zip(params, NOISE[step]))
    if kind == "rosenbrock":
        x = torch.cat([weight.flatten(), bias])
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    out = torch.tanh(X.to(weight.dtype) @ weight.T + bias)
    return ((out - Y.to(weight.dtype)) ** 2).mean() + 0.01 * (weight * weight).sum()


def flat(tensors):
    return [[float(f"{v:.9g}") if t.dtype == torch.float32 else v for v in t.flatten().tolist()] for t in tensors]


def plain(value):
    if isinstance(value, torch.Tensor):
        return {"tensor": value.tolist()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def trajectory(kind, options, start):
    params = [t.clone().requires_grad_() for t in start]
    optimizer = torch.optim.LBFGS(params, **options)
    losses, path, middle = [], [], None
    for step in range(STEPS):

        def closure():
            optimizer.zero_grad()
            loss = objective(kind, params, step)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
        path.append([p.detach().clone() for p in params])
        if step + 1 == SPLIT:
            middle = optimizer.state_dict()
            middle = {"group": middle["param_groups"][0]} | {k: plain(v) for k, v in middle["state"][0].items()}
    return losses, path, middle, optimizer.state_dict()["state"][0]


def run(kind, options, dtype):
    start = [t.to(dtype) for t in START]
    losses, path, middle, final = trajectory(kind, options, start)
    group = middle.pop("group")
    # How far PyTorch's own path goes astray when the start changes in the last bit: steps amplify rounding.
    spread = [0.0] * STEPS
    for _ in range(6):
        nudged = [t * (1 + torch.finfo(dtype).eps * torch.randint(-1, 2, t.shape).to(dtype)) for t in start]
        for step, other in enumerate(trajectory(kind, options, nudged)[1]):
            apart = max(((p - q).abs() / q.abs().clamp(min=1)).max().item() for p, q in zip(other, path[step]))
            spread[step] = max(spread[step], apart)
    case = {"kind": kind, "options": options, "dtype": str(dtype)[6:], "losses": losses}
    case |= {"path": [flat(params) for params in path], "spread": [float(f"{v:.2g}") for v in spread], "group": group}
    if dtype == torch.float64:
        case |= {"state": middle, "counts": [final["func_evals"], final["n_iter"]]}
    return case


golden = {
    "split": SPLIT,
    "start": flat(START),
    "x": flat([X])[0],
    "y": flat([Y])[0],
    "noise": [flat(noise) for noise in NOISE],
    "printed": str(torch.optim.LBFGS([torch.zeros(1)])),
    "cases": [
        run(kind, options, dtype)
        for kind in ["quadratic", "regression", "rosenbrock"]
        for options in OPTIONS
        for dtype in [torch.float32, torch.float64]
        if kind != "rosenbrock" or (dtype == torch.float64 and "line_search_fn" in options)
    ],
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
