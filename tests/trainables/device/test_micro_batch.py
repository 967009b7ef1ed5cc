"""Micro-batches: few and even slices, and every shortage of memory recognised."""

import pytest
import torch

from trainables.device.micro_batch import OutOfMemory, even_slices, is_out_of_memory


@pytest.mark.parametrize(
    ("num", "size", "sizes"),
    [(16, 16, [16]), (5, 16, [5]), (16, 4, [4, 4, 4, 4]), (5, 4, [2, 3]), (11, 5, [3, 4, 4])],
)
def test_slices_are_few_and_even(num: int, size: int, sizes: list[int]) -> None:
    slices = even_slices(num, size)
    assert [s.stop - s.start for s in slices] == sizes
    assert [i for s in slices for i in range(num)[s]] == list(range(num))


def test_every_shortage_is_recognised_and_nothing_else() -> None:
    words = "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."
    cuda = RuntimeError("CUDA error: out of memory")
    full = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(words), MemoryError(), cuda]
    other = [RuntimeError("CUDA error: an illegal address"), ValueError(words), OutOfMemory("so")]
    assert all(map(is_out_of_memory, full)) and not any(map(is_out_of_memory, other))
