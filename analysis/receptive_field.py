"""Where the cells of a layer's map lie on the image, and a map enlarged accordingly.

A map of a network whose convolutions are not padded covers the middle of the image alone: the
simple CNN's four columns look at pixels around 18, 26, 34 and 42 of 64. Spread evenly over the
image, as Grad-CAM's maps commonly are, they would show twice the distance from the centre.
"""

import copy
import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.fine_tuning import FineTunedNetwork
from trainables.network import GalaxyNetwork


@dataclass(frozen=True)
class Cells:
    """Centre of the first cell and distance between centres, in pixels, along both axes."""

    first: float
    step: float


def cells_on_image(network: GalaxyNetwork, layer: nn.Module) -> Cells | None:
    """The cells of the layer's map [B, C, h, w], or None where to spread them evenly is right.

    Found without knowing the network: a column of the image is made NaN, and the cells that
    turn NaN are those that look at it. Only networks of our own with unpadded convolutions or
    poolings are asked, with square kernels; backbones pad. None too if all cells look at nearly
    all columns.
    """
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if (
        isinstance(network, FineTunedNetwork)
        or any(convolution.padding == "same" for convolution in convolutions)
        or not any(map(_is_unpadded, network.modules()))
    ):
        return None
    side = network.image_side
    images = torch.zeros(side, 3, side, side)
    columns = torch.arange(side)
    images[columns, :, :, columns] = torch.nan
    looked_at = _reached(layer, network, images).isnan().any(dim=(1, 2))  # [side, w]
    lows = looked_at.int().argmax(dim=0)  # the first column that each cell looks at
    highs = side - 1 - looked_at.flip(0).int().argmax(dim=0)
    # a field that ends at the border may be cut off there, so its end tells nothing
    inner_lows, inner_highs = (lows > 0).nonzero()[:, 0], (highs < side - 1).nonzero()[:, 0]
    if len(inner_lows) < 2 or len(inner_highs) == 0:
        return None
    begin, end, other = int(inner_lows[0]), int(inner_lows[-1]), int(inner_highs[0])
    step = float(lows[end] - lows[begin]) / (end - begin)
    first_low, first_high = float(lows[end]) - step * end, float(highs[other]) - step * other
    return Cells((first_low + first_high) / 2, step)


def _is_unpadded(layer: nn.Module) -> bool:
    """Whether its windows overlap and stay within what it looks at; of poolings, those of 3."""
    if isinstance(layer, nn.MaxPool2d):
        return (layer.padding, layer.kernel_size, layer.stride) == (0, 3, 2)
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.padding in (0, (0, 0), "valid") and layer.kernel_size[0] > layer.stride[0]


@torch.no_grad()
def _reached(layer: nn.Module, network: GalaxyNetwork, images: Tensor) -> Tensor:
    """The layer's output, NaN where it looks at a NaN of images; other values mean nothing.

    Computed by a copy whose convolutions take the maximum of what they look at: a thousandth of
    the work, and fast kernels for convolutions would spread NaN to neighbouring cells.
    """
    name = next(n for n, module in network.named_modules() if module is layer)
    twin = copy.deepcopy(network).cpu().float().eval()
    for module in twin.modules():
        if isinstance(module, nn.Conv2d):
            module.forward = functools.partial(_maximum, module)  # type: ignore[method-assign]
    outputs: list[Tensor] = []
    twin.get_submodule(name).register_forward_hook(lambda _, __, out: outputs.append(out))
    twin(images)
    return outputs[0]


def _maximum(layer: nn.Conv2d, images: Tensor) -> Tensor:
    """The maximum over a convolution's window and channels, as often as it has outputs."""
    rows, columns = (0, 0) if isinstance(layer.padding, str) else layer.padding  # "valid"
    padded = F.pad(images.amax(dim=1, keepdim=True), (columns, columns, rows, rows))
    most = F.max_pool2d(padded, layer.kernel_size, layer.stride, dilation=layer.dilation)
    return most.expand(-1, layer.out_channels, -1, -1)


def enlarged_map(maps: Tensor, cells: Cells | None, side: int) -> Tensor:
    """Maps [B, h, w] at image size [B, side, side], bilinear between the centres of `cells`.

    None spreads them evenly, which is what `F.interpolate` does. Beyond the outermost centres
    the outermost values go on.
    """
    num_cells = maps.shape[-1]
    cells = cells or Cells((side / num_cells - 1) / 2, side / num_cells)
    places = (torch.arange(side).to(maps) - cells.first) / cells.step  # in cells, 0 the first
    places = (2 * places + 1) / num_cells - 1  # -1 and 1 are the map's edges
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)  # [side, side, 2]
    enlarged = F.grid_sample(
        maps[:, None],
        grid.expand(len(maps), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )
    return enlarged[:, 0]
