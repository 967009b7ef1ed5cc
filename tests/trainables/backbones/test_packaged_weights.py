"""ImageNet's weights that an installed package holds, without a network."""

import pytest
import torch

from search_spaces.declaration import config_from_values
from trainables.architectures import build_network, check_network
from trainables.backbones import packaged_weights, timm_weights
from trainables.backbones.weight_files import read_state

LITE = "tf_efficientnet_lite0"


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers nothing where the hub would be asked."""
    monkeypatch.setattr(timm_weights.constants, "ENDPOINT", "http://127.0.0.1:9")


@pytest.mark.parametrize("name", [LITE, f"{LITE}.in1k", "tf_efficientnet_lite2"])
def test_the_default_weights_are_those_of_the_package(name: str) -> None:
    config = config_from_values({"architecture": f"timm:{name}", "input_side": 32})
    check_network(config)
    file = packaged_weights.packaged_weights(name)
    assert file is not None
    found = build_network(config).state_dict()
    expected = read_state(file)["_conv_stem.weight"]
    assert [
        torch.equal(t, expected) for n, t in found.items() if n.endswith("conv_stem.weight")
    ] == [True]


@pytest.mark.parametrize("name", [f"{LITE}.other", "tf_efficientnet_lite1", "resnet18"])
def test_no_package_holds_other_weights(name: str) -> None:
    assert packaged_weights.packaged_weights(name) is None
