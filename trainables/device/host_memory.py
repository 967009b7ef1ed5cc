"""Main memory for activations, which the process keeps between steps."""

import ctypes
import functools

# Parameters of glibc's mallopt, from its malloc.h
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Make this process keep the memory that it frees; return True if its C library can.

    By default glibc gives each larger tensor pages of its own and returns the pages when the
    tensor is freed. The system then clears and maps the pages anew in every step, which takes up
    to a third of the time of a step on a CPU. With this setting the process stays as large as its
    largest step.

    A thread's own arena holds no blocks above 64 MiB, whatever is set here. So a process that
    trains in threads must be started with MALLOC_ARENA_MAX=1. Without glibc nothing is set, and
    the result is False. The setting is made at the first call; later calls return the first
    result.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER))
    return all([mallopt(name, value) == 1 for name, value in settings])
