"""The networks as one would write them in plain PyTorch, to be compared with.

Same layers, same number of parameters, same predictions from the same weights; default memory
format, nn.Dropout, ReLU where the papers put it, PyTorch's own attention.
"""

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.declaration import TrainingProtocol
from trainables.decision_tree import NUM_ANSWERS
from trainables.layers import GalaxyNetwork


def _simple_cnn() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128), (128, 128)):
        layers += [nn.Conv2d(before, after, 3), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 37), nn.Sigmoid()]
    return nn.Sequential(*layers, *dense)


def _convolution(before: int, after: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, padding="same"), nn.ReLU()]


class _ParallelCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.Sequential(
                *_convolution(3, 64, kernel),
                *_convolution(64, 64, kernel),
                *_convolution(64, 128, kernel),
                nn.BatchNorm2d(128, eps=1e-3, momentum=0.01),
                nn.MaxPool2d(3, stride=2),
                nn.Dropout(0.1),
            )
            for kernel in (6, 3)
        )
        stages: list[nn.Module] = []
        for before, after in ((256, 128), (128, 64), (64, 64)):
            stages += [*_convolution(before, after, 3), nn.MaxPool2d(2), nn.Dropout(0.1)]
        self.stages = nn.Sequential(*stages, nn.Flatten())
        self.dense = nn.Sequential(
            *(nn.Linear(576, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()),
            *(nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 37), nn.Sigmoid()),
        )

    def forward(self, images: Tensor) -> Tensor:
        joined = torch.cat([path(images) for path in self.paths], dim=1)
        fractions: Tensor = self.dense(self.stages(joined))
        return fractions

    def penalty(self) -> Tensor:
        kernels = [layer.weight for layer in self.dense if isinstance(layer, nn.Linear)][:3]
        return 0.01 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.LayerNorm(64, eps=1e-6) for _ in range(2))
        self.query, self.key, self.value = (nn.Linear(64, 512) for _ in range(3))
        self.joined = nn.Linear(512, 64)
        self.dense = nn.Sequential(
            *(nn.Linear(64, 128), nn.GELU(), nn.Dropout(0.1)),
            *(nn.Linear(128, 64), nn.GELU(), nn.Dropout(0.1)),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.first(tokens)
        query, key, value = (
            layer(normed).unflatten(2, (8, 64)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = 0.1 if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        tokens = tokens + self.joined(mixed.transpose(1, 2).flatten(2))
        added: Tensor = tokens + self.dense(self.second(tokens))
        return added


class _VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(66, 64))
        self.projection = nn.Linear(192, 64)
        self.blocks = nn.Sequential(*(_Block() for _ in range(12)))
        self.head = nn.Sequential(
            nn.LayerNorm(64, eps=1e-6),
            *(nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.1)),
            *(nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.1)),
            *(nn.Linear(64, 37), nn.Sigmoid()),
        )

    def forward(self, images: Tensor) -> Tensor:
        grid = images.unflatten(3, (8, 8)).unflatten(2, (8, 8))
        patches = self.projection(grid.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2))
        tokens = F.pad(patches, (0, 0, 1, 0)) + self.positions[:65]  # the class token is 0
        fractions: Tensor = self.head(self.blocks(tokens)[:, 0])
        return fractions


_USUAL = {
    "simple_cnn": _simple_cnn,
    "parallel_cnn": _ParallelCNN,
    "vision_transformer": _VisionTransformer,
}


def usual_network(config: TrainingProtocol, ours: GalaxyNetwork) -> nn.Module:
    """The published network in plain PyTorch with the weights of `ours`, or one of timm's.

    ValueError if there is none of that name, or if it does not predict what `ours` does. A network
    of timm's (`timm:NAME`) has random weights of its own, and its predictions are not compared.
    """
    if config.architecture.startswith("timm:"):
        name = config.architecture.removeprefix("timm:")
        return nn.Sequential(timm.create_model(name, num_classes=NUM_ANSWERS), nn.Sigmoid())
    if config.architecture not in _USUAL:
        raise ValueError(f"no usual {config.architecture!r}; there are: {', '.join(_USUAL)}")
    network = _USUAL[config.architecture]()
    with torch.no_grad():
        for mine, theirs in zip(ours.parameters(), network.parameters(), strict=True):
            theirs.copy_(mine.to(memory_format=torch.contiguous_format))
        images = torch.rand(4, 3, 64, 64)
        expected, found = ours.eval()(images), network.eval()(images)
    if not torch.allclose(expected, found, atol=1e-5):
        raise ValueError(f"the usual {config.architecture} predicts something else")
    return network


def usual_penalty(network: nn.Module) -> Tensor | float:
    """Return what the network's own regularisers add to the loss."""
    return network.penalty() if isinstance(network, _ParallelCNN) else 0.0
