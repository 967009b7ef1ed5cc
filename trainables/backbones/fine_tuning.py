"""A pretrained backbone under a head of galaxytune: what is frozen, what trains, and how fast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.declaration import PretrainedBackbone
from trainables.layers import (
    Dropout,
    GalaxyNetwork,
    HeadName,
    ParameterGroup,
    VoteLayer,
    initialise_as_keras,
)

# Mean and standard deviation of ImageNet's pixels in 0..1, by channel; torchvision gives these
# numbers for all of its classification weights.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


# The names that timm's models give to the parts between the last stage and the classifier.
_HEAD_PARTS = frozenset(
    "conv_head final_conv in_conv pre_classifier pre_logits head norm norm_head norm_pre".split()
)


class Normalisation(nn.Module):
    """A layer that subtracts a mean and divides by a deviation, for each channel.

    The layer maps images [B, 3, S, S] in 0..1 to [B, 3, S, S].

    mean, deviation: tensors [1, 3, 1, 1].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        """Store the mean and the standard deviation of each channel; neither is in the state_dict.

        mean, deviation: three numbers each, for images in 0..1; the deviations are not 0. Another
        number of values raises RuntimeError.
        """
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            column = torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, column, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to normalised images [B, 3, S, S]."""
        return (images - self.mean) / self.deviation


def input_normalisation(
    config: PretrainedBackbone, mean: Sequence[float], deviation: Sequence[float]
) -> nn.Module:
    """Return the layer that prepares images [B, 3, S, S] in 0..1 for a backbone.

    The layer subtracts the mean and divides by the deviation, three numbers each, that the weights
    expect. The layer changes nothing if the config's `as_published` is True, because the notebooks
    feed raw pixels in 0..1.
    """
    return nn.Identity() if config.as_published else Normalisation(mean, deviation)


class Head(nn.Module):
    """A head of a hidden ReLU layer, dropout and the layer of the vote fractions.

    The head maps features [B, F] to vote fractions [B, 37] in 0..1.
    """

    def __init__(self, num_features: int, width: int, dropout: float, head: HeadName) -> None:
        """Build the untrained layers with the initial weights of Keras.

        num_features: F, number of features. width: number of hidden units. dropout: dropout rate
        before the output, 0 or more and below 1. head: how outputs become vote fractions (see
        VoteLayer). The weights are drawn from torch's global random state.
        """
        super().__init__()
        self.hidden = nn.Linear(num_features, width)
        self.dropout = Dropout(dropout)
        self.output = VoteLayer(width, head)
        initialise_as_keras(self)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, F] to vote fractions [B, 37] in 0..1."""
        votes: Tensor = self.output(self.dropout(F.relu(self.hidden(features))))
        return votes


def _forget_kept_biases(network: nn.Module, _: object) -> None:
    """Discard the attention biases that timm's models store in evaluation.

    The function is a hook of `load_state_dict`, which runs after weights were loaded, because
    stored biases would belong to the old weights. The second argument, the names that do not fit,
    is not used. timm discards the biases when a model switches to training. Afterwards `network`
    is in training or evaluation as before.
    """
    was_training = network.training
    network.train().train(was_training)


