"""The kinds of tensors in a weight file that no backbone can be filled from."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput

_WEIGHTS = ("weight", "bias", "running_mean", "running_var")  # what entries of weights end in
_REMEDY = "save the weights as dense tensors of float32"


def check_kinds(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise InvalidInput if a tensor is sparse, quantised or without numbers, or no real numbers.

    path: the weight file, for the message. tensors: the tensors of the file by name. Whole
    numbers, truth values and complex numbers are refused for weights only, whose names are known;
    if a file holds no real numbers at all, the file is refused whatever its names.
    """
    for name, tensor in tensors.items():
        kind = _odd_kind(tensor)
        if kind is None and name.endswith(_WEIGHTS) and not tensor.is_floating_point():
            kind = f"weights of {_type_of(tensor)}"
        if kind is not None:
            raise InvalidInput(f"{path} holds {kind}, such as {name}; {_REMEDY}")
    if tensors and not any(tensor.is_floating_point() for tensor in tensors.values()):
        name, tensor = next(iter(tensors.items()))
        raise InvalidInput(
            f"{path} holds no real numbers; the first entry, {name}, is of {_type_of(tensor)}; "
            f"{_REMEDY}"
        )


def _odd_kind(tensor: Tensor) -> str | None:
    """Return what a tensor is that cannot be copied into a network, or None if it can."""
    if tensor.is_meta:
        return "tensors without numbers, of PyTorch's device 'meta'"
    if tensor.is_quantized:
        return "quantised tensors"
    return None if tensor.layout == torch.strided else "sparse tensors"


def _type_of(tensor: Tensor) -> str:
    """Return the name of a tensor's type of numbers, such as `int32`."""
    return str(tensor.dtype).removeprefix("torch.")
