"""Models as single files for ONNX Runtime and PyTorch, which predict what the networks predict."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from galaxytune.models import load_export, portable_model, predict_images
from galaxytune.models.export_folder import CARD
from galaxytune.models.export_writing import write_export
from galaxytune.models.portable_model import checked_formats, portable_files
from search_spaces.declaration import InvalidInput, WorkFailed
from tests.support.networks import untrained
from trainables.architectures import build_without_weights
from trainables.decision_tree import COLUMNS
from trainables.layers import GalaxyNetwork
from trainables.training import predict

BOTH = ("onnx", "torch")
NETWORKS: dict[str, dict[str, Any]] = {
    "simple_cnn": {},
    "parallel_cnn": {},
    "vision_transformer": {"depth": 2},
    "vgg16": {"input_side": 32},
    "resnet50": {"input_side": 96},
    "timm:test_vit": {"weights": "none"},
}

# Runs a file for each of some images where nothing of this project, nor what it brings, is found.
_ALONE = """
import runpy, shutil, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
banned = set(sys.argv[2].split(","))
class Others:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in banned else PathFinder.find_spec(name, path)
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Others()]
for image in sys.argv[3:]:
    shutil.copy(image, "galaxy.jpg")
    runpy.run_path(sys.argv[1], run_name="__main__")
"""
_OURS = "galaxytune,trainables,search_spaces,analysis,timm,torchvision,numba,onnx,onnxscript,ray"


def random_pixels(num: int, side: int) -> np.ndarray:
    """Smooth images [num, side, side, 3] that differ in colour and brightness."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 255, (num, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side))) for one in coarse])


def lively(network: GalaxyNetwork) -> GalaxyNetwork:
    """Give a network weights by which its answers differ between images, as if it was trained."""
    images = torch.from_numpy(random_pixels(8, network.image_side)).permute(0, 3, 1, 2) / 255
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        norm = getattr(module, "bn3", None)
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.constant_(norm.weight, 0.2)  # branches smaller than what they join
    output = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        logits = network.eval()(images).logit()
        spread = logits.std(0).mean()
        output.bias.sub_(logits.mean(0)).div_(spread)
        output.weight.div_(spread)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("architecture", NETWORKS)
def test_written_files_predict_what_the_network_predicts(
    architecture: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, np.ndarray] = {}
    for name in ("_run_onnx", "_run_torch"):
        run = getattr(portable_model, name)
        monkeypatch.setattr(
            portable_model, name, lambda *given, r=run, n=name: found.setdefault(n, r(*given))
        )
    network = lively(untrained(architecture, **NETWORKS[architecture])).train()
    pixels = random_pixels(5, 64)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    files = portable_files(network, BOTH, pixels, crop=212)

    assert list(files) == ["model.onnx", "model.pt2"]
    assert network.training  # and nothing else of the network has changed
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    assert capfd.readouterr() == ("", "")
    expected = predict(network, pixels, torch.device("cpu"))
    assert expected.std(0).mean() > 0.05  # the images differ
    for fractions in found.values():
        np.testing.assert_allclose(fractions, expected, rtol=0, atol=1e-5)
    assert len(found) == 2