class FineTunedNetwork(GalaxyNetwork):
    """A network of a pretrained backbone and a head, with some of the backbone's stages frozen.

    The network normalises images, maps them to [B, C, h, w] by the backbone, pools the map to
    features [B, F], and maps the features to vote fractions [B, 37] by the head. Frozen parameters
    get no gradient. In a module whose parameters are all frozen the BatchNorm statistics do not
    change, and dropout is off.

    normalisation, backbone, pool: the layers of `__init__`. feature_map: an identity layer on the
    backbone's map, which explanations read. classifier: the head. stages: parameter names of each
    stage of the backbone, from the input to the head. layer_decay: factor on the learning rate
    from a stage to the stage before it. has_frozen_features: True if the config trains the head
    only (`unfreeze` is "head") and allows the cache (`cache_frozen_features`).
    """

    def __init__(
        self,
        backbone: nn.Module,
        pool: nn.Module,
        head: Head,
        *,
        config: PretrainedBackbone,
        normalisation: nn.Module,
        stages: Sequence[Sequence[str]],
        image_side: int,
    ) -> None:
        """Join the parts and freeze, in place, the stages that the config does not train.

        backbone: maps images to [B, C, h, w]. pool: maps [B, C, h, w] to [B, F]. head: maps [B, F]
        to [B, 37]. config: decides with `unfreeze` whether no stage, the last stage or all stages
        train. normalisation: the layer that images in 0..1 pass first. stages: the names of all
        parameters of the backbone by stage, from the input to the head; a parameter in no stage is
        neither frozen nor trained. Another name raises KeyError. image_side: S, width and height
        of the images that the network reads, in pixels.
        """
        super().__init__()
        self.normalisation, self.backbone, self.pool = normalisation, backbone, pool
        self.feature_map = nn.Identity()
        self.classifier = head
        self.image_side = image_side
        self.layer_decay = config.layer_decay
        self.has_frozen_features = config.unfreeze == "head" and config.cache_frozen_features
        self.stages = [tuple(names) for names in stages]
        trained = {"head": 0, "last_stage": 1, "all": len(self.stages)}[config.unfreeze]
        self._freeze(len(self.stages) - trained)
        self.register_load_state_dict_post_hook(_forget_kept_biases)

    def _freeze(self, num_stages: int) -> None:
        """Freeze the first `num_stages` stages, counted from the input.

        Parts that are now frozen completely are put into evaluation mode.
        """
        by_name = dict(self.backbone.named_parameters())
        for names in self.stages[:num_stages]:
            for name in names:
                by_name[name].requires_grad_(False)
        self.train(self.training)

    def _frozen_modules(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of each module of the backbone whose parameters are all frozen.

        The backbone itself counts as a module; modules without parameters are left out. Each name
        begins with `backbone`. The list is empty if nothing is frozen.
        """
        return [
            (name, module)
            for name, module in self.backbone.named_modules(prefix="backbone")
            if any(True for _ in module.parameters())
            and not any(p.requires_grad for p in module.parameters())
        ]

    def train(self, mode: bool = True) -> "FineTunedNetwork":
        """Switch to training or, if `mode` is False, to evaluation; return the network.

        Modules of the backbone whose parameters are all frozen are in evaluation in both modes.
        """
        super().train(mode)
        for _, module in self._frozen_modules():
            module.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to the pooled features [B, F], the input of `head`."""
        mapped = self.feature_map(self.backbone(self.normalisation(images)))
        pooled: Tensor = self.pool(mapped)
        return pooled

    def head(self, features: Tensor) -> Tensor:
        """Map features [B, F] to vote fractions [B, 37] in 0..1."""
        votes: Tensor = self.classifier(features)
        return votes

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1."""
        return self.head(self.features(images))

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the trained parameters in groups, each with its factor on the learning rate.

        The first group is the head, with the factor 1. The last stage of the backbone has the
        factor `layer_decay`, and each earlier stage has `layer_decay` times the factor of the
        stage after it. A stage without trained parameters has no group, but counts.
        """
        groups = [ParameterGroup(tuple(self.classifier.parameters()))]
        by_name = dict(self.backbone.named_parameters())
        for depth, names in enumerate(reversed(self.stages), start=1):
            parameters = tuple(by_name[n] for n in names if by_name[n].requires_grad)
            if parameters:
                groups.append(ParameterGroup(parameters, self.layer_decay**depth))
        return groups

    def frozen_names(self) -> set[str]:
        """Return the names, in the state_dict, of all tensors that training does not change.

        The tensors are the frozen parameters and the buffers of frozen parts.
        """
        names = {
            f"backbone.{n}" for n, p in self.backbone.named_parameters() if not p.requires_grad
        }
        for prefix, module in self._frozen_modules():
            names |= {f"{prefix}.{n}" for n, _ in module.named_buffers()}
        return names & self.state_dict().keys()

    def explained_layer(self) -> nn.Module:
        """Return the layer whose output is the backbone's map [B, C, h, w], before the pooling."""
        return self.feature_map


def stages_by_prefix(model: nn.Module, prefixes: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the names of a model's parameters in each stage, in the order of `prefixes`.

    prefixes: for each stage the names of its modules, such as ("conv1", "bn1"). A stage holds all
    parameters of these modules, in the order of the model, and is () if no module has such a name.
    """
    names = [name for name, _ in model.named_parameters()]
    return [
        tuple(n for n in names if any(n == p or n.startswith(f"{p}.") for p in stage))
        for stage in prefixes
    ]


def freeze_unreached(backbone: nn.Module, side: int, *, leaves_out: bool) -> None:
    """Freeze the backbone's parameters that get no gradient from its map, in place.

    backbone: maps images [1, 3, side, side] to a map, with at least one parameter that is not
    frozen. The backbone is left in evaluation mode. side: width and height in pixels of the image
    with which the gradients are tried. leaves_out: True if the map leaves out tokens. Then
    parameters whose gradient is always zero are frozen as well, such as those of class attention,
    which change the class token only. The gradient that is sent back is NaN, so that a factor
    whose initial value is zero does not make a gradient look like zero. RuntimeError is raised if
    no parameter is left to try or the map has no gradient; errors of the backbone pass unchanged.
    """
    # discard attention biases that timm stored in a pass without gradients
    backbone.train().eval()
    parameters = [p for p in backbone.parameters() if p.requires_grad]
    mapped = backbone(torch.linspace(0, 1, 3 * side**2).view(1, 3, side, side))
    sent = torch.full_like(mapped, torch.nan)
    received = torch.autograd.grad(mapped, parameters, sent, allow_unused=True)
    for parameter, gradient in zip(parameters, received):
        if gradient is None or (leaves_out and not gradient.isnan().any()):
            parameter.requires_grad_(False)


def groups_by_part(model: nn.Module) -> list[list[str]]:
    """Return the names of a model's parameters, grouped by the parts of the model.

    A part is a direct child of the model. If the child is an nn.ModuleList or nn.Sequential, each
    element is a part of its own. Parameters that belong to the model itself are one part together.
    The parts are in the order of their first parameters; the list is empty for a model without
    parameters.
    """
    parts: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        first, *rest = name.split(".")[:-1] or [""]
        listed = isinstance(getattr(model, first, None), (nn.Sequential, nn.ModuleList))
        parts.setdefault(".".join([first, *rest[:1]]) if listed else first, []).append(name)
    return list(parts.values())


def stages_by_group(groups: Sequence[Sequence[str]], model: nn.Module) -> list[tuple[str, ...]]:
    """Return groups of parameter names joined to stages, in order from the input.

    groups: the names of the parameters of `model`, in order from the input. The last group is
    joined to the group before it if no weight matrix or kernel in the last group gets a gradient.
    Weights of parts that are made for a classifier, such as `conv_head`, do not count. The step is
    repeated for the new last group, until one stage is left. The result is empty without groups.
    """
    weights = {n for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1}
    body = {name for name in weights if name.partition(".")[0] not in _HEAD_PARTS}
    stages = [tuple(group) for group in groups]
    while len(stages) > 1 and body.isdisjoint(stages[-1]):
        stages[-2:] = [stages[-2] + stages[-1]]
    return stages
