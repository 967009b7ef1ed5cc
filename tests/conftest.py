"""What all tests share: a scrubbed environment, toy galaxies, the real ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest

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
def real_targets(real_npz: Path) -> np.ndarray:
    """Vote fractions [9475, 37] of the real galaxies."""
    return np.load(real_npz)["target"]
