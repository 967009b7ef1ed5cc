"""Weights from files: they arrive, they fit or are refused, and a missing network says so."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput, config_from_values
from trainables.architectures import build_network, check_network
from trainables.backbones.pretrained_weights import (
    Unreachable,
    check_reachable,
    fill,
)
from trainables.backbones.torchvision_weights import cached_file
from trainables.backbones.weight_files import read_state


def built(name: str, weights: Path | str, **values: Any) -> nn.Module:
    torch.manual_seed(7)
    config = {"architecture": name, "weights": str(weights), "input_side": 32, **values}
    return build_network(config_from_values(config))


@pytest.fixture(scope="module")
def resnet_state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return torchvision.models.resnet50(weights=None).state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_torchvisions_file_fills_the_backbone(
    suffix: str, resnet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(resnet_state, path)
    else:
        save_file(resnet_state, str(path))
    state = built("resnet50", path).state_dict()
    for name in ("conv1.weight", "layer4.2.bn3.running_var", "layer1.0.downsample.0.weight"):
        assert torch.equal(state[f"backbone.{name}"], resnet_state[name])
    kept = built("resnet50", path, as_published=True).state_dict()  # torchvision has no biases
    assert torch.equal(kept["backbone.conv1.weight"], resnet_state["conv1.weight"])
    assert not kept["backbone.conv1.bias"].any()


@pytest.mark.slow
def test_vggs_classifier_is_left_out(tmp_path: Path) -> None:
    features = torchvision.models.vgg16(weights=None, init_weights=False).features.state_dict()
    state = {f"features.{k}": v for k, v in features.items()} | {
        "classifier.0.bias": torch.ones(3)
    }
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "v.pth")
    found = built("vgg16", tmp_path / "v.pth").state_dict()
    assert torch.equal(found["backbone.28.weight"], features["28.weight"])


def test_timms_own_files_fill_its_models(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(1)
    state = timm.create_model("resnet18", pretrained=False).state_dict()
    save_file(state, str(tmp_path / "model.safetensors"))
    found = built("timm:resnet18", tmp_path / "model.safetensors").state_dict()
    assert torch.equal(
        found["backbone.model.layer4.1.conv2.weight"], state["layer4.1.conv2.weight"]
    )


def encoder_file(
    name: str, path: Path, *, num_classes: int, prefix: str = ""
) -> dict[str, Tensor]:
    """Write the weights of an architecture's backbone with that many classes; return them."""
    import timm

    torch.manual_seed(1)
    known = {"vgg16": torchvision.models.vgg16, "resnet50": torchvision.models.resnet50}
    if name in known:
        model = known[name](weights=None, num_classes=num_classes or 5)
    else:
        model = timm.create_model(name.removeprefix("timm:"), num_classes=num_classes)
    heads = ("fc.", "classifier.") if not num_classes else ()
    state = {k: v for k, v in model.state_dict().items() if not k.startswith(heads)}
    torch.save({"state_dict": {f"{prefix}{k}": v for k, v in state.items()}}, path)
    return state


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [0, 7, 1000])
@pytest.mark.parametrize("prefix", ["", "module.encoder."])
@pytest.mark.parametrize("name", ["resnet50", "timm:resnet18", "timm:test_convnext"])
def test_an_encoder_with_any_classifier_or_none_fills_the_backbone(
    name: str, prefix: str, num_classes: int, tmp_path: Path
) -> None:
    path = tmp_path / "e.ckpt"
    state = encoder_file(name, path, num_classes=num_classes, prefix=prefix)
    found = built(name, path).state_dict()
    start = "backbone.model." if name.startswith("timm:") else "backbone."
    own = {k.removeprefix(start): v for k, v in found.items() if k.startswith(start)}
    assert own and all(torch.equal(own[k], state[k]) for k in own)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "other"),
    [("timm:resnet18", "resnet34"), ("resnet50", "seresnet50"), ("timm:resnet18", "resnet18d")],
)
def test_weights_of_a_larger_relative_are_refused(name: str, other: str, tmp_path: Path) -> None:
    encoder_file(f"timm:{other}", tmp_path / "w.pth", num_classes=10)
    with pytest.raises(InvalidInput, match="does not hold the weights of .* unexpected") as error:
        built(name, tmp_path / "w.pth")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["timm:resnet18", "timm:test_vit"])
