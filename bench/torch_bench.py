"""The PyTorch side of `npm run bench`: answers requests, one JSON object a line, until its input ends.

{"threads": n}                        ->  {"version": …}
{"program": {…}, "seconds": s}        ->  {"times": [microseconds a step, …]}; a program is prepared when it is first asked for

`torch_bench.py --load n` instead runs n steps of the tutorial and prints the bytes then resident.
"""

import json
import sys
from time import perf_counter

import torch
from torch import nn, optim

SAMPLE_TIME = 0.005


def training(model, criterion, x, y):
    optimizer = optim.Adam(model.parameters(), lr=0.001)

    def step():
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def tutorial_model():
    return nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))


def prepare(program):
    torch.manual_seed(0)
    kind = program["kind"]
    if kind == "tutorial":
        return training(tutorial_model(), nn.MSELoss(), torch.randn(100, 10), torch.randn(100, 1))
    if kind == "mlp":
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        batch = program["batch"]
        return training(model, nn.CrossEntropyLoss(), torch.randn(batch, 784), torch.randint(0, 10, (batch,)))
    if kind == "matmul":
        m, n, k, layout = program["m"], program["n"], program["k"], program["layout"]
        a = torch.randn(k, m).t() if layout == "TN" else torch.randn(m, k)
        b = torch.randn(n, k).t() if layout == "NT" else torch.randn(k, n)
        return lambda: torch.matmul(a, b)
    if "model" in program:
        params = list(tutorial_model().parameters())
    else:
        params = [nn.Parameter(torch.randn(program["shape"])) for _ in range(program["count"])]
    for p in params:
        p.grad = torch.randn_like(p)
    return getattr(optim, program["optimizer"])(params, **program["options"]).step


def elapsed(step, count):
    start = perf_counter()
    for _ in range(count):
        step()
    return perf_counter() - start


def sample(step, seconds):
    count = 1
    while elapsed(step, count) < SAMPLE_TIME:
        count *= 2
    times = []
    end = perf_counter() + seconds
    while not times or perf_counter() < end:
        times.append(1e6 * elapsed(step, count) / count)
    return times


def load(steps):
    import resource

    step = prepare({"kind": "tutorial"})
    for _ in range(steps):
        step()
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def serve():
    program, step = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if "threads" in request:
            torch.set_num_threads(request["threads"])
            answer = {"version": torch.__version__}
        else:
            if request["program"] != program:
                program, step = request["program"], None  # frees the last one's memory first
                step = prepare(program)
            answer = {"times": sample(step, request["seconds"])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(int(sys.argv[2]))
    else:
        serve()
