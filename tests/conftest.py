"""What all tests share: a scrubbed environment, toy galaxies, the real ones where they are."""

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import make_plan
from tests.mounting import mount
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies, save_galaxies
from trainables.simulation import simulate_galaxies

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

for name in [n for n in os.environ if n.startswith(("WANDB_", "RAY_"))]:
    del os.environ[name]
os.environ["WANDB_MODE"] = "offline"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"


def shared_data(name: str) -> Path:
    """The path of a file or folder in shared/data; skips the test where it is absent."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"the real galaxies are not here: {name} is missing beside the clone")
    return path


@pytest.fixture(scope="session")
def real_npz() -> Path:
    """The 9,475 real galaxies."""
    return shared_data("galaxy_zoo_9475.npz")


@pytest.fixture(scope="session")
def kaggle_sample() -> Path:
    """The folder of the two Kaggle zips with 400 of them."""
    return shared_data("kaggle_sample_400")


@pytest.fixture(scope="session")
def real_targets(real_npz: Path) -> np.ndarray:
    """Vote fractions [9475, 37] of the real galaxies."""
    return np.load(real_npz)["target"]


@pytest.fixture(scope="session", autouse=True)
def scratch_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own, so that nobody's real one is touched."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GALAXYTUNE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def toy_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A galaxy file of 200 simulated galaxies."""
    toys = simulate_galaxies(200, seed=1)
    path = tmp_path_factory.mktemp("toys") / "toys.npz"
    save_galaxies(path, {n: getattr(toys, n) for n in ("images", "target", "ids", "num_votes")})
    return path


@pytest.fixture(scope="session")
def toys(toy_npz: Path) -> Galaxies:
    """The 200 simulated galaxies, mapped."""
    return open_galaxies(toy_npz)


@pytest.fixture(scope="module")
def small_ray() -> Iterator[None]:
    """A local Ray with two CPUs."""
    from galaxytune.ray_cluster import ClusterAddress, ray_connection

    with ray_connection(ClusterAddress(local_cpus=2)):
        yield


def small_study(data: Path, storage: Path, **changes: Any) -> StudyFolder:
    """A study of four trials of four epochs, unless changed; most trainables only pretend."""
    from galaxytune.search import new_study

    values: dict[str, Any] = {
        "name": "s",
        "architectures": ["simple_cnn"],
        "data": str(data),
        "trials": 4,
        "epochs": 4,
        "halving": False,
        "wandb": "disabled",
        "max_retries": 1,
    }
    return new_study(make_plan(values | changes), storage)


@pytest.fixture
def begin_study(toy_npz: Path, tmp_path: Path) -> Callable[..., StudyFolder]:
    """A function that makes a study of four-epoch trials, for trainables that only pretend."""
    return partial(small_study, toy_npz, tmp_path / "studies")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", place):
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
