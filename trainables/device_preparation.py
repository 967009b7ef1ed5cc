"""What a process sets once for the device that it trains on."""

import torch

from trainables.host_memory import keep_freed_memory


def prepare_device(device: torch.device) -> None:
    """Let a CPU keep the memory that it frees, and a GPU try which kernels are the fastest."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # shapes stay the same, so that a trial pays
    else:
        keep_freed_memory()
