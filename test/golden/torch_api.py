"""Writes torch_api.json: PyTorch's public names with their parameters and defaults, which test/coverage.test.ts and
scripts/coverage.ts hold the exports to. A parameter without a default is [name]; a signature Python cannot tell is null."""

import inspect
import json
import pathlib

import torch


def default(value):
    if isinstance(value, tuple):
        return [default(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.__name__ if callable(value) else type(value).__name__ if isinstance(value, torch.Generator) else str(value)


def parameters(f):
    try:
        signature = inspect.signature(f)
    except ValueError:
        return None
    return [
        [p.name] if p.default is p.empty else [p.name, default(p.default)]
        for p in signature.parameters.values()
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


# Public by their spelling only.
INTERNAL = {
    "Buffer", "LinearCrossEntropyOptions", "Optional", "ScalingType", "SwizzleType", "Tensor", "UninitializedBuffer",
    "UninitializedParameter", "assert_int_or_pair", "boolean_dispatch", "factory_kwargs", "handle_torch_function",
    "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
    "swap_in_optimizer_params_and_state",
}  # fmt: skip


def namespace(module):
    names = [n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_") and n not in INTERNAL]
    values = {name: getattr(module, name) for name in sorted(names)}
    return {
        name: parameters(value)
        for name, value in values.items()
        if callable(value)
        and str(value.__module__).startswith("torch")
        # Deprecated spellings: nn.init.constant, nn.utils.clip_grad_norm.
        and not (f"{name}_" in values and module in (torch.nn.init, torch.nn.utils))
    }


def methods(cls):
    found = {name: getattr(cls, name) for name in sorted(dir(cls)) if not name.startswith("_")}
    return {name: parameters(value) for name, value in found.items() if inspect.isfunction(value)}


api = {
    module.__name__: namespace(module)
    for module in (
        torch.optim,
        torch.optim.lr_scheduler,
        torch.optim.swa_utils,
        torch.nn,
        torch.nn.functional,
        torch.nn.init,
        torch.nn.utils,
        torch.utils.data,
    )
}
for cls in (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, torch.nn.Module):
    api[f"methods of {cls.__name__}"] = methods(cls)
# Compiled: their signatures cannot be read.
api["methods of Tensor"] = {name: None for name in sorted(dir(torch.Tensor)) if not name.startswith("_")}
CLASSES = {"default_generator", "enable_grad", "finfo", "iinfo", "inference_mode", "no_grad", "set_grad_enabled"}
api["torch"] = {
    name: None
    for name in sorted(dir(torch))
    if name in CLASSES
    or (name.islower() and not name.startswith("_"))
    and (inspect.isbuiltin(getattr(torch, name)) or inspect.isfunction(getattr(torch, name)))
}

target = pathlib.Path(__file__).with_suffix(".json")
sections = [
    f"{json.dumps(name)}: {{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in names.items()) + "\n}"
    for name, names in api.items()
]
target.write_text("{\n" + ",\n".join(sections) + "\n}\n")
