"""ReLU of the maximum of every 2 x 2 values: bit by bit what PyTorch's two operations give."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.layers import rectified_pooling as module
from trainables.layers.rectified_pooling import rectified_maximum

SHAPES = ((2, 32, 62, 62), (3, 64, 29, 29), (1, 5, 7, 4), (2, 3, 2, 2), (0, 8, 6, 6))
TYPES = (torch.bfloat16, torch.float32)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give torch one thread, as a trial with one core has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Few different values, so that many are equal, 0 and -0 among them."""
    chance = torch.Generator().manual_seed(0)
    maps = torch.randint(-3, 4, shape, generator=chance).to(dtype) / 3
    return maps.contiguous(memory_format=torch.channels_last)


def expected(maps: Tensor) -> Tensor:
    return F.relu(F.max_pool2d(maps, 2))


def bits(values: Tensor) -> Tensor:
    return values.view(torch.int16 if values.dtype == torch.bfloat16 else torch.int32)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_values_and_gradients_are_pytorchs(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    ours, theirs = (drawn(shape, dtype).requires_grad_() for _ in range(2))
    found, wanted = rectified_maximum(ours), expected(theirs)
    assert torch.equal(bits(found), bits(wanted))
    given = torch.randn(found.shape, dtype=dtype)
    found.backward(given)
    wanted.backward(given)
    assert ours.grad is not None and theirs.grad is not None
    assert torch.equal(bits(ours.grad), bits(theirs.grad))


@pytest.mark.parametrize("dtype", TYPES)
def test_infinity_and_nan_pass(dtype: torch.dtype) -> None:
    maps = drawn((1, 4, 4, 4), dtype)
    maps[0, 0, 0, 0], maps[0, 1, 1, 1], maps[0, 2, 2, 2] = torch.inf, torch.nan, -torch.nan
    maps[0, 3] = -torch.inf
    torch.testing.assert_close(
        rectified_maximum(maps), expected(maps), rtol=0, atol=0, equal_nan=True
    )


def test_the_layout_in_memory_stays() -> None:
    found = rectified_maximum(drawn(SHAPES[0], torch.bfloat16))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_of_no_images_there_are_no_maxima() -> None:
    assert rectified_maximum(drawn(SHAPES[-1], torch.float32)).shape == (0, 8, 3, 3)


def test_stacked_networks_get_what_each_gets_alone() -> None:
    maps = torch.stack([drawn(SHAPES[1], torch.float32) * k for k in (1, -1, 2)])
    alone, stacked = (maps.clone().requires_grad_() for _ in range(2))
    torch.stack([expected(one) for one in alone]).square().sum().backward()
    torch.func.vmap(rectified_maximum)(stacked).square().sum().backward()
    assert alone.grad is not None and stacked.grad is not None
    assert torch.equal(stacked.grad, alone.grad)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_kernel_works_where_a_trial_has_one_core(
    num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise RuntimeError("the kernel was asked for")

    torch.set_num_threads(num_threads)
    monkeypatch.setattr(module, "_kernels", refuse)
    if num_threads > 1:
        rectified_maximum(drawn(SHAPES[0], torch.bfloat16))
        return
    for dtype in TYPES:
        with pytest.raises(RuntimeError, match="the kernel was asked for"):
            rectified_maximum(drawn(SHAPES[0], dtype))
    rectified_maximum(drawn(SHAPES[0], torch.float64))


@pytest.mark.slow
def test_where_no_folder_can_be_written_the_kernel_is_compiled_all_the_same() -> None:
    program = (
        "import torch; from trainables.layers.rectified_pooling import rectified_maximum; "
        "torch.set_num_threads(1); print(float(rectified_maximum(torch.full((1, 1, 2, 2), 3.0))))"
    )
    nowhere = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=nowhere, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == 3
