"""Adam and AdamW as PyTorch has them, without the import of its compiler.

PyTorch's optimisers tell the compiler which of their methods to leave alone. To do so they import
it, 2 seconds and 80 MB in every process, also where nothing is ever compiled.
"""

from typing import Any

import torch
from torch.optim import Optimizer


def _plain(method: Any) -> Any:
    """The method itself, inside what speaks to the compiler."""
    return getattr(method, "__wrapped__", method)


class _Uncompiled(Optimizer):
    add_param_group = _plain(Optimizer.add_param_group)
    zero_grad = _plain(Optimizer.zero_grad)
    state_dict = _plain(Optimizer.state_dict)
    load_state_dict = _plain(Optimizer.load_state_dict)


class Adam(_Uncompiled, torch.optim.Adam):
    """PyTorch's Adam."""

    step = torch.no_grad()(_plain(torch.optim.Adam.step))


class AdamW(_Uncompiled, torch.optim.AdamW):
    """PyTorch's AdamW."""

    step = torch.no_grad()(_plain(torch.optim.AdamW.step))
