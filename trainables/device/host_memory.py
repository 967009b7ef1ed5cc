"""Main memory for activations, which the process keeps between steps."""

import ctypes

# Parameters of glibc's mallopt, from its malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_NEVER = 2**31 - 1
_LARGE = 1 << 20  # bytes of a block that gets pages of its own
_MANY = 65_536  # blocks with pages of their own; the default of glibc


def keep_freed_memory() -> bool:
    """Make this process keep the memory that it frees; return True if its C library can.

    By default glibc gives each larger tensor pages of its own and returns the pages when the
    tensor is freed. The system then clears and maps the pages anew in every step, which takes up
    to a third of the time of a step on a CPU. With this setting the process stays as large as its
    largest step.

    A thread's own arena holds no blocks above 64 MiB, whatever is set here. So a process that
    trains in threads must be started with MALLOC_ARENA_MAX=1. Without glibc nothing is set, and
    the result is False.
    """
    return _set((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER))


def return_freed_memory() -> bool:
    """Let this process return the memory of large blocks that it frees from now on.

    The setting undoes that of `keep_freed_memory`: steps take more time, and two thirds of the
    memory, because no gaps between blocks stay with the process. Return True if the process's C
    library can do so, False without glibc.
    """
    given_back = _set((_MMAP_MAX, _MANY), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE))
    if given_back:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return given_back


def _set(*settings: tuple[int, int]) -> bool:
    """Make settings of glibc's allocator, each (parameter, value); return True if all are made."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(name, value) == 1 for name, value in settings])
