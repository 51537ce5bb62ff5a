"""Writes data.json: the orders in which PyTorch's samplers and loaders give samples. Run: python test/golden/data.py"""

import json
import pathlib

import torch
from torch.utils import data


def drawn(make):
    """What `make` gives twice, and the next number of the default generator and of the one it is given."""
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(5)
    source = make(generator)
    values = [[b[0].tolist() if isinstance(b, list) and torch.is_tensor(b[0]) else b for b in source] for _ in range(2)]
    return {"values": values, "next": [int(torch.randint(1000, ())), int(torch.randint(1000, (), generator=generator))]}


n = 10
dataset = data.TensorDataset(torch.arange(n))
items = range(n)
cases = {
    "RandomSampler": lambda g: data.RandomSampler(items),
    "RandomSampler generator": lambda g: data.RandomSampler(items, generator=g),
    "RandomSampler num_samples": lambda g: data.RandomSampler(items, num_samples=23, generator=g),
    "RandomSampler replacement": lambda g: data.RandomSampler(items, replacement=True, num_samples=40, generator=g),
    "SubsetRandomSampler": lambda g: data.SubsetRandomSampler([7, 3, 1, 5], generator=g),
    "WeightedRandomSampler": lambda g: data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 6, generator=g),
    "WeightedRandomSampler without replacement": lambda g: data.WeightedRandomSampler(
        [0.1, 0.9, 0.4, 0.7], 3, replacement=False
    ),
    "DataLoader": lambda g: data.DataLoader(dataset, batch_size=4),
    "DataLoader shuffle": lambda g: data.DataLoader(dataset, batch_size=4, shuffle=True),
    "DataLoader shuffle generator": lambda g: data.DataLoader(dataset, batch_size=5, shuffle=True, generator=g),
    "DataLoader drop_last": lambda g: data.DataLoader(dataset, batch_size=4, shuffle=True, drop_last=True),
    "random_split": lambda g: [list(s.indices) for s in data.random_split(items, [3, 7], generator=g)],
    "random_split fractions": lambda g: [list(s.indices) for s in data.random_split(items, [0.33, 0.33, 0.34])],
}
golden = {name: drawn(make) for name, make in cases.items()}
path = pathlib.Path(__file__).with_name("data.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
