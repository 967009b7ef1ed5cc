"""A timm model as a layer that makes a map of features."""

import math

import torch
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput
from trainables.backbones.timm_models import REFUSALS, short


class FeatureMap(nn.Module):
    """A layer that runs a timm model and turns its output, a map or tokens, into a map.

    The layer maps normalised images [B, 3, S, S] to [B, C, h, w].

    model: the timm model. by_call: True to call the model, False to call its `forward_features`.
    channels_last: True if the model's maps are [B, h, w, C]. num_left_out: number of class and
    register tokens that the last forward pass left out; 0 before any pass and for maps.
    """

    def __init__(self, model: nn.Module, *, by_call: bool = True) -> None:
        """Store a timm model without classifier and pooling.

        by_call: True to call the model, False to call its `forward_features`.
        """
        super().__init__()
        self.model, self.by_call = model, by_call
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        self.num_left_out = 0

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images [B, 3, S, S] to [B, C, h, w].

        If the model has several outputs, the last output is taken, which is the deepest. An output
        that is neither a map nor tokens of a square raises InvalidInput. Errors of the model, for
        example at images of a wrong side, pass unchanged. `num_left_out` is set if the output is
        tokens.
        """
        if self.by_call:
            output = self.model(images)  # a call of the module runs the hooks of explanations
        else:
            output = self.model.forward_features(images)  # type: ignore[operator]
        last = output[-1] if isinstance(output, (tuple, list)) else output
        mapped = self._mapped(last) if isinstance(last, Tensor) else None
        if mapped is None:
            shape = list(getattr(last, "shape", []))
            raise InvalidInput(f"no map of features, but {type(last).__name__} {shape}")
        return mapped

    def _mapped(self, output: Tensor) -> Tensor | None:
        """Return an output as a map [B, C, h, w], or None if it is neither a map nor tokens.

        Tokens [B, N, C] must fill a square, with or without class and register tokens before it;
        then `num_left_out` is set.
        """
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self.channels_last else output
        if output.ndim != 3:
            return None
        known = getattr(self.model, "num_prefix_tokens", None)
        for left_out in (0, 1, 2) if known is None else (int(known), 0):
            side = math.isqrt(max(0, output.shape[1] - left_out))
            if side and side**2 == output.shape[1] - left_out:
                self.num_left_out = left_out
                return output[:, left_out:].transpose(1, 2).unflatten(2, (side, side))
        return None


@torch.no_grad()
def feature_map_of(model: nn.Module, name: str, side: int) -> tuple[FeatureMap, int]:
    """Return a model as a FeatureMap, and C, the number of channels of its map.

    The FeatureMap calls the model, or its `forward_features` if the call gives no map of a black
    image of `side` x `side` pixels. If neither gives a map, InvalidInput is raised. name: timm's
    name of the model, for the message. The model is left in evaluation mode.
    """
    refusals = []
    for by_call in (True, False):
        backbone = FeatureMap(model, by_call=by_call).eval()
        try:
            return backbone, int(backbone(torch.zeros(1, 3, side, side)).shape[1])
        except REFUSALS as error:
            refusals.append(short(error))
    raise InvalidInput(f"timm's {name} makes no map of images of {side} pixels: {refusals[0]}")
