"""How many galaxies go through a network at once: halved where memory does not hold them."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch

Result = TypeVar("Result")

# How PyTorch's allocator of main memory words it; a GPU's raises a class of its own.
_CPU_WORDS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


class OutOfMemory(RuntimeError):
    """Memory does not hold what cannot be made smaller; the message says what, and what to set."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_WORDS)


def even_slices(num: int, size: int) -> list[slice]:
    """Cut `num` places into as few slices of at most `size` as will do, alike but for one.

    None is left with a lone place that another could share: BatchNorm may refuse to train on one.
    """
    num_slices = -(-num // size)
    bounds = [num * i // num_slices for i in range(num_slices + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]


class MicroBatch:
    """How many images go through a network at once, at most; halved by whoever finds it too many.

    size: the number now, from 1 to `num_images`.
    """

    def __init__(self, purpose: str, num_images: int, side: int, device: torch.device) -> None:
        """Begin with whole batches of `num_images`, each of `side` x `side` pixels."""
        self.size = num_images
        self._device = device
        self._batch = f"a {purpose} batch of {num_images} images of {side} x {side} pixels"

    def fitting(
        self,
        num_images: int,
        attempt: Callable[[int], Result],
        release: Callable[[], object] = lambda: None,
    ) -> Result:
        """What `attempt(size)` returns for `num_images` at the largest size that memory holds.

        A failed attempt is begun anew with half the size, after `release` has let go of what it
        left behind. Raises OutOfMemory where even 1 is too many.
        """
        while True:
            try:
                return attempt(self.size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            # only here, where its traceback is gone, are the attempt's tensors gone too
            release()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            self._halve(min(self.size, num_images), reason)

    def _halve(self, tried: int, reason: str) -> None:
        if tried <= 1:
            raise OutOfMemory(
                f"{self._batch} does not fit in the memory of {self._device}, not even 1 image "
                f"at a time; set a smaller input_side or width, or fewer trials a device "
                f"(gpus_per_trial, cpus_per_trial): {_first_line(reason)}"
            )
        self.size = tried // 2


def within_memory(action: Callable[[], Result], what: str) -> Result:
    """What an action returns that smaller batches would not help.

    OutOfMemory, naming `what`, where memory does not hold it.
    """
    try:
        return action()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{what} does not fit in memory whatever the batch; set a smaller width or fewer "
            f"trials a device (gpus_per_trial, cpus_per_trial): {_first_line(str(error))}"
        ) from None


def _first_line(reason: str) -> str:
    return (reason.splitlines() or ["no reason given"])[0]
