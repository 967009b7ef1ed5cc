"""Pretrained backbones: what they are fed, what stays frozen, and how fast the rest learns."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from tests.support.networks import fine_tuned
from trainables.backbones.fine_tuning import (
    FineTunedNetwork,
    Normalisation,
    groups_by_part,
    stages_by_group,
)

BACKBONES = ["resnet50", "vgg16", "timm:test_convnext"]
everywhere = pytest.mark.parametrize("name", BACKBONES)


@pytest.mark.slow
def test_pixels_are_normalised_as_imagenets_weights_expect() -> None:
    layer = fine_tuned("resnet50").normalisation
    red = layer(torch.full((1, 3, 2, 2), 0.1))[0, 0, 0, 0]
    assert float(red) == pytest.approx((0.1 - 0.485) / 0.229)
    assert isinstance(fine_tuned("vgg16").normalisation, Normalisation)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_as_published_feeds_raw_values(name: str) -> None:
    raw = fine_tuned(name, as_published=True).normalisation
    assert torch.equal(raw(torch.full((1, 3, 2, 2), 0.1)), torch.full((1, 3, 2, 2), 0.1))


def test_as_published_adds_a_bias_to_each_of_53_convolutions() -> None:
    modules = fine_tuned("resnet50", as_published=True).modules()
    biases = [m.bias for m in modules if isinstance(m, nn.Conv2d)]
    assert len(biases) == 53
    assert not any(bias is None or bias.any() for bias in biases)
    assert sum(b.numel() for b in biases if b is not None) == 27_859_877 - 27_833_317


def head_in_numpy(built: FineTunedNetwork, features: np.ndarray) -> np.ndarray:
    hidden, output = built.classifier.hidden, built.classifier.output
    relu = np.maximum(features @ hidden.weight.detach().numpy().T, 0)  # biases start at zero
    return 1 / (1 + np.exp(-relu @ output.weight.detach().numpy().T))


@pytest.mark.slow
def test_resnet_is_torchvisions_under_a_global_maximum_and_two_dense_layers() -> None:
    built = fine_tuned("resnet50").eval()
    plain = torchvision.models.resnet50(weights=None)
    plain.fc = plain.avgpool = nn.Identity()
    plain.load_state_dict(built.backbone.state_dict())
    images = torch.rand(2, 3, 64, 64)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        normal = (images - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        features = plain.eval()(normal).view(2, 2048, 2, 2).amax((2, 3)).numpy()
        found = built(images).numpy()
    np.testing.assert_allclose(found, head_in_numpy(built, features), atol=1e-4)


@pytest.mark.slow
def test_vgg_is_torchvisions_flattened_under_two_dense_layers() -> None:
    built = fine_tuned("vgg16", as_published=True).eval()
    plain = torchvision.models.vgg16(weights=None, init_weights=False)
    plain.features.load_state_dict(built.backbone.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        features = plain.features(images).reshape(2, -1).numpy()
        found = built(images).numpy()
    np.testing.assert_allclose(found, head_in_numpy(built, features), atol=1e-6)


def moved(built: FineTunedNetwork) -> set[str]:
    """Names of all numbers that ten steps in training mode change."""
    before = {k: v.clone() for k, v in built.state_dict().items()}
    groups = [{"params": list(g.parameters)} for g in built.parameter_groups()]
    optimiser = torch.optim.SGD(groups, lr=0.1)
    built.train()
    for _ in range(3):
        loss = built(torch.rand(4, 3, 32, 32)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {k for k, v in built.state_dict().items() if not torch.equal(v, before[k])}


@pytest.mark.slow
@everywhere
def test_a_frozen_backbone_moves_in_nothing_batch_norm_included(name: str) -> None:
    built = fine_tuned(name, unfreeze="head")
    changed = moved(built)
    assert changed == {k for k in built.state_dict() if k.startswith("classifier")}
    assert built.frozen_names() == built.state_dict().keys() - changed


@pytest.mark.slow
@everywhere
def test_the_last_stage_moves_and_those_before_it_do_not(name: str) -> None:
    built = fine_tuned(name, unfreeze="last_stage")
    changed, last = moved(built), {f"backbone.{n}" for n in built.stages[-1]}
    assert any(k in last for k in changed)
    assert not changed & {f"backbone.{n}" for stage in built.stages[:-1] for n in stage}
    assert not changed & built.frozen_names()
    assert last.isdisjoint(built.frozen_names())


def test_running_statistics_move_only_in_stages_that_train() -> None:
    changed = moved(fine_tuned("timm:test_resnet", unfreeze="last_stage"))
    assert {k.split(".")[2] for k in changed if "running_mean" in k} == {"layer4"}
    everything = moved(fine_tuned("timm:test_resnet", unfreeze="all"))
    stages = {k.split(".")[2] for k in everything if "running_mean" in k}
    assert stages == {"conv1", "bn1", *(f"layer{i}" for i in (1, 2, 3, 4))}


@pytest.mark.slow
@everywhere
def test_every_backbone_parameter_belongs_to_one_stage(name: str) -> None:
    built = fine_tuned(name)
    listed = [n for stage in built.stages for n in stage]
    assert sorted(listed) == sorted(n for n, _ in built.backbone.named_parameters())


def test_the_rate_falls_stage_by_stage_below_the_head() -> None:
    groups = fine_tuned("resnet50", unfreeze="all", layer_decay=0.5).parameter_groups()
    assert [g.factor for g in groups] == [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125]
    assert (
        sum(len(g.parameters) for g in groups) == 161 - 2 + 4
    )  # torchvision's, less fc, and ours


@pytest.mark.parametrize("last", ["norm", "conv_head", "frozen"])
def test_a_last_group_without_a_body_belongs_to_the_stage_before_it(last: str) -> None:
    layer = nn.LayerNorm(2) if last == "norm" else nn.Conv2d(2, 2, 1)
    model = nn.ModuleDict({"stem": nn.Linear(2, 2), "block": nn.Linear(2, 2), last: layer})
    model[last].requires_grad_(last != "frozen")
    stages = stages_by_group(groups_by_part(model), model)
    assert [sorted({n.split(".")[0] for n in s}) for s in stages] == [["stem"], ["block", last]]
