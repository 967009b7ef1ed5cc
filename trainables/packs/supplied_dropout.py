"""Dropout for stacked networks, with masks that each network draws beforehand.

Under `torch.func.vmap` a module has one rate and one random state for all networks. So a first
pass records in which order dropout is called, and with values of which shape, layout and type.
Before each step, each network's own dropout modules are applied to tensors of ones in the same
order, under the network's own random state. The same operation draws the same numbers, so the
masks are those that the network draws when it is trained alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.device import RandomState


@dataclass(frozen=True)
class DropoutCall:
    """One call of a dropout module, with the form of the values.

    module: the module's name in the network.
    shape, stride, dtype: shape, strides and type of the values.
    """

    module: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def ones(self, device: torch.device) -> Tensor:
        """Return a tensor of ones with the shape, strides and type of the values."""
        values = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=device)
        return values.fill_(1)

    def stacked(self, num: int, device: torch.device) -> Tensor:
        """Return an unfilled tensor [num, *shape] for the masks of `num` networks.

        Each mask [*shape] in the tensor has the strides and type of the values.
        """
        size = sum((n - 1) * s for n, s in zip(self.shape, self.stride)) + 1
        shape, stride = (num, *self.shape), (size, *self.stride)
        return torch.empty_strided(shape, stride, dtype=self.dtype, device=device)


class MaskSupply:
    """A supply that gives each dropout call of a pass its mask, in order, or records the calls."""

    def __init__(self) -> None:
        """Create a supply without masks."""
        self._masks: Iterator[Tensor | None] = iter(())
        self._record: list[DropoutCall] | None = None

    def supply(self, masks: Sequence[Tensor | None]) -> None:
        """Use these masks in the next pass, one for each call; None is the mask of no dropout."""
        self._masks, self._record = iter(masks), None

    def begin_record(self) -> list[DropoutCall]:
        """Drop nothing until the next `supply`; return a list to which passes add their calls."""
        self._record = []
        return self._record

    def dropped(self, module: str, values: Tensor) -> Tensor:
        """Return the values of one call times the call's mask, or record the call.

        module: name of the dropout module. values: tensor of any shape. A recorded call returns
        `values` itself, as does a call whose mask is None. StopIteration is raised if more calls
        come than masks were supplied.
        """
        if self._record is not None:
            stride = values.stride()
            self._record.append(DropoutCall(module, tuple(values.shape), stride, values.dtype))
            return values
        mask = next(self._masks)
        return values if mask is None else values * mask


class SuppliedDropout(nn.Module):
    """A module that replaces one dropout module of a stacked network."""

    def __init__(self, name: str, supply: MaskSupply) -> None:
        """Replace the dropout module called `name`; its masks come from `supply`."""
        super().__init__()
        self._name, self._supply = name, supply

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to values of the same shape, some of them dropped.

        The module drops in evaluation mode too. Values are unchanged if the supply records or has
        no mask for the call.
        """
        return self._supply.dropped(self._name, values)


def supply_dropout(network: nn.Module) -> MaskSupply:
    """Replace every nn.Dropout below a network in place; return the supply of their masks.

    A fused attention kernel, which drops inside, is switched off by setting a module's
    `fused_attn` to False. If the networks alone use that kernel, as on a GPU, their dropout draws
    differ from the supplied masks.
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
    """Draw the masks [K, *shape] of each dropout call for K networks.

    The list has one entry for each call, which is None if no network drops anything in that call.
    A mask holds 0 or 1 / (1 - rate). calls: the calls of one pass, in order. networks: the K
    networks in training mode, with their own dropout modules. chances: the random state of each
    network, which the draws move; torch's global random state moves too. device: the device of the
    masks.
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
    """Return whether the module called `name` is dropout with a rate above 0 in any network."""
    modules = (network.get_submodule(name) for network in networks)
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in modules)
