"""Writes generator.json: what PyTorch's CPU generator gives. Run: python test/golden/generator.py"""

import hashlib
import json
import pathlib

import torch

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "int64": torch.int64,
    "int32": torch.int32,
    "uint8": torch.uint8,
}
FLOATS = ["float32", "float64"]
SEEDS = [0, 42, -5, 2**64 - 1]
cases = []


def digest(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


def add(op, dtype, seed, n, args, draw):
    torch.manual_seed(seed)
    result = draw()
    case = {"op": op, "dtype": dtype, "seed": str(seed), "n": n, "args": [a if abs(a or 0) < 2**53 else str(a) for a in args]}
    values = result.flatten().tolist()
    if len(values) <= 40:
        case["values"] = [v if abs(v) < 2**53 or isinstance(v, float) else str(v) for v in values]
    else:
        case["sha256"] = digest(result)
    case["state"] = digest(torch.get_rng_state())[:16]
    cases.append(case)


def fill(op, dtype, seed, n, args):
    def draw():
        return getattr(torch.empty(n, dtype=DTYPES[dtype]), op)(*args)

    add(op, dtype, seed, n, args, draw)


def weights(n, dtype):
    ramp = torch.arange(1, n + 1, dtype=DTYPES[dtype])
    return torch.stack([ramp, ramp.flip(0)])


for seed in SEEDS:
    for dtype in FLOATS:
        for n in (7, 16, 17, 33):
            fill("uniform_", dtype, seed, n, [0, 1])
            fill("normal_", dtype, seed, n, [0, 1])
        fill("uniform_", dtype, seed, 2000, [0, 1])
        fill("uniform_", dtype, seed, 2000, [-0.3, 0.3])
        for op, args in (
            ("normal_", [0.7, 0.02]),
            ("log_normal_", [0.7, 0.2]),
            ("exponential_", [1.7]),
            ("cauchy_", [1.7, 0.3]),
            ("geometric_", [0.3]),
        ):
            fill(op, dtype, seed, 21, args)
        add("bernoulli", dtype, seed, 1000, [], lambda: torch.bernoulli(torch.arange(1000, dtype=DTYPES[dtype]) / 1000))
        for n, samples in ((9, 5), (3000, 1), (3000, 700)):
            for replacement in (True, False):
                add(
                    "multinomial", dtype, seed, n, [samples, int(replacement)],
                    lambda: torch.multinomial(weights(n, dtype), samples, replacement),
                )  # fmt: skip
    for n in (1000, 1024, 100003):
        fill("normal_", "float32", seed, n, [0, 1])
        fill("normal_", "float32", seed, n, [0.7, 0.02])
    fill("exponential_", "float32", seed, 40_001, [1.7])
    fill("cauchy_", "float32", seed, 40_001, [1.7, 0.3])
    for dtype in DTYPES:
        fill("bernoulli_", dtype, seed, 1000, [0.3])
        fill("geometric_", dtype, seed, 1000, [0.3])
        fill("random_", dtype, seed, 1000, [])
        fill("random_", dtype, seed, 1000, [0, 10])
        add("randperm", dtype, seed, 100, [], lambda: torch.randperm(100, dtype=DTYPES[dtype]))
    for low, high in (
        (0, 2**28 - 1),
        (0, 2**28),
        (-(2**20), 2**31 - 1),
        (2**60, 2**60 + 5),
        (-(2**62), 2**62),
        (3, None),
        (-(2**63), None),
    ):
        fill("random_", "int64", seed, 5, [low, high])
    fill("random_", "int64", seed, 1, [])
    fill("random_", "int64", seed, 5000, [-7, 10**12 + 39])
    fill("random_", "float64", seed, 5000, [-7, 10**12 + 39])
    fill("random_", "int32", seed, 5, [-3, None])
    fill("random_", "float32", seed, 5, [-3, None])
    add("randperm", "int64", seed, 100003, [], lambda: torch.randperm(100003))

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
