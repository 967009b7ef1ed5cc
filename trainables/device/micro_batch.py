"""The number of galaxies that go through a network at once, halved if memory is short."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch

from search_spaces.declaration import WorkFailed

Result = TypeVar("Result")

# PyTorch's messages about memory that ran out, where PyTorch's error class does not say so.
_WORDS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


class OutOfMemory(WorkFailed):
    """The error that memory does not hold something that cannot be made smaller.

    The message says what does not fit, and which setting to change.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the host.

    Such errors are torch.OutOfMemoryError, MemoryError, and a RuntimeError with a message of
    PyTorch's CPU allocator, of CUDA or of cuBLAS that memory ran out.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def even_slices(num: int, size: int) -> list[slice]:
    """Return the fewest slices of 0..num that have at most `size` positions each.

    The lengths differ by at most 1. So a slice with a single position occurs only if `num` is 1 or
    `size` is at most 2; BatchNorm may refuse to train on one galaxy. num, size: at least 1;
    ZeroDivisionError is raised if one of the two is 0.
    """
    num_slices = -(-num // size)
    bounds = [num * i // num_slices for i in range(num_slices + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]


class MicroBatch:
    """The most images that go through a network at once; halved if memory does not hold them.

    size: the present number, at least 1. `fitting` lowers the number. A run that goes on from a
    stored state sets the number itself.
    """

    def __init__(self, purpose: str, num_images: int, side: int, device: torch.device) -> None:
        """Begin with `num_images` images of `side` x `side` pixels at once, on `device`.

        purpose: what the images are for, such as `training`, for the message of OutOfMemory.
        """
        self.size = num_images
        self._device = device
        self._batch = f"a {purpose} batch of {num_images} images of {side} x {side} pixels"

    def fitting(
        self,
        num_images: int,
        attempt: Callable[[int], Result],
        release: Callable[[], object] = lambda: None,
    ) -> Result:
        """Return what `attempt(size)` returns, with `size` halved until memory holds the attempt.

        num_images: the images that there are to process. attempt: processes all images, at most
        `size` at once; the first `size` is `self.size`. If an attempt runs out of memory,
        `release` is called, which drops what the attempt left, and a GPU's unused memory is freed.
        The attempt is then repeated with half of `self.size`, or half of `num_images` if this
        number is smaller. The smaller size stays in `self.size` for later calls.

        OutOfMemory is raised if memory does not hold even 1 image. Any other error of `attempt` is
        raised unchanged.
        """
        while True:
            try:
                return attempt(self.size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            # after the except clause, because the error's traceback keeps the tensors alive
            release()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            self._halve(min(self.size, num_images), reason)

    def _halve(self, tried: int, reason: str) -> None:
        """Set the size to half of `tried`; raise OutOfMemory if `tried` is 1.

        reason: the message of the error, whose first line becomes part of the message of
        OutOfMemory.
        """
        if tried <= 1:
            raise OutOfMemory(
                f"{self._batch} does not fit in the memory of {self._device}, not even 1 image "
                f"at a time; set a smaller input_side or width, or fewer trials on each device "
                f"(gpus_per_trial, cpus_per_trial): {_first_line(reason)}"
            )
        self.size = tried // 2


def within_memory(action: Callable[[], Result], what: str) -> Result:
    """Return what `action` returns, for an action that a smaller batch does not make smaller.

    what: what the action makes, such as `the optimiser's step`. If memory does not hold the
    action, OutOfMemory is raised, and its message names `what`. Any other error of `action` is
    raised unchanged.
    """
    try:
        return action()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{what} does not fit in memory at any batch size; set a smaller width or fewer "
            f"trials a device (gpus_per_trial, cpus_per_trial): {_first_line(str(error))}"
        ) from None


def _first_line(reason: str) -> str:
    """Return the first line of an error's message, or a placeholder if the message is empty."""
    return (reason.splitlines() or ["no reason given"])[0]
