"""Pretrained backbones: what they are fed, what stays frozen, and how fast the rest learns."""

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from search_spaces import config_from_values
from trainables.architectures import build_without_weights, check_network
from trainables.fine_tuning import (
    FineTunedNetwork,
    Normalisation,
    groups_by_part,
    stages_by_group,
)
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training import TrainingRun

BACKBONES = ["resnet50", "vgg16", "timm:test_convnext"]
everywhere = pytest.mark.parametrize("name", BACKBONES)


def network(name: str, **values: Any) -> FineTunedNetwork:
    torch.manual_seed(0)
    config = config_from_values({"architecture": name, "input_side": 32, **values})
    built = build_without_weights(config)
    assert isinstance(built, FineTunedNetwork)
    return built


def test_pixels_are_normalised_as_imagenets_weights_expect() -> None:
    layer = network("resnet50").normalisation
    red = layer(torch.full((1, 3, 2, 2), 0.1))[0, 0, 0, 0]
    assert float(red) == pytest.approx((0.1 - 0.485) / 0.229)
    assert isinstance(network("vgg16").normalisation, Normalisation)


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_as_published_feeds_raw_values(name: str) -> None:
    raw = network(name, as_published=True).normalisation
    assert torch.equal(raw(torch.full((1, 3, 2, 2), 0.1)), torch.full((1, 3, 2, 2), 0.1))


def test_as_published_adds_a_bias_to_each_of_53_convolutions() -> None:
    modules = network("resnet50", as_published=True).modules()
    biases = [m.bias for m in modules if isinstance(m, nn.Conv2d)]
    assert len(biases) == 53
    assert not any(bias is None or bias.any() for bias in biases)
    assert sum(b.numel() for b in biases if b is not None) == 27_859_877 - 27_833_317


def head_in_numpy(built: FineTunedNetwork, features: np.ndarray) -> np.ndarray:
    hidden, output = built.classifier.hidden, built.classifier.output
    relu = np.maximum(features @ hidden.weight.detach().numpy().T, 0)  # biases start at zero
    return 1 / (1 + np.exp(-relu @ output.weight.detach().numpy().T))


def test_resnet_is_torchvisions_under_a_global_maximum_and_two_dense_layers() -> None:
    built = network("resnet50").eval()
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


def test_vgg_is_torchvisions_flattened_under_two_dense_layers() -> None:
    built = network("vgg16", as_published=True).eval()
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


@everywhere
def test_a_frozen_backbone_moves_in_nothing_batch_norm_included(name: str) -> None:
    built = network(name, unfreeze="head")
    changed = moved(built)
    assert changed == {k for k in built.state_dict() if k.startswith("classifier")}
    assert built.frozen_names() == built.state_dict().keys() - changed


@everywhere
def test_the_last_stage_moves_and_those_before_it_do_not(name: str) -> None:
    built = network(name, unfreeze="last_stage")
    changed, last = moved(built), {f"backbone.{n}" for n in built.stages[-1]}
    assert any(k in last for k in changed)
    assert not changed & {f"backbone.{n}" for stage in built.stages[:-1] for n in stage}
    assert not changed & built.frozen_names()
    assert last.isdisjoint(built.frozen_names())


def test_running_statistics_move_only_in_stages_that_train() -> None:
    changed = moved(network("timm:test_resnet", unfreeze="last_stage"))
    assert {k.split(".")[2] for k in changed if "running_mean" in k} == {"layer4"}
    everything = moved(network("timm:test_resnet", unfreeze="all"))
    stages = {k.split(".")[2] for k in everything if "running_mean" in k}
    assert stages == {"conv1", "bn1", *(f"layer{i}" for i in (1, 2, 3, 4))}


@everywhere
def test_every_backbone_parameter_belongs_to_one_stage(name: str) -> None:
    built = network(name)
    listed = [n for stage in built.stages for n in stage]
    assert sorted(listed) == sorted(n for n, _ in built.backbone.named_parameters())


def test_the_rate_falls_stage_by_stage_below_the_head() -> None:
    groups = network("resnet50", unfreeze="all", layer_decay=0.5).parameter_groups()
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


