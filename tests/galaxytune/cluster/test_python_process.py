"""No file of the user's folder takes the place of a module in a process of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from galaxytune.cluster import ClusterAddress, ray_connection
from galaxytune.cluster.python_process import (
    absolute_python_path,
    move_current_folder_last,
    own_folders,
    python_command,
)
from tests.support.processes import GALAXYTUNE, clean_environment

HIDING = ("wandb", "queue", "random", "json", "numpy", "torch", "statistics", "ray", "yaml")


@pytest.fixture
def hiding_folder(tmp_path: Path) -> Path:
    """A folder with files that have the names of modules."""
    for name in HIDING:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the user')\n")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", ""), (".", ""), (":/a", "/a"), ("/a::/b:", "/a:/b"), ("sub/x:/a", "/a"), ("..", "")],
)
def test_pythonpath_loses_what_is_relative(
    given: str, kept: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", given)
    assert absolute_python_path() == kept


def test_a_clone_that_is_found_as_the_current_folder_alone_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    elsewhere = [e for e in sys.path if os.path.abspath(e) not in (f"{root}", f"{root}/platform")]
    monkeypatch.setenv("PYTHONPATH", "platform")
    monkeypatch.setattr(sys, "path", ["", f"{root}/platform", *elsewhere])
    assert own_folders() == [str(root), str(root / "platform")]
    assert absolute_python_path() == f"{root}:{root}/platform"
    monkeypatch.setattr(sys, "path", [*elsewhere, str(root), str(root / "platform")])
    monkeypatch.chdir("/")
    assert own_folders() == []


def test_the_current_folder_moves_behind_all_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":/a")
    monkeypatch.setattr(sys, "path", [str(tmp_path), "/a", "/lib"])
    move_current_folder_last()
    assert sys.path == ["/a", "/lib", str(tmp_path)]


@pytest.mark.slow
@pytest.mark.parametrize("pythonpath", [None, "", ".", ":/nowhere"])
@pytest.mark.parametrize(
    "command",
    [
        [GALAXYTUNE, "architectures"],
        [sys.executable, "-m", "galaxytune", "architectures"],
        python_command("galaxytune.tracking.wandb_settings"),
    ],
    ids=["command", "module", "inner"],
)
def test_files_of_the_users_folder_are_no_modules(
    command: list[str], pythonpath: str | None, hiding_folder: Path
) -> None:
    environment = clean_environment() | ({} if pythonpath is None else {"PYTHONPATH": pythonpath})
    if "galaxytune.tracking.wandb_settings" in command:
        environment.pop("PYTHONPATH", None)  # `python_environment` removes these entries
    answer = subprocess.run(
        command, cwd=hiding_folder, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.ray
def test_rays_workers_do_not_import_from_the_current_folder(
    rays: object, hiding_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    rays.end()  # type: ignore[attr-defined]
    monkeypatch.chdir(hiding_folder)
    monkeypatch.setenv("PYTHONPATH", ".")

    def path_of_worker() -> list[str]:
        import sys

        return [os.path.abspath(entry) for entry in sys.path]

    with ray_connection(ClusterAddress(local_cpus=1)):
        found = ray.get(ray.remote(path_of_worker).remote())
    assert str(hiding_folder) not in found
    assert os.environ["PYTHONPATH"] == "."
