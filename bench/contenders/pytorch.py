"""PyTorch's side of the benchmark: what cresset.mjs is. Its optimizers are the fastest it has: fused ones wherever there are."""

import sys
from time import perf_counter

begin = perf_counter()
import torch

torch.ones(1).add(1)
ready = 1e6 * (perf_counter() - begin)

import inspect
import json
import resource

from torch import nn, optim


def resident():
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    # The most there was: bytes on macOS, kilobytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


resident_after_import = resident()


def make_optimizer(name, params, options):
    params = list(params)
    made = getattr(optim, name)
    # Where there is no fused form: on the CPU the foreach form is the faster one for small tensors only.
    has_fused = "fused" in inspect.signature(made).parameters
    fastest = {"fused": True} if has_fused else {"foreach": params[0].numel() < 2**16}
    return made(params, **options, **fastest)


def training(model, criterion, x, y):
    optimizer = make_optimizer("Adam", model.parameters(), {"lr": 0.001})

    def step():
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def tutorial_model():
    return nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))


def step_of(program):
    kind = program["kind"]
    if kind == "tutorial":
        return training(tutorial_model(), nn.MSELoss(), torch.randn(100, 10), torch.randn(100, 1))
    if kind == "mlp":
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        batch = program["batch"]
        return training(model, nn.CrossEntropyLoss(), torch.randn(batch, 784), torch.randint(0, 10, (batch,)))
    if kind == "matmul":
        m, n, k, layout = program["m"], program["n"], program["k"], program["layout"]
        dtype = getattr(torch, program["dtype"])
        a = torch.randn(k, m, dtype=dtype).t() if layout == "TN" else torch.randn(m, k, dtype=dtype)
        b = torch.randn(n, k, dtype=dtype).t() if layout == "NT" else torch.randn(k, n, dtype=dtype)
        return lambda: torch.matmul(a, b)
    if kind == "layer":
        made = getattr(nn, program["module"])(*program["args"], **program["options"])
        below, shape = program.get("below"), program["shape"]
        x = torch.randn(shape, requires_grad=True) if below is None else torch.randint(0, below, shape)
        grad = torch.randn_like(made(x))

        def forward_backward():
            x.grad = None
            made.zero_grad()
            made(x).backward(grad)

        return forward_backward
    if "count" in program:
        params = [nn.Parameter(torch.randn(program["shape"])) for _ in range(program["count"])]
    else:
        params = list(tutorial_model().parameters())
    for p in params:
        p.grad = torch.randn_like(p)
    optimizer = make_optimizer(program["optimizer"], params, program["options"])
    if "clip" not in program:
        return optimizer.step

    def clipped():
        nn.utils.clip_grad_norm_(params, program["clip"])
        optimizer.step()

    return clipped


def prepare(program):
    torch.manual_seed(0)
    return step_of(program), None


def start(threads):
    torch.set_num_threads(threads)
    return {"version": torch.__version__, "kinds": ["tutorial", "mlp", "matmul", "layer", "optimizer"]}


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "--start":
        prepare({"kind": "tutorial"})[0]()
        print(json.dumps({"ready": ready, "resident": resident_after_import}), flush=True)
    elif mode == "--memory":
        step, _ = prepare({"kind": "mlp", "batch": 32})
        for _ in range(100):
            step()
        early = resident()
        for _ in range(100, int(sys.argv[2])):
            step()
        print(json.dumps({"early": early, "late": resident()}))
    else:
        from serve import serve

        serve(start, prepare)


if __name__ == "__main__":
    main()