@pytest.mark.parametrize("name", ["xcit_nano_12_p16_224", "cait_xxs24_224"])
def test_a_class_token_that_the_map_leaves_out_counts_as_nothing_to_train(name: str) -> None:
    built = network(f"timm:{name}", unfreeze="last_stage", head_width=8)
    state = dict(built.named_parameters())
    built(torch.rand(2, 3, 32, 32)).square().sum().backward()
    trained = {n: p for n, p in state.items() if p.requires_grad and n.startswith("backbone")}
    assert sum(p.ndim > 1 for p in trained.values()) >= 4  # of attention and of its MLP
    assert all(p.grad is not None and p.grad.any() for p in trained.values())


@pytest.mark.parametrize(
    ("name", "body"), [("mobilenetv3_small_050", "blocks"), ("test_mambaout", "stages")]
)
def test_a_timm_models_last_stage_is_more_than_its_head(name: str, body: str) -> None:
    built = network(f"timm:{name}", unfreeze="last_stage")
    assert any(n.startswith(f"model.{body}.") for n in built.stages[-1])


OTHER_FAMILIES = [
    "efficientvit_b0",  # refuses to go without pooling
    "deit_tiny_distilled_patch16_224",  # averages two class tokens
    "coat_lite_tiny",  # refuses the same, and has class tokens it does not tell of
    "poolformer_s12",  # has no groups
    "rdnet_tiny",  # refuses coarse groups
]


@pytest.mark.parametrize("name", OTHER_FAMILIES)
def test_families_that_refuse_something_make_a_map_in_stages(name: str) -> None:
    built = network(f"timm:{name}", input_side=64)
    mapped = built.backbone(torch.rand(2, 3, 64, 64))
    assert mapped.ndim == 4 and mapped.shape[1] == built.classifier.hidden.in_features
    listed = [n for stage in built.stages for n in stage]
    assert sorted(listed) == sorted(n for n, _ in built.backbone.named_parameters())
    assert len(built.stages) >= 3


def test_attention_biases_that_timm_keeps_are_forgotten_on_loading() -> None:
    images = torch.rand(1, 3, 64, 64)
    first, second = (
        network("timm:tiny_vit_5m_224", input_side=64, head_width=8).eval() for _ in range(2)
    )
    with torch.no_grad():
        for name, parameter in second.named_parameters():
            if "attention_biases" in name:
                parameter.normal_(0, 5)
        before = first.features(images)
        first.load_state_dict(second.state_dict())
        assert not torch.equal(first.features(images), before)
        assert torch.equal(first.features(images), second.features(images))


@pytest.mark.parametrize("name", ["timm:test_convnext", "timm:mobilevitv2_050", "timm:test_vit"])
def test_families_of_timm_train_for_some_steps(name: str, toys: Galaxies) -> None:
    values = {"unfreeze": "all", "weights": "none", "input_side": 32, "batch_size": 32}
    config = config_from_values({"architecture": name, "learning_rate": 1e-4, **values})
    run = TrainingRun(config, toys, split_galaxies(toys, "seed"), torch.device("cpu"))
    first, second = run.run_epoch(), run.run_epoch()  # four steps each
    assert second["train_rmse"] < first["train_rmse"]
    assert second["learning_rate"] == 1e-4


def test_an_unknown_timm_name_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="no model 'convnext_tinny'; did you mean"):
        network("timm:convnext_tinny")


def test_a_side_that_a_timm_model_cannot_take_is_refused_in_one_line() -> None:
    told = "timm's test_maxvit makes no map of images of 50 pixels: "
    with pytest.raises(ValueError, match=told) as error:
        network("timm:test_maxvit", input_side=50)
    assert "\n" not in str(error.value)


def check(name: str, **values: Any) -> None:
    check_network(config_from_values({"architecture": name, "weights": "none", **values}))


def test_a_wrong_tag_is_told_the_nearest_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="no weights 'resnet18.a1_in1'; did you mean .*a1_in1k"):
        check("timm:resnet18.a1_in1")
    with pytest.raises(ValueError, match="no weights 'test_vit.bogus'; there are: test_vit"):
        check("timm:test_vit.bogus")


def test_a_timm_model_that_cannot_be_a_backbone_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="timm's test_maxvit makes no map") as error:
        check("timm:test_maxvit", input_side=50)
    with pytest.raises(ValueError, match="timm's nest_tiny cannot be built: ") as error:
        check("timm:nest_tiny", input_side=50)
    assert "\n" not in str(error.value)