@pytest.mark.slow
def test_written_files_cut_the_part_that_the_network_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, np.ndarray] = {}
    for name in ("_run_onnx", "_run_torch"):
        run = getattr(portable_model, name)
        monkeypatch.setattr(
            portable_model, name, lambda *given, r=run, n=name: found.setdefault(n, r(*given))
        )
    pixels = random_pixels(3, 92)
    network = lively(untrained("simple_cnn", width=0.1, field_fraction=0.7))
    portable_files(network, BOTH, pixels, crop=300)
    network.field_fraction = 1.0
    expected = predict(network, pixels[:, 14:78, 14:78].copy(), torch.device("cpu"))
    assert len(found) == 2
    for fractions in found.values():
        np.testing.assert_allclose(fractions, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_file_holds_no_kernel_of_this_process(num_threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)  # trials have one, and then pool with a kernel of numba
    try:
        network = untrained("simple_cnn", width=0.1)
        assert portable_files(network, ["torch"], random_pixels(3, 64), crop=212)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_files_hold_no_path_of_this_machine() -> None:
    files = portable_files(
        untrained("simple_cnn", width=0.1), BOTH, random_pixels(2, 64), crop=212
    )
    for file in files.values():
        assert str(Path(__file__).parents[3]).encode() not in file.content
        assert b"site-packages" not in file.content


@pytest.mark.slow
def test_a_file_that_predicts_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run = portable_model._run_onnx
    monkeypatch.setattr(portable_model, "_run_onnx", lambda *given: run(*given) + 2e-5)
    with pytest.raises(
        WorkFailed, match=r"model.onnx was not written: .* up to 2.0e-05 .* 1.0e-05"
    ):
        portable_files(untrained("simple_cnn", width=0.1), BOTH, random_pixels(2, 64), crop=212)


def test_a_network_that_cannot_be_traced_is_refused_in_one_line() -> None:
    class Asking(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 3 else images + 1

    network = untrained("simple_cnn", width=0.1)
    network.add_module("block", Asking())
    network.forward = lambda images: network.block(images).flatten(1)[:, :37]  # type: ignore
    with pytest.raises(WorkFailed, match="PyTorch cannot write this network to a file: [^\n]+$"):
        portable_files(network, BOTH, random_pixels(2, 64), crop=212)


def test_weights_that_one_onnx_file_cannot_hold_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portable_model, "_LARGEST_ONNX", 1000)
    with pytest.raises(WorkFailed, match="do not fit into one ONNX file"):
        portable_files(untrained("simple_cnn", width=0.1), BOTH, random_pixels(2, 64), crop=212)


def test_formats_are_checked() -> None:
    assert checked_formats("onnx") == ("onnx",)
    assert checked_formats(["torch", "folder", "onnx", "torch"]) == ("onnx", "torch")
    assert checked_formats(()) == ()
    with pytest.raises(InvalidInput, match="a format is folder, onnx or torch, not 'pmml'"):
        checked_formats(["onnx", "pmml"])


@pytest.fixture
def export_with_files(tmp_path: Path) -> Path:
    """An export folder with both portable files, of a small network."""
    network = lively(untrained("simple_cnn", width=0.1))
    config = untrained_config()
    part = {
        "num_galaxies": 2,
        "rmse": 0.2,
        "rmse_interval_95": [0.1, 0.3],
        "mean_vector_rmse": 0.25,
        "tree_residual": 0.01,
    }
    provenance = {
        "study": None,
        "trial": None,
        "data_fingerprint": "0" * 8,
        "git_commit": None,
        "preprocessing": {"crop": 212, "side": 64, "resize": "bicubic"},
    }
    files = portable_files(network, BOTH, random_pixels(2, 64), crop=212)
    metrics = {"validation": part, "best_epoch": 1}
    write_export(tmp_path / "best", config, network.state_dict(), metrics, provenance, files)
    return tmp_path / "best"


def untrained_config() -> Any:
    from search_spaces.declaration import config_from_values

    return config_from_values({"architecture": "simple_cnn", "width": 0.1})


@pytest.mark.slow
def test_the_lines_of_the_model_card_run_without_galaxytune(export_with_files: Path) -> None:
    card = (export_with_files / CARD).read_text()
    blocks = [part.split("```")[0] for part in card.split("```python\n")[1:]]
    assert len(blocks) == 2
    images = [export_with_files / f"{size}.jpg" for size in ("424x424", "64x64", "300x260")]
    for image in images:
        width, height = map(int, image.stem.split("x"))
        Image.fromarray(random_pixels(1, 424)[0]).resize((width, height)).save(image)
    export = load_export(export_with_files)
    tables = [predict_images(export, image).table[list(COLUMNS)] for image in images]
    for lines, unneeded in zip(blocks, (",torch,safetensors", ",onnxruntime,safetensors")):
        (export_with_files / "use.py").write_text(lines)
        answer = subprocess.run(
            [sys.executable, "-I", "-c", _ALONE, "use.py", _OURS + unneeded, *images],
            cwd=export_with_files,
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stderr
        for printed, table in zip(answer.stdout.splitlines(), tables, strict=True):
            fractions = ast.literal_eval(printed)
            assert list(fractions) == list(COLUMNS)
            found = list(fractions.values())
            np.testing.assert_allclose(found, table.to_numpy()[0], rtol=0, atol=1e-5)


def test_an_export_without_formats_leaves_no_file_of_an_older_network(
    export_with_files: Path,
) -> None:
    export = load_export(export_with_files)
    assert (export_with_files / "model.onnx").exists()
    weights = build_without_weights(export.config).state_dict()
    write_export(export_with_files, export.config, weights, export.metrics, export.provenance)
    assert sorted(path.name for path in export_with_files.iterdir()) == [
        "README.md",
        "config.yaml",
        "metrics.json",
        "model.safetensors",
        "provenance.json",
    ]
    assert "model.onnx" not in (export_with_files / CARD).read_text()
