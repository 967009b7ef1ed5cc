"""The memory and the CPUs of a container are those that its cgroup allows."""

from functools import partial
from pathlib import Path

import pytest

from trainables.device import main_memory
from trainables.device.main_memory import (
    memory_for_training,
    memory_limit,
    memory_share,
    num_cpus,
)

GIB = 2**30
told_by_groups = main_memory._told_by_groups


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all cgroups of this process, which the file `own` in it names."""
    told = partial(told_by_groups, own=tmp_path / "own", root=tmp_path)
    monkeypatch.setattr(main_memory, "_told_by_groups", told)
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_the_smallest_limit_of_the_group_and_those_above_counts(root: Path) -> None:
    put(root / "own", "0::/job/step")
    put(root / "job" / "step" / "memory.max", "max")
    put(root / "job" / "memory.max", str(GIB))
    put(root / "memory.max", str(2 * GIB))
    assert memory_limit() == GIB


def test_the_older_groups_are_read(root: Path) -> None:
    put(root / "own", "5:cpu,cpuacct:/a\n4:memory:/job")
    put(root / "memory" / "job" / "memory.limit_in_bytes", str(GIB))
    assert memory_limit() == GIB


@pytest.mark.parametrize("own", ["0::/", "4:memory:/gone"])
def test_without_a_limit_the_whole_machine_counts(own: str, root: Path) -> None:
    put(root / "own", own)
    assert memory_limit() > GIB // 4


def test_half_the_cpus_have_half_the_memory(root: Path) -> None:
    put(root / "own", "0::/")
    put(root / "cpu.max", "50000 100000")  # microseconds: half a CPU
    assert num_cpus() == 0.5
    assert memory_share(0.25) == 0.5 and memory_share(4) == 1 and memory_share(None) == 1


def test_what_the_process_has_already_is_taken_off(root: Path) -> None:
    put(root / "own", "0::/")
    put(root / "memory.max", str(100 * 2**20))
    assert memory_for_training(1.0) < 85 * 2**20
    assert memory_for_training(0.5) < memory_for_training(1.0)
