"""The main memory that a training on a processor may take, so that Linux kills no process."""

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
# Names of the file with a group's limit of memory, in version 2 and in version 1 of cgroups.
_LIMITS = ("memory.max", "memory.limit_in_bytes")
_USABLE = 0.85  # share of the memory; the rest is for the system, Ray and the driver


def memory_limit() -> int:
    """Return the bytes of main memory that the processes of this machine may take together.

    The number is the memory of the machine, or the limit of this process's cgroup, such as that of
    a container or of a batch job, if the limit is smaller.
    """
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    texts = [text for name in _LIMITS for text in _told_by_groups("memory", name)]
    # a group without a limit says `max`
    return min([whole, *(int(text) for text in texts if text.isdigit())])


def num_cpus() -> float:
    """Return the number of CPUs that this process may use; a cgroup may allow a fraction.

    The number is that of the CPUs to which this process is bound, or the quota of its cgroup, such
    as that of a container, if the quota is smaller.
    """
    quotas = [text.split() for text in _told_by_groups("cpu", "cpu.max")]
    limits = [int(quota) / int(period) for quota, period in quotas if quota.isdigit()]
    return min([float(len(os.sched_getaffinity(0))), *limits])


def _told_by_groups(
    controller: str, name: str, own: Path = Path("/proc/self/cgroup"), root: Path = _CGROUPS
) -> Iterator[str]:
    """Yield the content of a file of this process's cgroup, and of each group above it.

    controller: `memory` or `cpu`, as version 1 of cgroups names it. name: name of the file; a
    group without such a file is passed over. own: the file in which Linux names the groups of this
    process. root: the folder of all groups.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root / controllers  # version 2 names no controllers, and has one folder for all
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            try:
                yield (folder / name).read_text().strip()
            except OSError:
                pass
            if folder == base:
                break


def memory_share(cpus: float | None) -> float:
    """Return the share of this machine's memory for a trial that has `cpus` of its CPUs.

    The share is that of the CPUs, at most 1, so that all trials of the machine fit together. None
    stands for all CPUs.
    """
    return 1.0 if cpus is None else min(1.0, cpus / num_cpus())


def memory_for_training(share: float) -> int:
    """Return the bytes that one training may take beside what this process has already.

    share: the training's share of the machine, above 0; more than 1 counts as 1. The number is the
    share of 85 % of `memory_limit`, less the resident memory of this process; it may be negative.
    """
    whole = _USABLE * memory_limit() * min(1.0, share)
    return int(whole) - _resident_bytes()


def _resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where Linux does not tell it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
