"""Models on the Hugging Face hub: read from the hub's cache, or refused with what to fetch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from search_spaces.declaration import InvalidInput, config_from_values
from tests.support.hub_cache import store_encoder
from trainables.architectures import build_network, build_without_weights, check_network
from trainables.backbones import hub_models
from trainables.backbones.hub_models import UnreachableModel, remember_description

ENCODER = "mwalmsley/zoobot-encoder-resnet18"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty cache of a hub that must not be asked."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_models, "_LOCAL", {})
    hub_models.described.cache_clear()
    return tmp_path / "cache"


def config(name: str, **values: Any) -> Any:
    return config_from_values({"architecture": name, "input_side": 32, "head_width": 8, **values})


@pytest.mark.parametrize("source", ["hf_hub", "hf-hub"])
@pytest.mark.parametrize("at", ["", "@main"])
def test_an_encoder_on_the_hub_fills_the_backbone(source: str, at: str, cache: Path) -> None:
    model = store_encoder(cache, ENCODER)
    asked = config(f"timm:{source}:{ENCODER}{at}")
    check_network(asked)
    built = build_network(asked)
    assert torch.equal(built.state_dict()["backbone.model.conv1.weight"], model.conv1.weight)
    assert dict(built.named_buffers())["normalisation.mean"].flatten().tolist() == [0.25] * 3


def test_a_greyscale_encoder_is_adapted_and_says_so(cache: Path) -> None:
    model = store_encoder(cache, "owner/grey", channels=1)
    with pytest.warns(UserWarning, match="the first layer is for greyscale images"):
        built = build_network(config("timm:hf_hub:owner/grey"))
    kernels = built.state_dict()["backbone.model.conv1.weight"]
    assert torch.allclose(kernels, model.conv1.weight.expand(-1, 3, -1, -1) / 3)


def test_a_hub_model_can_have_other_weights_or_none(cache: Path, tmp_path: Path) -> None:
    model = store_encoder(cache, ENCODER)
    save_file(dict(model.state_dict()), str(tmp_path / "w.safetensors"))
    name = f"timm:hf_hub:{ENCODER}"
    built = build_network(config(name, weights=str(tmp_path / "w.safetensors")))
    assert torch.equal(built.state_dict()["backbone.model.conv1.weight"], model.conv1.weight)
    assert not torch.equal(
        build_without_weights(config(name)).state_dict()["backbone.model.conv1.weight"],
        model.conv1.weight,
    )


def test_without_a_network_the_file_and_its_architecture_are_named(cache: Path) -> None:
    with pytest.raises(UnreachableModel) as error:
        check_network(config(f"timm:hf_hub:{ENCODER}"))
    assert f"{ENCODER}/resolve/main/model.safetensors" in str(error.value)
    assert "the architecture timm:resnet18 with --set weights=FILE" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_says_where_the_architecture_stands(cache: Path) -> None:
    with pytest.raises(UnreachableModel, match="timm:NAME, where config.json"):
        check_network(config("timm:hf_hub:owner/my-network"))


def test_weights_that_are_not_in_the_cache_are_named(cache: Path) -> None:
    store_encoder(cache, ENCODER)
    next(cache.rglob("model.safetensors")).unlink()
    with pytest.raises(UnreachableModel, match="HF_HUB_OFFLINE is set"):
        check_network(config(f"timm:hf_hub:{ENCODER}"))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"architecture": "no_such_net"}, "is a 'no_such_net', which timm .* has not"),
        ({"pretrained_cfg": 3}, "is no model of timm: .*config.json does not describe one"),
    ],
)
def test_a_model_of_another_library_is_refused(told: Any, message: str, cache: Path) -> None:
    store_encoder(cache, "owner/other", **told)
    with pytest.raises(InvalidInput, match=message) as error:
        check_network(config("timm:hf_hub:owner/other"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["timm:hf_hub:a//b", "timm:hf_hub:", "timm:hub:a/b", "timm:a/b"])
def test_a_name_that_cannot_be_a_repository_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        config(name)


def test_a_kept_description_builds_the_network_without_hub_and_cache(
    cache: Path, tmp_path: Path
) -> None:
    store_encoder(cache, ENCODER)
    description = next(cache.rglob("config.json"))
    (tmp_path / "kept").mkdir()
    description.rename(tmp_path / "kept" / "config.json")
    remember_description(f"hf_hub:{ENCODER}", tmp_path / "kept")
    built = build_without_weights(config(f"timm:hf_hub:{ENCODER}"))
    assert dict(built.named_buffers())["normalisation.mean"].flatten().tolist() == [0.25] * 3
