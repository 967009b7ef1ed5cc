"""The device that a process trains on, and what the process sets once for that device."""

import torch

from trainables.device.host_memory import keep_freed_memory


def training_device(wants_gpu: bool = True) -> torch.device:
    """Return the CUDA device if `wants_gpu` is True and torch finds a GPU, else the CPU.

    The CUDA device is torch's current device of this process. The CPU is returned without a
    warning if torch finds no GPU.
    """
    return torch.device("cuda" if wants_gpu and torch.cuda.is_available() else "cpu")


def prepare_device(device: torch.device) -> None:
    """Set up this process for training on a device; the settings hold until the process ends.

    On a CPU the process keeps the memory that it frees (see `keep_freed_memory`). On a GPU cuDNN
    measures which of its kernels is the fastest, which pays because the shapes of a training do
    not change.
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    else:
        keep_freed_memory()
