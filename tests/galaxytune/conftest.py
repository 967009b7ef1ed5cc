"""What tests of galaxytune share: a Ray of some kind, small studies, and the command line."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.command_line import Cli, run_main
from tests.support.rays import Rays
from tests.support.studies import BeginStudy, small_study


@pytest.fixture(scope="session")
def rays() -> Iterator[Rays]:
    """The Ray that runs, of whatever kind; a test with a Ray of its own ends it first."""
    running = Rays()
    yield running
    running.end()


@pytest.fixture(scope="module")
def single_ray(rays: Rays) -> None:
    """A local Ray with one CPU, so that one trial or pack runs at a time."""
    rays.use("single")


@pytest.fixture(scope="module")
def small_ray(rays: Rays) -> None:
    """A local Ray with two CPUs."""
    rays.use("small")


@pytest.fixture(scope="module")
def two_gpu_ray(rays: Rays) -> None:
    """A local Ray with four CPUs that is told it has two GPUs."""
    rays.use("two_gpu")


@pytest.fixture(scope="session")
def trained(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export folder that the command line has trained for two epochs."""
    out = tmp_path_factory.mktemp("trained") / "model"
    settings = ["--set", "width=0.1", "--epochs", "2", "--data", toy_npz]
    assert run_main("train", "simple_cnn", out, *settings) == 0
    return out


@pytest.fixture
def begin_study(toy_npz: Path, tmp_path: Path) -> BeginStudy:
    """A function that makes a study of four-epoch trials, for trainables that only pretend."""
    return partial(small_study, toy_npz, tmp_path / "studies")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """A function that runs the command line in an empty folder and returns its exit code."""
    monkeypatch.chdir(tmp_path)
    return run_main
