"""Writes tutorial.json: what PyTorch prints for the programs examples/tutorial.ts and examples/training_features.ts.

The learning rates are ones at which rounding does not grow to four digits. At 0.01, SGD with momentum comes to where the last
bit decides: PyTorch itself then prints other losses under ATEN_CPU_CAPABILITY=default than under avx2. RMSprop is as
sensitive there to noise in its gradients.
"""

import json
import pathlib

import torch
from torch import nn, optim

lines: list[str] = []


def tutorial():
    optimizers = {
        "SGD": lambda params: optim.SGD(params, lr=0.01),
        "SGD with momentum": lambda params: optim.SGD(params, lr=0.002, momentum=0.9),
        "Adam": lambda params: optim.Adam(params, lr=0.01),
        "RMSprop": lambda params: optim.RMSprop(params, lr=0.005),
    }
    for name, make in optimizers.items():
        lines.append(name)
        torch.manual_seed(0)
        X, y = torch.randn(100, 10), torch.randn(100, 1)
        model = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))
        optimizer = make(model.parameters())
        criterion = nn.MSELoss()
        for epoch in range(1000):
            loss = criterion(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if epoch % 100 == 0:
                lines.append(f"Epoch {epoch}, Loss: {loss.item():.4f}")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
        self.classifier = nn.Linear(8, 3)

    def forward(self, x):
        return self.classifier(self.base(x))


def training_features():
    torch.manual_seed(0)
    X, y = torch.randn(120, 10), torch.randint(0, 3, (120,))
    criterion = nn.CrossEntropyLoss()

    lines.append("StepLR: the learning rate falls to a tenth every 30 epochs")
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    for epoch in range(90):
        loss = criterion(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 15 == 0:
            lines.append(f"Epoch {epoch}, lr: {scheduler.get_last_lr()[0]:.4f}, Loss: {loss.item():.4f}")
        scheduler.step()

    lines.append("Parameter groups: the classifier learns ten times as fast as the base")
    model = Net()
    optimizer = optim.SGD(
        [{"params": model.base.parameters()}, {"params": model.classifier.parameters(), "lr": 0.1}],
        lr=0.01,
        momentum=0.9,
    )
    for epoch in range(60):
        loss = criterion(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 15 == 0:
            rates = " and ".join(f"{group['lr']:.2f}" for group in optimizer.param_groups)
            lines.append(f"Epoch {epoch}, lr: {rates}, Loss: {loss.item():.4f}")

    lines.append("Clipping: the gradient's norm is held to 0.1")
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(60):
        loss = criterion(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        if epoch % 15 == 0:
            lines.append(f"Epoch {epoch}, norm before: {norm.item():.4f}, Loss: {loss.item():.4f}")

    for set_to_none in (True, False):
        lines.append(f"zero_grad({{ set_to_none: {str(set_to_none).lower()} }})")
        model = Net()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for epoch in range(3):
            optimizer.zero_grad(set_to_none=set_to_none)
            grad = model.classifier.bias.grad
            cleared = "null" if grad is None else f"[{','.join(f'{v:g}' for v in grad.tolist())}]"
            loss = criterion(model(X), y)
            loss.backward()
            optimizer.step()
            lines.append(f"Epoch {epoch}, cleared gradient: {cleared}, Loss: {loss.item():.4f}")


printed = {}
for program in (tutorial, training_features):
    lines = []
    program()
    printed[program.__name__] = lines
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(printed, indent=1) + "\n")
