"""The base class of all networks, which map images to 37 vote fractions, and shared functions."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.layers.vote_layer import VoteLayer

IMAGE_SIDE = 64  # pixels; the side for which the notebooks' own networks were built


@dataclass(frozen=True)
class ParameterGroup:
    """A group of parameters that train at `factor` times the config's learning rate.

    parameters: the parameters of the group.
    factor: factor on the learning rate, above 0.
    decays: False if the weight decay of AdamW leaves the parameters alone.
    """

    parameters: tuple[nn.Parameter, ...]
    factor: float = 1.0
    decays: bool = True


class GalaxyNetwork(nn.Module):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1.

    image_side: S, in pixels; 64 unless a subclass or the network sets another side.
    field_fraction: width of the central part of a stored image that the network sees, as a
        fraction of the image's side; 1 unless `build_network` sets the config's fraction.
    has_frozen_features: True if `features` gives the same numbers for an image throughout the
        training and the config allows to cache them. The training then computes the features of
        the unmoved images once. False unless a subclass or the network sets True.
    has_trained_output: True if the last layer has the weights of an earlier training, so that
        `begin_at` would spoil it.
    """

    image_side: int = IMAGE_SIDE
    field_fraction: float = 1.0
    has_frozen_features: bool = False
    has_trained_output: bool = False

    def regularisation(self) -> Tensor:
        """Return the scalar that the network's own regularisers add to the loss; here 0.

        The scalar is a tensor of shape () on the device of the network's parameters.
        """
        return torch.zeros((), device=next(self.parameters()).device)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameters that are trained, grouped by learning rate.

        Here one group holds all parameters that require a gradient, with the factor 1.
        """
        return [ParameterGroup(tuple(p for p in self.parameters() if p.requires_grad))]

    def frozen_names(self) -> set[str]:
        """Return the state_dict names of all tensors that training leaves unchanged; here none."""
        return set()

    def features(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1, S = `image_side`, to the features [B, F] for `head`.

        The base class always raises TypeError. A network that can set `has_frozen_features`
        overrides this method and `head`; the override does not check `has_frozen_features`.
        """
        raise TypeError(f"{type(self).__name__} keeps no frozen features")

    def head(self, features: Tensor) -> Tensor:
        """Map the features [B, F] that `features` returned to vote fractions [B, 37] in 0..1.

        The base class always raises TypeError. A network that can set `has_frozen_features`
        overrides this method and `features`.
        """
        raise TypeError(f"{type(self).__name__} keeps no frozen features")

    def begin_at(self, votes: Tensor) -> None:
        """Let the predictions of the untrained network begin near `votes`, [37] in 0..1.

        The first bias and the weights of the network's VoteLayer change (see
        `VoteLayer.begin_at`). StopIteration is raised if the network has no VoteLayer.
        """
        self.vote_layer()[1].begin_at(votes)

    def vote_layer(self) -> tuple[str, VoteLayer]:
        """Return the name and the module of the network's last layer.

        StopIteration is raised if the network has no VoteLayer.
        """
        return next((n, m) for n, m in self.named_modules() if isinstance(m, VoteLayer))

    def explained_layer(self) -> nn.Module:
        """Return the layer whose output [B, C, h, w] Grad-CAM weighs; here the last nn.Conv2d.

        A network without nn.Conv2d, such as the vision transformer, raises IndexError.
        """
        convolutions = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        return convolutions[-1]


def scaled(channels: int, width: float) -> int:
    """Return `channels` times the factor `width`, rounded to a whole number of at least 1.

    A half is rounded to the even number.
    """
    return max(1, round(channels * width))
