"""Writes nn_modules.json: what PyTorch's modules hold, print and compute, for test/nn/modules.test.ts.

Each module is made after torch.manual_seed(0) in float32: its state is compared bit by bit. Then it is made double, and
called in training mode and in evaluation mode ('@x' is input x). The gradients are those of the sum of outputs times
`seeded`, of the call in training mode."""

import collections
import json
import pathlib
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
generator = torch.Generator().manual_seed(1)


def grid(*size, low=-3.0, high=3.0):
    values = torch.rand(size, generator=generator, dtype=torch.float64) * (high - low) + low
    return (values * 64).round() / 64


inputs = {
    "x": grid(3, 4),
    "y": grid(3, 4),
    "z": grid(3, 5),
    "images": grid(2, 3, 2, 2),
    "p": grid(3, 4, low=0.1, high=0.9),
    "q": grid(3, 4, low=0.1, high=0.9),
    "labels": torch.tensor([0, 3, 2]),
    "places": torch.tensor([[1, 0, 5], [1, 1, 2]]),
    "factors": grid(4, low=0.5, high=2),
    "table": grid(6, 3),
}

x = ["@x"]
pair = ["@x", "@y"]
cases = [
    ("Linear", [4, 5], {}, x),
    ("Linear", [4, 2], {"bias": False}, x),
    ("Linear", [0, 2], {}, []),
    ("Bilinear", [4, 5, 2], {}, ["@x", "@z"]),
    ("Bilinear", [4, 5, 2], {"bias": False}, ["@x", "@z"]),
    ("Identity", [1], {}, x),
    ("Flatten", [], {}, ["@images"]),
    ("Flatten", [], {"start_dim": 0, "end_dim": 2}, ["@images"]),
    ("Unflatten", [1, (2, 2)], {}, x),
    ("Unflatten", [0, (3,)], {}, x),
    ("Dropout", [], {}, x),
    ("Dropout", [], {"p": 0.25}, x),
    ("Embedding", [6, 3], {}, ["@places"]),
    ("Embedding", [6, 3], {"padding_idx": -5, "scale_grad_by_freq": True}, ["@places"]),
    ("Embedding", [6, 3], {"max_norm": 1.0, "norm_type": 1.0}, ["@places"]),
    ("LayerNorm", [4], {}, x),
    ("LayerNorm", [[3, 4]], {"eps": 0.01, "bias": False}, x),
    ("LayerNorm", [4], {"elementwise_affine": False}, x),
    ("RMSNorm", [4], {}, x),
    ("RMSNorm", [[3, 4]], {"eps": 1e-3, "elementwise_affine": False}, x),
    *[(name, [], {}, x) for name in "ReLU ReLU6 SELU SiLU Mish Hardsigmoid Hardswish ELU CELU GELU LeakyReLU RReLU "
      "PReLU Sigmoid Tanh Softsign Tanhshrink LogSigmoid Softplus Softshrink Hardshrink Hardtanh GLU".split()],
    ("ReLU", [], {"inplace": True}, x),
    ("LeakyReLU", [], {"negative_slope": 1e-05, "inplace": True}, x),
    ("PReLU", [], {"num_parameters": 4, "init": 0.5}, x),
    ("RReLU", [], {"lower": 0.25, "upper": 0.5}, x),
    ("ELU", [], {"alpha": 0.5}, x),
    ("CELU", [], {"alpha": 2.0}, x),
    ("GELU", [], {"approximate": "tanh"}, x),
    ("Softplus", [], {"beta": 2.0, "threshold": 1.0}, x),
    ("Softshrink", [], {"lambd": 1.0}, x),
    ("Hardshrink", [], {"lambd": 1.0}, x),
    ("Hardtanh", [], {"min_val": -2.0, "max_val": 0.5}, x),
    ("Threshold", [0.5, -1], {}, x),
    ("Softmax", [], {"dim": 0}, x),
    ("Softmax", [], {}, x),
    ("LogSoftmax", [], {"dim": 1}, x),
    ("Softmin", [], {"dim": -1}, x),
    ("Softmax2d", [], {}, ["@images"]),
    ("GLU", [], {"dim": 1}, x),
    ("MSELoss", [], {}, pair),
    ("MSELoss", [], {"reduction": "none"}, pair),
    ("L1Loss", [], {"reduction": "sum"}, pair),
    ("SmoothL1Loss", [], {"beta": 0.5}, pair),
    ("HuberLoss", [], {"delta": 0.5}, pair),
    ("CrossEntropyLoss", [], {}, ["@x", "@labels"]),
    ("CrossEntropyLoss", [], {"weight": "@factors", "ignore_index": 2, "label_smoothing": 0.25}, ["@x", "@labels"]),
    ("NLLLoss", [], {"weight": "@factors", "ignore_index": 0}, ["@x", "@labels"]),
    ("BCELoss", [], {"weight": "@factors"}, ["@p", "@q"]),
    ("BCEWithLogitsLoss", [], {"weight": "@factors", "pos_weight": "@factors"}, ["@x", "@q"]),
    ("KLDivLoss", [], {"reduction": "batchmean"}, ["@x", "@q"]),
    ("KLDivLoss", [], {"log_target": True}, pair),
]


def numbers(t):
    return t.detach().flatten().tolist()