def test_a_student_and_a_teacher_are_not_guessed_between(name: str, tmp_path: Path) -> None:
    state = encoder_file(name, tmp_path / "w.pth", num_classes=0)
    both = {f"student.backbone.{k}": v for k, v in state.items()}
    both |= {f"teacher.backbone.{k}": v + 1 for k, v in state.items()}
    torch.save(both, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match="holds several weights|does not hold the weights"):
        built(name, tmp_path / "w.pth")


@pytest.mark.slow
def test_timm_brings_a_transformers_positions_to_another_side(tmp_path: Path) -> None:
    state = encoder_file("timm:test_vit", tmp_path / "w.pth", num_classes=0)
    found = built("timm:test_vit", tmp_path / "w.pth", input_side=64).state_dict()
    assert torch.equal(found["backbone.model.norm.weight"], state["norm.weight"])
    assert found["backbone.model.pos_embed"].shape != state["pos_embed"].shape


@pytest.mark.parametrize("name", ["resnet50", "timm:resnet18"])
def test_weights_of_another_network_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(InvalidInput, match="does not hold the weights of") as error:
        built(name, tmp_path / "other.pth")
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "vgg16", "timm:test_resnet"])
@pytest.mark.parametrize("content", ["another network's", "truncated"])
def test_a_file_that_every_trial_would_refuse_is_refused_before_anything_runs(
    name: str, content: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InvalidInput, match="not hold the weights of|not a whole weight") as error:
        check_network(config_from_values({"architecture": name, "weights": str(path)}))
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("as_published", [False, True])
def test_only_biases_that_torchvision_has_not_may_be_missing(
    as_published: bool, resnet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    state = {k: v for k, v in resnet_state.items() if k != "layer3.1.bn2.bias"}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match=r"1 missing \(layer3.1.bn2.bias\)"):
        built("resnet50", tmp_path / "w.pth", as_published=as_published)


def test_another_shape_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"1 of another shape or type \(weight: \[2, 2\]"):
        fill(nn.Linear(2, 3), {"weight": torch.zeros(2, 2), "bias": torch.zeros(3)}, source="x")


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_damaged_file_is_refused_in_one_line(
    content: bytes, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="is not a whole") as error:
        read_state(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (
            "imagnet",
            "weights must be imagenet, none or a weight file, got .*did you mean 'imagenet'",
        ),
        ("missing.pth", "no weight file /.*/missing.pth"),
    ],
)
@pytest.mark.parametrize("name", ["resnet50", "vgg16", "timm:resnet18"])
def test_a_wrong_name_is_refused_before_anything_runs(name: str, weights: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_network(config_from_values({"architecture": name, "weights": weights}))


@pytest.mark.parametrize("name", ["resnet50", "timm:resnet18"])
def test_a_missing_network_says_how_to_fetch_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(
        InvalidInput, match="fetch https://.* on a machine with a network"
    ) as error:
        check_network(config_from_values({"architecture": name}))
    assert f"--set {name}.weights=FILE" in str(error.value)


@pytest.mark.slow
def test_a_download_that_is_there_is_used(
    resnet_state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(resnet_state, tmp_path / "checkpoints" / "resnet50-0676ba61.pth")
    state = built("resnet50", "imagenet").state_dict()
    assert torch.equal(state["backbone.conv1.weight"], resnet_state["conv1.weight"])


def test_a_damaged_file_in_torchs_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = cached_file(torchvision.models.ResNet50_Weights.IMAGENET1K_V1)
    file.parent.mkdir(parents=True)
    file.write_text("<html>please log in</html>")
    with pytest.raises(InvalidInput, match=f"{file} is a web page.*; delete the file"):
        built("resnet50", "imagenet")


@pytest.mark.parametrize("host", ["hf-mirror.example", "http://[::1"])
def test_a_server_without_a_right_address_is_no_fault(host: str) -> None:
    with pytest.raises(Unreachable, match="cannot be downloaded"):
        check_reachable("resnet18", "the weights", host=host)
