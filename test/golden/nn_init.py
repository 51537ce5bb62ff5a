"""Writes nn_init.json: what torch.nn.init makes of a tensor with a seed, for test/nn/init.test.ts. Long results are there by
their first 24 values and the sum of all."""

import json
import math
import pathlib
import warnings

import torch
from torch.nn import init

warnings.simplefilter("ignore")
cases = []


def case(f, shape, *args, dtypes=("float32", "float64"), transposed=False, **options):
    for dtype in dtypes:
        t = torch.full(shape, 7, dtype=getattr(torch, dtype))
        torch.manual_seed(len(cases))
        getattr(init, f)(t.t() if transposed else t, *args, **options)
        values = t.flatten().tolist()
        row = {"f": f, "dtype": dtype, "shape": list(shape), "args": list(args), "options": options}
        if transposed:
            row["transposed"] = True
        cases.append({**row, "seed": len(cases), "values": values[:24], "sum": math.fsum(values)})


for shape in [(3,), (4, 5), (5, 7, 2)]:
    case("uniform_", shape)
    case("normal_", shape)
case("uniform_", (4, 5), a=-2, b=0.5)
case("normal_", (4, 5), mean=1, std=0.25)
case("normal_", (5, 4), transposed=True)
case("constant_", (2, 3), 0.3)
case("ones_", (2, 3))
case("zeros_", (2, 3))
for shape in [(3, 3), (2, 4), (4, 2)]:
    case("eye_", shape)
case("eye_", (2, 4), transposed=True)
for shape, groups in [((4, 2, 3), 1), ((4, 2, 3, 4), 2), ((2, 3, 3, 3, 2), 1), ((6, 1, 3, 3), 3)]:
    case("dirac_", shape, groups=groups)
for f in ["xavier_uniform_", "xavier_normal_"]:
    case(f, (6, 5))
    case(f, (6, 5, 3, 3), gain=1.5)
for f in ["kaiming_uniform_", "kaiming_normal_"]:
    case(f, (6, 5))
    case(f, (6, 5), a=math.sqrt(5))
    case(f, (6, 5, 3, 3), mode="fan_out", nonlinearity="relu")
    case(f, (30, 20), a=0.2, nonlinearity="tanh")
for shape in [(4, 4), (3, 6), (6, 3), (3, 2, 5), (1, 4), (32, 16)]:
    case("orthogonal_", shape)
case("orthogonal_", (5, 3), gain=2)
case("trunc_normal_", (8, 9))
case("trunc_normal_", (3,), mean=1, std=0.5, a=0, b=1.25)
case("trunc_normal_", (8, 9), mean=0, std=1, a=1, b=3)
case("trunc_normal_", (8, 9), mean=4, std=1, a=0, b=2.5)
case("sparse_", (6, 5), 0.4)
case("sparse_", (6, 5), 0.1, std=2)

gains = [
    [name, param, init.calculate_gain(name, param)]
    for name, param in [("linear", None), ("conv2d", None), ("conv_transpose3d", None), ("sigmoid", None), ("tanh", None),
                        ("relu", None), ("selu", None), ("leaky_relu", None), ("leaky_relu", 0.2)]
]  # fmt: skip
path = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in cases)
path.write_text(f'{{"gains":{json.dumps(gains)},\n"cases":[\n{lines}\n]}}\n')
