"""Writes swa.json: averaged models by PyTorch. Run: python test/golden/swa.py"""

import json
import pathlib

import torch
from torch.optim import swa_utils

torch.set_num_threads(1)
EPOCHS = 6

AVERAGES = {
    "mean": {},
    "mean with buffers": {"use_buffers": True},
    "get_swa_avg_fn": {"avg_fn": swa_utils.get_swa_avg_fn()},
    "get_swa_multi_avg_fn": {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()},
    "get_ema_avg_fn": {"avg_fn": swa_utils.get_ema_avg_fn(0.9)},
    "get_ema_multi_avg_fn": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9)},
    "get_ema_multi_avg_fn of decay 0.3": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.3)},
    "get_ema_multi_avg_fn with buffers": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9), "use_buffers": True},
    "a function": {"avg_fn": lambda averaged, current, n: averaged + (current - averaged) * 2 / (n + 3)},
}


def plain(tensors):
    digits = {torch.float32: 9, torch.float64: 17}
    return {
        name: [float(f"{v:.{digits[t.dtype]}g}") for v in t.flatten().tolist()] if t.dtype in digits else t.tolist()
        for name, t in tensors.items()
    }


def averages(dtype):
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1)).to(dtype)
    x, y = torch.randn(20, 3).to(dtype), torch.randn(20, 1).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    averaged = {name: swa_utils.AveragedModel(model, **options) for name, options in AVERAGES.items()}
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        for average in averaged.values():
            average.update_parameters(model)
    result = {name: plain(average.state_dict()) for name, average in averaged.items()}
    average = averaged["mean"]
    swa_utils.update_bn([[x[:12], y[:12]], [x[12:], y[12:]]], average)
    output = average.eval()(x).flatten().tolist()
    return {"averages": result, "after update_bn": plain(average.state_dict()), "output": output}


golden = {
    "float32": averages(torch.float32),
    "float64": averages(torch.float64),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
