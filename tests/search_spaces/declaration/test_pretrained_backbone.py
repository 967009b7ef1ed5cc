"""Pretrained backbones: a weight file that every trial finds, wherever the trial runs."""

from pathlib import Path

import pytest

from search_spaces.declaration import config_from_values
from search_spaces.declaration.pretrained_backbone import absolute


def test_a_weight_file_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    config = config_from_values({"architecture": "vgg16", "weights": "w.pth"})
    assert config.model_dump()["weights"] == str(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["imagenet", "none"])
def test_what_names_no_file_stays_as_it_is(name: str) -> None:
    assert absolute(name) == name


def test_a_file_without_a_suffix_is_a_path_and_the_two_names_never_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("encoder", "imagenet"):
        (tmp_path / name).touch()
    assert absolute("encoder") == str(tmp_path / "encoder")
    assert absolute("folder/encoder") == str(tmp_path / "folder" / "encoder")
    assert absolute("imagenet") == "imagenet"
