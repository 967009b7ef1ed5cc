"""Positions of the cells of a layer's map on the image, and enlargement of such a map.

If the convolutions of a network are not padded, the layer's map covers only the middle of the
image. For example, the four columns of the simple CNN's map have their centres near pixels 18, 26,
34 and 42 of 64. Grad-CAM maps are commonly spread evenly over the image. Such a map would show
twice the true distance from the centre.
"""

import copy
import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.architectures.vision_transformer import VisionTransformer
from trainables.backbones import FineTunedNetwork
from trainables.layers import GalaxyNetwork


@dataclass(frozen=True)
class Cells:
    """A description of where the cells of a square map are on the image, equal along both axes.

    first: position of the centre of the first cell, in pixels; 0 is the centre of the first pixel.
    step: distance between the centres of neighbouring cells, in pixels.
    """

    first: float
    step: float


def cells_on_image(network: GalaxyNetwork, layer: nn.Module) -> Cells | None:
    """Return the positions of the cells of a layer's map [B, C, h, w], or None.

    network: the network, which is left unchanged. layer: a layer of the network whose output is a
    map.

    None means that the cells are to be spread evenly over the image. None is returned for
    FineTunedNetwork, because its backbone is padded, for networks with a convolution whose padding
    is "same", and for networks without a layer for which `_is_unpadded` is True. None is also
    returned if fewer than two cells have a receptive field that begins inside the image, or no
    cell has a receptive field that ends inside the image. All kernels must be square.

    The positions are measured: one column of the image is set to NaN, and the cells whose output
    becomes NaN depend on this column.
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
    lows = looked_at.int().argmax(dim=0)  # the first column that each cell depends on
    highs = side - 1 - looked_at.flip(0).int().argmax(dim=0)
    # the border may cut a field off, so a field's end at the border gives no position
    inner_lows, inner_highs = (lows > 0).nonzero()[:, 0], (highs < side - 1).nonzero()[:, 0]
    if len(inner_lows) < 2 or len(inner_highs) == 0:
        return None
    begin, end, other = int(inner_lows[0]), int(inner_lows[-1]), int(inner_highs[0])
    step = float(lows[end] - lows[begin]) / (end - begin)
    first_low, first_high = float(lows[end]) - step * end, float(highs[other]) - step * other
    return Cells((first_low + first_high) / 2, step)


def patches_on_image(network: GalaxyNetwork) -> Cells | None:
    """Return the positions of a transformer's patches on the image, or None to spread them evenly.

    Positions are returned for a VisionTransformer, whose patches may reach beyond the image.
    """
    if not isinstance(network, VisionTransformer):
        return None
    return Cells((network.patch_side - 1) / 2 - network.border[0], network.patch_side)


def _is_unpadded(layer: nn.Module) -> bool:
    """Return whether a layer has overlapping windows and no padding.

    The layer must be a convolution whose kernel is larger than its stride, or a max pooling with
    the kernel 3 and the stride 2.
    """
    if isinstance(layer, nn.MaxPool2d):
        return (layer.padding, layer.kernel_size, layer.stride) == (0, 3, 2)
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.padding in (0, (0, 0), "valid") and layer.kernel_size[0] > layer.stride[0]


@torch.no_grad()
def _reached(layer: nn.Module, network: GalaxyNetwork, images: Tensor) -> Tensor:
    """Return a layer's output [B, C, h, w], which is NaN where it depends on a NaN of the images.

    layer: a layer of the network; StopIteration is raised for another layer. images: images
    [B, 3, S, S] on the CPU. Output values that are not NaN have no meaning.

    The output is computed by a copy of the network on the CPU whose convolutions return the
    maximum of their inputs. The copy needs a thousandth of the work of the network. Fast kernels
    for convolutions would also spread NaN to neighbouring cells.
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
    """Return the maximum of the input over each window of a convolution and over all channels.

    images: input [B, C, h, w]. The result has the shape of the convolution's output, and all its
    channels are equal.
    """
    rows, columns = (0, 0) if isinstance(layer.padding, str) else layer.padding  # "valid"
    padded = F.pad(images.amax(dim=1, keepdim=True), (columns, columns, rows, rows))
    most = F.max_pool2d(padded, layer.kernel_size, layer.stride, dilation=layer.dilation)
    return most.expand(-1, layer.out_channels, -1, -1)


def enlarged_map(maps: Tensor, cells: Cells | None, side: int) -> Tensor:
    """Return maps [B, h, w] enlarged to the size of the image, [B, side, side].

    maps: square maps, h = w. cells: positions of the cells on the image; None spreads the cells
    evenly, as `F.interpolate` does. side: side of the image in pixels.

    Values are bilinear between the centres of the cells. Beyond the outermost centres the values
    of the outermost cells continue.
    """
    num_cells = maps.shape[-1]
    cells = cells or Cells((side / num_cells - 1) / 2, side / num_cells)
    places = (torch.arange(side).to(maps) - cells.first) / cells.step  # in cells, from 0
    places = (2 * places + 1) / num_cells - 1  # -1 and 1 are the map's edges
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)  # [side, side, 2]
    enlarged = F.grid_sample(
        maps[:, None],
        grid.expand(len(maps), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )
    return enlarged[:, 0]
