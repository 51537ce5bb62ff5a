"""Writes lr_scheduler.json: learning rates by PyTorch. Run: python test/golden/lr_scheduler.py"""

import json
import math
import pathlib
import warnings

import torch

warnings.simplefilter("ignore")
here = pathlib.Path(__file__).parent
OPTIONS = json.loads((here / "../optim/schedules.json").read_text())
LRS = [0.5, 0.02]
STEPS = 64
# Every fourth step goes on; the others jump about, forwards and back.
JUMPS = [None if i % 4 == 3 else i * 37 % STEPS for i in range(STEPS)]
# Falls, stays, jumps, is no number: what a loss may do.
METRICS = [math.nan if i == 30 else round(1 / (1 + i // 4) + (0.5 if i % 13 == 12 else 0), 3) for i in range(STEPS)]
RESUMED_AT = [0, 9, 30]
FUNCTIONS = {
    "hyperbola": lambda x: 1 / (1 + 0.05 * x),
    "stairs": lambda x: 1 / (1 + x // 10),
    "wave": lambda x: 1.5 if x % 2 else 0.75,
}


def resolve(value, optimizer):
    """Puts functions and schedulers in the place of their names."""
    if isinstance(value, str):
        return FUNCTIONS.get(value, value)
    if not isinstance(value, list):
        return value
    if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict):
        return make(optimizer, *value)
    return [resolve(item, optimizer) for item in value]


def make(optimizer, name, options, **more):
    options = {key: resolve(value, optimizer) for key, value in options.items()} | more
    cls = getattr(torch.optim.swa_utils if name == "SWALR" else torch.optim.lr_scheduler, name)
    return cls(**options) if name == "ChainedScheduler" else cls(optimizer, **options)


def optimizer_of(name, rate=lambda lr: lr):
    groups = [{"params": [torch.zeros(1)], "lr": rate(lr)} for lr in LRS]
    return torch.optim.Adam(groups) if name == "Adam" else torch.optim.SGD(groups, momentum=0.9)


def record(optimizer, scheduler, steps):
    """The learning rates, and the momentum where that changes."""
    rates, momentum = [], []

    def note():
        rates.append([float(lr) for lr in scheduler.get_last_lr()])
        assert rates[-1] == [float(group["lr"]) for group in optimizer.param_groups]
        momentum.append([group["betas"][0] if "betas" in group else group["momentum"] for group in optimizer.param_groups])

    note()
    for argument in steps:
        optimizer.step()
        scheduler.step() if argument is None else scheduler.step(argument)
        note()
    cycled = any(m != momentum[0] for m in momentum)
    return {"rates": rates} | ({"momentum": momentum} if cycled else {})


def plain(value):
    """A state dict as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


schedules = []
for name, variants in OPTIONS.items():
    for options in variants:
        for kind in ["SGD", "Adam"] if options.get("cycle_momentum", name in ("CyclicLR", "OneCycleLR")) else ["SGD"]:
            case = {"scheduler": name, "options": options, "optimizer": kind}
            steps = METRICS if name == "ReduceLROnPlateau" else [None] * STEPS
            optimizer = optimizer_of(kind)
            scheduler = make(optimizer, name, options)
            case["chained"] = record(optimizer, scheduler, steps)
            case["state"] = plain(scheduler.state_dict())
            single = name not in ("SequentialLR", "ChainedScheduler", "ReduceLROnPlateau")
            if single and kind == "SGD":
                optimizer = optimizer_of(kind)
                case["jumping"] = record(optimizer, make(optimizer, name, options), JUMPS)
            if single:
                case["resumed"] = []
                for at in RESUMED_AT:
                    before = optimizer_of(kind)
                    record(before, make(before, name, options), [None] * at)
                    optimizer = optimizer_of(kind)
                    optimizer.load_state_dict(before.state_dict())
                    case["resumed"].append(record(optimizer, make(optimizer, name, options, last_epoch=at), [None] * 4))
            if kind == "SGD":
                optimizer = optimizer_of(kind, lambda lr: torch.tensor(lr))
                case["float32"] = record(optimizer, make(optimizer, name, options), steps[:20])["rates"]
                case["float32"] = [[float(f"{lr:.9g}") for lr in rates] for rates in case["float32"]]
            schedules.append(case)

golden = {
    "lrs": LRS,
    "jumps": JUMPS,
    "metrics": plain(METRICS),
    "resumedAt": RESUMED_AT,
    "cosines": [[x, math.cos(x)] for x in (math.pi * k / T for T in (7, 30, 61) for k in range(0, 3 * T, 4))],
    "schedules": schedules,
}
(here / "lr_scheduler.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
