"""What the doctor runs on a node. Sent there whole: needs the standard library alone.

A node on which our packages are missing or broken must still be able to say so.
"""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DRIVERS_PROBE = "driver"


def installed_version(package: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Versions of Python and of packages on this machine."""
    return {"python": platform.python_version(), **{p: installed_version(p) for p in packages}}


def write_probe(folder: Path, name: str, text: str) -> str:
    """Write a file, wait until it is on disk, move it into place, read it; "" or what failed."""
    partial, path = folder / f"{name}.partial", folder / name
    try:
        with partial.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return "" if path.read_text() == text else "a file reads otherwise than it was written"
    except OSError as error:
        return error.strerror or type(error).__name__


def reads(path: Path, text: str) -> bool:
    """Whether a file is there and holds `text`."""
    try:
        return path.read_text() == text
    except OSError:
        return False


def report_on_node(request: dict[str, Any]) -> dict[str, Any]:
    """Versions, what storage and data look like from here, and the GPUs that torch finds.

    `request` holds packages, probe_folder, probe_name, token, data (or None) and wants_gpus.
    """
    folder = Path(request["probe_folder"])
    sees_driver = reads(folder / DRIVERS_PROBE, request["token"])
    return {
        "versions": versions(request["packages"]),
        "sees_driver": sees_driver,
        "write_error": write_probe(folder, request["probe_name"], request["token"])
        if sees_driver
        else "",
        "free_bytes": shutil.disk_usage(folder).free if sees_driver else 0,
        "data_bytes": None if request["data"] is None else _readable_bytes(request["data"]),
        "gpus": _gpus() if request["wants_gpus"] else [],
    }


def _readable_bytes(path: str) -> int | str:
    """The size of a file that can be read here, else why not."""
    try:
        with open(path, "rb") as file:
            file.read(1)
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        return error.strerror or type(error).__name__


def _gpus() -> list[str] | str:
    """Name and memory of each GPU that torch can use here, else why none."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch cannot be loaded: {error}"
    if not torch.cuda.is_available():
        return "torch finds no GPU that it can use"
    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in found]


def run_training_probe(
    request: dict[str, Any], seconds: float, module: str = "galaxytune.training_probe"
) -> dict[str, Any]:
    """What a module that measures training finds, in a process whose memory is its own.

    {"failure": reason} if it failed, was killed, or did not end within `seconds`.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"did not end within {seconds:.0f} s"}
    if child.returncode == -9:
        return {"failure": "was killed, in all likelihood for want of memory"}
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"failure": f"ended with code {child.returncode}: {last}"}
    measured: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return measured
