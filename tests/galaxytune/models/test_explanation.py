"""An exported network explained: a picture and a line, or one line that says what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxytune.cli.app import main
from galaxytune.models.explanation import explain_image
from galaxytune.models.export_folder import load_export
from search_spaces.declaration import InvalidInput
from search_spaces.declaration.frozen_config import to_yaml
from search_spaces.declaration.known_architectures import config_from_values
from tests.support.networks import noise, untrained
from trainables.decision_tree import QUESTIONS
from trainables.files.checkpoint import save_weights


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export folder of an untrained simple CNN for images of 48 of 60 pixels."""
    folder = tmp_path_factory.mktemp("export")
    config = config_from_values({"architecture": "simple_cnn", "width": 0.1})
    (folder / "config.yaml").write_text(to_yaml(config))
    save_weights(folder / "model.safetensors", untrained("simple_cnn", width=0.1).state_dict())
    provenance = {"preprocessing": {"crop": 48, "side": 64}}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "galaxy.png"
    Image.fromarray(noise(1, 60)[0]).save(path)
    return path


def command(*arguments: object) -> int:
    """The exit code of `galaxytune explain`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["galaxytune", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return int(end.value.code or 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("a/heat.png", b"\x89PNG"),
        ("heat.pdf", b"%PDF"),
        ("HEAT.PNG", b"\x89PNG"),
        ("heat.Pdf", b"%PDF"),
    ],
)
def test_an_image_file_is_explained_in_a_picture_and_a_line(
    export: Path,
    image: Path,
    tmp_path: Path,
    name: str,
    magic: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(export, image, tmp_path / name, "--question", "roundness") == 0
    assert (tmp_path / name).read_bytes().startswith(magic)
    framing, line = capsys.readouterr().err.splitlines()
    assert framing.startswith("1 image was cut to the central 48 x 48 pixels (as in training)")
    assert line.startswith("question 7, roundness: ") and "Grad-CAM" in line
    assert str(tmp_path / name) in line
    assert [p for p in tmp_path.rglob(".*")] == []


def test_pixels_are_explained_as_an_image_file_is(export: Path, image: Path) -> None:
    loaded = load_export(export)
    pixels = np.asarray(Image.open(image))
    of_file, of_pixels = (explain_image(loaded, given, 7) for given in (image, pixels))
    np.testing.assert_array_equal(of_file.heat, of_pixels.heat)
    assert of_file.heat.shape == (64, 64) and of_file.method == "Grad-CAM"
    assert of_file.answer in QUESTIONS[6].answers
    assert of_file.fraction == of_file.predicted[15:18].max()


def test_what_cannot_be_explained_is_answered_in_one_line(
    export: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "notes.png", tmp_path / "out.png"
    text.write_text("no image")
    tiny = tmp_path / "tiny.png"
    Image.new("RGB", (20, 20)).save(tiny)
    for arguments, reason in (
        ((export, image, out, "--question", "colour"), "no question 'colour'; there are: 1 smo"),
        ((export, image, tmp_path / "out.jpg", "--question", "7"), ".png or .pdf, not 'out.jpg'"),
        ((export, tmp_path / "none.png", out, "--question", "7"), "no image file"),
        ((export, text, out, "--question", "7"), "notes.png: not a readable image"),
        ((export, tiny, out, "--question", "7"), "tiny.png: 20x20 pixels is smaller"),
        ((tmp_path, image, out, "--question", "7"), "is no export folder"),
    ):
        assert command(*arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
    assert not out.exists()


@pytest.mark.slow
def test_an_explanation_is_saved_as_its_suffix_says_or_refused(
    export: Path, image: Path, tmp_path: Path
) -> None:
    explanation = explain_image(load_export(export), image, "roundness")
    assert explanation.save(str(tmp_path / "heat.pdf")) == tmp_path / "heat.pdf"
    with pytest.raises(InvalidInput, match="written as .png or .pdf, not 'heat.svg'"):
        explanation.save(tmp_path / "heat.svg")
