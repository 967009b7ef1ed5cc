"""A pretrained backbone under a head of our own: what is frozen, what trains, and how fast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.declaration.pretrained_backbone import PretrainedBackbone
from trainables.decision_tree import NUM_ANSWERS
from trainables.dropout import Dropout
from trainables.keras_layers import initialise_as_keras
from trainables.network import GalaxyNetwork, ParameterGroup, vote_fractions

# Mean and deviation of ImageNet's pixels in 0..1: torchvision.models, all classification weights.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


# What timm's models call the parts between the last stage and the classifier.
_HEAD_PARTS = frozenset(
    "conv_head final_conv in_conv pre_classifier pre_logits head norm norm_head norm_pre".split()
)


class Normalisation(nn.Module):
    """Subtract a mean and divide by a deviation, channel by channel: [B, 3, S, S] -> the same."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        """Three numbers each, for images in 0..1."""
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            column = torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, column, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, S, S] to [B, 3, S, S]."""
        return (images - self.mean) / self.deviation


def input_normalisation(
    config: PretrainedBackbone, mean: Sequence[float], deviation: Sequence[float]
) -> nn.Module:
    """What the weights expect; nothing at all where the config is as published."""
    return nn.Identity() if config.as_published else Normalisation(mean, deviation)


class Head(nn.Module):
    """Hidden ReLU layer, dropout, 37 sigmoids: [B, F] -> [B, 37]."""

    def __init__(self, num_features: int, width: int, dropout: float) -> None:
        """Initialised as Keras does."""
        super().__init__()
        self.hidden = nn.Linear(num_features, width)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(width, NUM_ANSWERS)
        initialise_as_keras(self)

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, F] to [B, 37]."""
        return vote_fractions(self.output, self.dropout(F.relu(self.hidden(features))))


def _forget_kept_biases(network: nn.Module, _: object) -> None:
    """Have timm's attentions forget the biases that they keep in evaluation, after a loading."""
    was_training = network.training
    network.train().train(was_training)


class FineTunedNetwork(GalaxyNetwork):
    """Normalise, run the backbone to a map [B, C, h, w], pool it, apply the head.

    What is frozen is so altogether: no gradient, BatchNorm's statistics do not move, dropout
    is off. Stages are numbered from the input; the last is the nearest to the head.
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
        """`stages` holds the names of the backbone's parameters, the input's stage first."""
        super().__init__()
        self.normalisation, self.backbone, self.pool = normalisation, backbone, pool
        self.feature_map = nn.Identity()  # what explanations look at
        self.classifier = head
        self.image_side = image_side
        self.layer_decay = config.layer_decay
        self.has_frozen_features = config.unfreeze == "head" and config.cache_frozen_features
        self.stages = [tuple(names) for names in stages]
        trained = {"head": 0, "last_stage": 1, "all": len(self.stages)}[config.unfreeze]
        self._freeze(len(self.stages) - trained)
        self.register_load_state_dict_post_hook(_forget_kept_biases)

    def _freeze(self, num_stages: int) -> None:
        by_name = dict(self.backbone.named_parameters())
        for names in self.stages[:num_stages]:
            for name in names:
                by_name[name].requires_grad_(False)
        self.train(self.training)

    def _frozen_modules(self) -> list[tuple[str, nn.Module]]:
        """Parts of the backbone of which no parameter is trained, with their names."""
        return [
            (name, module)
            for name, module in self.backbone.named_modules(prefix="backbone")
            if any(True for _ in module.parameters())
            and not any(p.requires_grad for p in module.parameters())
        ]

    def train(self, mode: bool = True) -> "FineTunedNetwork":
        """Switch to training; frozen parts stay as they are in evaluation."""
        super().train(mode)
        for _, module in self._frozen_modules():
            module.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to the pooled features [B, F]."""
        mapped = self.feature_map(self.backbone(self.normalisation(images)))
        pooled: Tensor = self.pool(mapped)
        return pooled

    def head(self, features: Tensor) -> Tensor:
        """Map features [B, F] to vote fractions [B, 37]."""
        votes: Tensor = self.classifier(features)
        return votes

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37]."""
        return self.head(self.features(images))

    def parameter_groups(self) -> list[ParameterGroup]:
        """The head at the full rate; each stage below it at `layer_decay` of the one above."""
        groups = [ParameterGroup(tuple(self.classifier.parameters()))]
        by_name = dict(self.backbone.named_parameters())
        for depth, names in enumerate(reversed(self.stages), start=1):
            parameters = tuple(by_name[n] for n in names if by_name[n].requires_grad)
            if parameters:
                groups.append(ParameterGroup(parameters, self.layer_decay**depth))
        return groups

    def frozen_names(self) -> set[str]:
        """Names in the state_dict of frozen parameters and of frozen parts' buffers."""
        names = {
            f"backbone.{n}" for n, p in self.backbone.named_parameters() if not p.requires_grad
        }
        for prefix, module in self._frozen_modules():
            names |= {f"{prefix}.{n}" for n, _ in module.named_buffers()}
        return names & self.state_dict().keys()

    def explained_layer(self) -> nn.Module:
        """The backbone's last map."""
        return self.feature_map


def stages_by_prefix(model: nn.Module, prefixes: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Parameter names of each stage, a stage being all modules with one of its prefixes."""
    names = [name for name, _ in model.named_parameters()]
    return [
        tuple(n for n in names if any(n == p or n.startswith(f"{p}.") for p in stage))
        for stage in prefixes
    ]


def freeze_unreached(backbone: nn.Module, side: int, *, leaves_out: bool) -> None:
    """Freeze the parameters that no gradient reaches from the map of an image of `side` pixels.

    If the map `leaves_out` tokens, a gradient of zero is none either: class attention trains only
    the class token. So that a factor which begins at zero does not look alike, NaN is sent back.
    """
    backbone.train().eval()  # forget attention biases that timm kept of a pass without gradients
    parameters = [p for p in backbone.parameters() if p.requires_grad]
    mapped = backbone(torch.linspace(0, 1, 3 * side**2).view(1, 3, side, side))
    sent = torch.full_like(mapped, torch.nan)
    received = torch.autograd.grad(mapped, parameters, sent, allow_unused=True)
    for parameter, gradient in zip(parameters, received):
        if gradient is None or (leaves_out and not gradient.isnan().any()):
            parameter.requires_grad_(False)


def groups_by_part(model: nn.Module) -> list[list[str]]:
    """Parameter names by the model's own parts, those of its lists and sequences one by one."""
    parts: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        first, *rest = name.split(".")[:-1] or [""]
        listed = isinstance(getattr(model, first, None), (nn.Sequential, nn.ModuleList))
        parts.setdefault(".".join([first, *rest[:1]]) if listed else first, []).append(name)
    return list(parts.values())


def stages_by_group(groups: Sequence[Sequence[str]], model: nn.Module) -> list[tuple[str, ...]]:
    """Groups of parameter names as stages, the input's first.

    A last group belongs to the stage before it if it is made for a classifier (a final norm,
    `conv_head`), or if no weight matrix or kernel in it gets a gradient.
    """
    weights = {n for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1}
    body = {name for name in weights if name.partition(".")[0] not in _HEAD_PARTS}
    stages = [tuple(group) for group in groups]
    while len(stages) > 1 and body.isdisjoint(stages[-1]):
        stages[-2:] = [stages[-2] + stages[-1]]
    return stages
