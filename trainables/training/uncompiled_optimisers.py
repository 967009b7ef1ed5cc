"""PyTorch's Adam and AdamW without the import of PyTorch's compiler.

PyTorch's optimisers mark the methods that the compiler must not change. To do so they import the
compiler, which costs 2 seconds and 80 MB in every process, even if nothing is ever compiled.
"""

from typing import Any

import torch
from torch.optim import Optimizer


def _plain(method: Any) -> Any:
    """Return the method inside the wrapper that imports PyTorch's compiler (torch.compile).

    A method that has no wrapper is returned unchanged.
    """
    return getattr(method, "__wrapped__", method)


class _Uncompiled(Optimizer):
    """PyTorch's base class of optimisers, with methods that do not import the compiler."""

    add_param_group = _plain(Optimizer.add_param_group)
    zero_grad = _plain(Optimizer.zero_grad)
    state_dict = _plain(Optimizer.state_dict)
    load_state_dict = _plain(Optimizer.load_state_dict)


class Adam(_Uncompiled, torch.optim.Adam):
    """PyTorch's Adam without the import of the compiler."""

    step = torch.no_grad()(_plain(torch.optim.Adam.step))


class AdamW(_Uncompiled, torch.optim.AdamW):
    """PyTorch's AdamW without the import of the compiler."""

    step = torch.no_grad()(_plain(torch.optim.AdamW.step))
