"""The number type of a network's passes while it trains: float32 or bfloat16."""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import torch

from search_spaces.declaration import TrainingProtocol


def training_precision(config: TrainingProtocol, device: torch.device) -> torch.dtype:
    """Return the precision of a config's training on a device: torch.float32 or torch.bfloat16.

    A config with the precision `auto` gets bfloat16 if the device computes bfloat16 faster than
    float32 (see `is_faster_in_bfloat16`). A config can ask any device for bfloat16. A device
    without instructions for bfloat16 computes by way of float32, slowly.
    """
    if config.precision == "auto":
        return torch.bfloat16 if is_faster_in_bfloat16(device) else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32


def is_faster_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes products of bfloat16 faster than those of float32.

    GPUs do so from compute capability 8 on. x86 processors do so if they have AMX, and those of
    AMD if they have AVX512-BF16. A processor of Intel with AVX512-BF16 whose AMX is hidden, as
    some virtual machines hide AMX, was measured to take 1.6 times as long in bfloat16
    (`benchmarks/2026-11-28-networks.md`). The result is False for any other kind of device.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    if torch.cpu._is_amx_tile_supported():
        return True
    return bool(torch.cpu._is_avx512_bf16_supported()) and not _is_of_intel()


@cache
def _is_of_intel() -> bool:
    """Return whether Linux names Intel as the maker of the processor."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:  # no Linux
        return False


def computed_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which layers compute in `dtype`; the weights of the layers stay float32.

    dtype: torch.float32 or torch.bfloat16. device: the device of the layers. Computations that the
    rounding of a sum would harm (the statistics of norms, softmax, losses) stay float32 too, as
    PyTorch's autocast decides.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
