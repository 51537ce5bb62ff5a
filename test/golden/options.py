"""The combinations of options that the optimizers are run with; read by the programs beside this one."""

import itertools
import json
import pathlib

import torch

DATABASE = json.loads((pathlib.Path(__file__).parent / "../optim/options.json").read_text())


def combinations(name):
    """Every option at its default and at each other value, in all combinations that PyTorch takes, and some more."""
    each, also = DATABASE[name]["each"], DATABASE[name]["also"]
    values = [[{}, *({option: v} for v in others)] for option, others in each.items()]
    sets = [{k: v for choice in choices for k, v in choice.items()} for choices in itertools.product(*values)]
    return [options for options in sets if taken(name, options)] + also


def taken(name, options):
    try:
        getattr(torch.optim, name)([torch.zeros(1, 1)], **options)
    except ValueError:
        return False
    return True
