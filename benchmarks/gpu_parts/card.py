"""The machine: its GPU, the versions, and the two rates that bound everything else."""

import os
import platform
import subprocess
from statistics import median

import torch

from benchmarks.gpu_parts.setting import Row, Rows, Setting
from benchmarks.throughput import matrix_rate
from galaxytune.plan import package_versions


def measure(setting: Setting) -> Rows:
    """Yield the machine's description, the rates of matrix products, and the memory's rate."""
    yield {"machine": _machine(setting), "versions": package_versions()}
    for precision in (torch.float32, torch.bfloat16):
        name = str(precision).removeprefix("torch.")
        yield {"matrix_rate": name, "operations_a_second": matrix_rate(setting.device, precision)}
    if setting.is_gpu:
        torch.backends.cuda.matmul.allow_tf32 = True
        rate = matrix_rate(setting.device, torch.float32)
        yield {"matrix_rate": "tf32", "operations_a_second": rate}
    yield {"copied_bytes_a_second": _copy_rate(setting)}


def _machine(setting: Setting) -> Row:
    """Return the processor, and on a GPU also the GPU's name, memory and driver."""
    described = {"system": platform.platform(), "cores": os.cpu_count(), "device": "processor"}
    if setting.is_gpu:
        card = torch.cuda.get_device_properties(setting.device)
        described |= {"device": card.name, "memory_gib": round(card.total_memory / 2**30, 1)}
        described |= {"driver": _driver(), "cuda": torch.version.cuda}
    return described


def _driver() -> str:
    """Return the version of the GPU's driver, or `unknown`."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (told.splitlines() or ["unknown"])[0].strip()


def _copy_rate(setting: Setting) -> float:
    """Return the bytes a second that a copy reads and writes on the device."""
    size = 2**31 if setting.is_gpu else 2**24
    source = torch.ones(size, dtype=torch.uint8, device=setting.device)
    target = torch.empty_like(source)
    seconds = [setting.seconds_of(lambda: target.copy_(source)) for _ in range(5)]
    return 2 * size / median(seconds[1:])
