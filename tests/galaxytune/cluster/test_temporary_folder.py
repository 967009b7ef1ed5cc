"""The folder for Ray's temporary files: short, writable and with room, wherever TMPDIR points."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxytune.cluster import temporary_folder as module
from galaxytune.cluster.connection import ClusterAddress, ray_connection
from galaxytune.cluster.temporary_folder import remove, temporary_folder
from search_spaces.declaration.errors import InvalidInput
from tests.support.rays import Rays


def long_path(folder: Path) -> Path:
    place = folder / ("x" * 60) / ("y" * 60)
    place.mkdir(parents=True)
    return place


def a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file"


def full_disk(folder: Path) -> Path:
    return Path("/sys")  # a disk that never has room


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("make", [long_path, a_file, full_disk])
def test_a_short_private_folder_takes_the_place_of_one_that_will_not_do(
    make: Callable[[Path], Path], variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(make(tmp_path)))
    folder = temporary_folder()
    assert folder is not None and folder.is_dir() and len(str(folder)) < 40
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == os.getuid()
    remove(folder)
    assert not folder.exists()


@pytest.mark.parametrize("variables", [{}, {"TMPDIR": "/tmp"}, {"RAY_TMPDIR": "/tmp/not-yet"}])
def test_rays_own_choice_is_kept_where_it_will_do(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert temporary_folder() is None


def test_without_a_folder_the_variable_to_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(long_path(tmp_path)))
    monkeypatch.setattr(module, "_SHORT", (str(tmp_path / "missing"),))
    with pytest.raises(InvalidInput, match="bytes is too long; set RAY_TMPDIR to a folder that"):
        temporary_folder()


@pytest.mark.ray
@pytest.mark.slow
def test_a_local_ray_starts_under_a_long_tmpdir_and_leaves_nothing(
    rays: Rays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rays.end()
    place = long_path(tmp_path)
    monkeypatch.setenv("TMPDIR", str(place))
    before = set(Path("/tmp").glob("galaxytune-ray-*"))
    with ray_connection(ClusterAddress(local_cpus=1)):
        import ray

        assert ray.cluster_resources()["CPU"] == 1
        (made,) = set(Path("/tmp").glob("galaxytune-ray-*")) - before
    assert not made.exists() and list(place.iterdir()) == []
