"""Main memory for activations: kept by the process between steps, not asked for anew."""

import ctypes
import functools

# Parameters of glibc's mallopt, from its malloc.h
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Have this process keep the memory that it frees; returns whether its C library can.

    By default glibc gives each larger tensor pages of its own and returns them when it is freed,
    so that the system clears and maps them anew in every step: up to a third of the time of a
    step on a CPU. Afterwards the process is as large as its largest step.

    A thread's own arena holds no blocks above 64 MiB whatever is set here; a process that trains
    in threads is to be started with MALLOC_ARENA_MAX=1. Elsewhere than on glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER))
    return all([mallopt(name, value) == 1 for name, value in settings])