def seeded(t):
    return torch.tensor([((i * 7) % 5) / 2 - 0.75 for i in range(t.numel())], dtype=t.dtype).reshape(t.shape)


def resolve(value, leaves=None):
    if not (isinstance(value, str) and value.startswith("@")):
        return value
    t = inputs[value[1:]].clone()
    if leaves is not None and t.is_floating_point():
        leaves[value[1:]] = t.requires_grad_()
        t = t.clone()  # may be changed in place
    return t


def run(name, args, options, given):
    torch.manual_seed(0)
    module = getattr(nn, name)(*args, **{k: resolve(v) for k, v in options.items()})
    out = {
        "module": name,
        "args": args,
        "options": options,
        "inputs": given,
        "printed": repr(module),
        "state": {key: numbers(t) for key, t in module.state_dict().items()},
    }
    if not given:
        return out
    module.double()
    leaves = {}
    result = module(*[resolve(v, leaves) for v in given])
    out["shape"] = list(result.shape)
    out["train"] = numbers(result)
    if result.requires_grad:
        (result * seeded(result)).sum().backward()
    grads = {**leaves, **dict(module.named_parameters())}
    out["grads"] = {key: None if t.grad is None else numbers(t.grad) for key, t in grads.items()}
    module.eval()
    out["eval"] = numbers(module(*[resolve(v) for v in given]))
    return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.zeros(2))
        self.base = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        self.register_buffer("hidden", torch.zeros(1), persistent=False)
        self.head = nn.Linear(3, 1, bias=False)
        self.twin = self.head
        self.shift = nn.Parameter(torch.zeros(2))

    def extra_repr(self):
        return "two\nlines"


def models():
    return {
        "net": Net(),
        "empty": nn.Sequential(),
        "named": nn.Sequential(collections.OrderedDict([("first", nn.Linear(2, 2)), ("act", nn.ReLU())])),
        "list": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Tanh())]),
        "emptyList": nn.ModuleList(),
        "dict": nn.ModuleDict({"10": nn.Linear(2, 1), "2": nn.ReLU(), "b": nn.Linear(1, 2)}),
        "parameters": nn.ParameterList([torch.ones(2, 3), nn.Parameter(torch.zeros(2))]),
        "parameterDict": nn.ParameterDict({"b": torch.ones(2, 3), "a": nn.Parameter(torch.zeros(()))}),
    }


def described(model):
    return {
        "printed": repr(model),
        "state": list(model.state_dict(prefix="p.")),
        "parameters": [name for name, _ in model.named_parameters()],
        "all": [name for name, _ in model.named_parameters(remove_duplicate=False)],
        "own": [name for name, _ in model.named_parameters(prefix="p", recurse=False)],
        "buffers": [name for name, _ in model.named_buffers()],
        "modules": [name for name, _ in model.named_modules()],
        "children": [name for name, _ in model.named_children()],
    }


def refusals():
    """What load_state_dict says to states that do not fit a Linear(2, 1) within a Sequential."""
    good = {"0.weight": torch.ones(1, 2), "0.bias": torch.ones(1)}
    bad = {
        "missing": {"0.weight": torch.ones(1, 2)},
        "unexpected": {**good, "0.other": torch.ones(1), "1.weight": torch.ones(1)},
        "sizes": {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(1)},
        "all": {"0.weight": torch.ones(2), "extra": torch.ones(1)},
    }
    messages = {}
    for key, state in bad.items():
        try:
            nn.Sequential(nn.Linear(2, 1)).load_state_dict(state)
        except RuntimeError as error:
            messages[key] = str(error)
    return messages


def clipping():
    gradients = [inputs["x"], inputs["z"].t(), inputs["factors"]]
    rows = []
    for norm_type in [2.0, 1.0, 0.5, 3.0, 0.0, float("inf")]:
        parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for p, g in zip(parameters, gradients):
            p.grad = g.clone()
        total = nn.utils.clip_grad_norm_(parameters, 1.5, norm_type=norm_type)
        rows.append({
            "norm_type": "Infinity" if norm_type == float("inf") else norm_type,
            "total": total.item(),
            "grads": [numbers(p.grad) for p in parameters],
        })
    return rows


def hooks():
    """What backward hooks of the middle module of three see; they double what they get."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    seen = []

    def pre(module, grad_output):
        seen.append(numbers(grad_output[0]))
        return (grad_output[0] * 2,)

    def post(module, grad_input, grad_output):
        seen.append(numbers(grad_input[0]))
        seen.append(numbers(grad_output[0]))
        return (grad_input[0] * 2,)

    model[1].register_full_backward_pre_hook(pre)
    model[1].register_full_backward_hook(post)
    model(inputs["x"]).sum().backward()
    return {"seen": seen, "grad": numbers(model[0].weight.grad)}


path = pathlib.Path(__file__).with_suffix(".json")
document = {
    "inputs": {
        name: {"shape": list(t.shape), "integer": not t.is_floating_point(), "values": numbers(t)}
        for name, t in inputs.items()
    },
    "cases": [run(*case) for case in cases],
    "models": {name: described(model) for name, model in models().items()},
    "refusals": refusals(),
    "clipping": clipping(),
    "hooks": hooks(),
}
lines = []
for key, value in document.items():
    if isinstance(value, list):
        body = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
    else:
        body = "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n}"
    lines.append(f"{json.dumps(key)}: {body}")
path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
