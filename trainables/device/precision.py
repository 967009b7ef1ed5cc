"""The number type of a network's passes while it trains: float32 or bfloat16."""

from contextlib import AbstractContextManager

import torch

from search_spaces.declaration import TrainingProtocol


def training_precision(config: TrainingProtocol, device: torch.device) -> torch.dtype:
    """Return the precision of a config's training on a device: torch.float32 or torch.bfloat16.

    A config with the precision `auto` gets bfloat16 if the device computes bfloat16 itself (see
    `computes_bfloat16`). A config can ask any device for bfloat16. A device that does not compute
    bfloat16 itself computes by way of float32, slowly.
    """
    if config.precision == "auto":
        return torch.bfloat16 if computes_bfloat16(device) else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for products of bfloat16.

    GPUs have such instructions from compute capability 8 on. x86 processors have such instructions
    if they have AVX512-BF16 or AMX. The result is False for any other kind of device.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(device.type == "cpu" and native)


def computed_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which layers compute in `dtype`; the weights of the layers stay float32.

    dtype: torch.float32 or torch.bfloat16. device: the device of the layers. Computations that the
    rounding of a sum would harm (the statistics of norms, softmax, losses) stay float32 too, as
    PyTorch's autocast decides.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
