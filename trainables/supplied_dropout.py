"""Dropout for stacked networks, whose masks are drawn beforehand, each by its own network.

Under `torch.func.vmap` a module has one rate and one random state for all networks. Here a
first, recorded pass says in which order, shape, layout and type values are dropped. Before each
step every network's own dropout modules are then given ones in that order, under the network's
own random state: as the same operation draws the same numbers, the masks are those that the
network would have drawn alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.random_state import RandomState


@dataclass(frozen=True)
class DropoutCall:
    """One call of a dropout module: the module's name, and what the values were like."""

    module: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def ones(self, device: torch.device) -> Tensor:
        """Ones laid out as the values were."""
        values = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=device)
        return values.fill_(1)

    def stacked(self, num: int, device: torch.device) -> Tensor:
        """Room for the masks of `num` networks, [num, *shape], each laid out as the values."""
        size = sum((n - 1) * s for n, s in zip(self.shape, self.stride)) + 1
        shape, stride = (num, *self.shape), (size, *self.stride)
        return torch.empty_strided(shape, stride, dtype=self.dtype, device=device)


class MaskSupply:
    """Hands each dropout call of a pass its mask, in the order of the calls; or records them."""

    def __init__(self) -> None:
        """Nothing is supplied yet."""
        self._masks: Iterator[Tensor | None] = iter(())
        self._record: list[DropoutCall] | None = None

    def supply(self, masks: Sequence[Tensor | None]) -> None:
        """Use these masks in the pass that follows; None leaves the values as they are."""
        self._masks, self._record = iter(masks), None

    def begin_record(self) -> list[DropoutCall]:
        """Drop nothing in the pass that follows, and note its calls in the list returned."""
        self._record = []
        return self._record

    def dropped(self, module: str, values: Tensor) -> Tensor:
        """The values of one call, times its mask."""
        if self._record is not None:
            stride = values.stride()
            self._record.append(DropoutCall(module, tuple(values.shape), stride, values.dtype))
            return values
        mask = next(self._masks)
        return values if mask is None else values * mask


class SuppliedDropout(nn.Module):
    """Stands in a stacked network where the networks themselves have their dropout."""

    def __init__(self, name: str, supply: MaskSupply) -> None:
        """`name` is that of the dropout module which it replaces."""
        super().__init__()
        self._name, self._supply = name, supply

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to the same."""
        return self._supply.dropped(self._name, values)


def supply_dropout(network: nn.Module) -> MaskSupply:
    """Replace every dropout module of a network, in place; returns what supplies their masks.

    Attention that drops inside a fused kernel is computed step by step instead. Where the
    networks themselves would use that kernel, as they do on a GPU, their draws are others.
    """
    supply = MaskSupply()
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Dropout):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, SuppliedDropout(name, supply))
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    return supply


@torch.no_grad()
def drawn_masks(
    calls: Sequence[DropoutCall],
    networks: Sequence[nn.Module],
    chances: Sequence[RandomState],
    device: torch.device,
) -> list[Tensor | None]:
    """Each call's masks for K networks, [K, *shape]; None where none of them drops anything.

    `networks` are the networks themselves, training; each draws from its own of `chances`.
    """
    masks = [
        call.stacked(len(networks), device) if _any_drops(networks, call.module) else None
        for call in calls
    ]
    for number, (network, chance) in enumerate(zip(networks, chances, strict=True)):
        with chance.in_use():
            for call, mask in zip(calls, masks):
                if mask is not None:
                    mask[number].copy_(network.get_submodule(call.module)(call.ones(device)))
    return masks


def _any_drops(networks: Sequence[nn.Module], name: str) -> bool:
    modules = (network.get_submodule(name) for network in networks)
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in modules)
