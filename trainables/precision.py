"""In which numbers a network's passes are computed while it trains: float32 or bfloat16."""

from contextlib import AbstractContextManager

import torch

from search_spaces.declaration.training_protocol import TrainingProtocol


def training_precision(config: TrainingProtocol, device: torch.device) -> torch.dtype:
    """What the config asks for; where that is `auto`, bfloat16 if the device computes it itself.

    A device that does not can still be told to use bfloat16: it then does so by way of float32,
    slowly.
    """
    if config.precision == "auto":
        return torch.bfloat16 if computes_bfloat16(device) else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products of bfloat16.

    GPUs do from compute capability 8 on, x86 processors with AVX512-BF16 or AMX.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(device.type == "cpu" and native)


def computed_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which layers compute in `dtype`; their weights stay float32.

    What a sum's rounding would harm (norms' statistics, softmax, losses) stays float32 too, as
    PyTorch's autocast has it.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
