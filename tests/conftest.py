"""What all tests share: a scrubbed environment, toy galaxies, the real ones where they are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.mounting import mount
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies, save_galaxies
from trainables.simulation.galaxies import simulate_galaxies

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

for name in [n for n in os.environ if n.startswith(("WANDB_", "RAY_"))]:
    del os.environ[name]
os.environ["WANDB_MODE"] = "offline"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"


def _ray_of(item: pytest.Item) -> tuple[bool, str]:
    kinds = [name for name in getattr(item, "fixturenames", ()) if name.endswith("_ray")]
    return item.get_closest_marker("ray") is not None, min(kinds, default="")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests without Ray first, then those with Ray by its kind: one start serves a kind."""
    items.sort(key=_ray_of)


@pytest.fixture(autouse=True)
def ray_only_where_it_is_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test after which a Ray runs although the test is not marked `ray`."""
    yield
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized() and not request.node.get_closest_marker("ray"):
        pytest.fail("this test uses Ray; mark it with pytest.mark.ray")


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", place):
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
