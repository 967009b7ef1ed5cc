"""Functions that run on a node of the cluster, for the doctor and for measurements.

Ray sends these functions to the node as code, and they need the standard library alone. Therefore
also a node whose packages are missing or damaged can report.
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

DRIVERS_PROBE = "driver"  # name of the file that the driver writes in the probe folder


def installed_version(package: str) -> str | None:
    """Return the version of an installed package; None if the package is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Return the versions of Python (key `python`) and of packages on this machine, by name.

    packages: names of the packages. The version of a package that is not installed is None.
    """
    return {"python": platform.python_version(), **{p: installed_version(p) for p in packages}}


def write_probe(folder: Path, name: str, text: str) -> str:
    """Write `text` to the file `name` in a folder and read the file; return "" or what failed.

    The text is written to NAME.partial first, which is then renamed. If the writing fails,
    NAME.partial may be left in the folder. No OSError is raised; its text is returned.
    """
    partial, path = folder / f"{name}.partial", folder / name
    try:
        with partial.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return "" if path.read_text() == text else "a file differs from what was written"
    except OSError as error:
        return error.strerror or type(error).__name__


def reads(path: Path, text: str) -> bool:
    """Return whether the file at `path` can be read and holds exactly `text`."""
    try:
        return path.read_text() == text
    except OSError:
        return False


def report_on_node(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the doctor asks of a node: versions, access to storage and data, and GPUs.

    request: packages (names), probe_folder, probe_name (name of the file to write there), token
    (text of all probe files), data (path of the data file, or None) and wants_gpus (whether to
    look for GPUs). If the node can read the driver's file in the probe folder, the node writes a
    file there, else it writes nothing.

    The keys of the result are `versions`, `sees_driver`, `write_error`, `free_bytes`, `data_bytes`
    and `gpus`; `galaxytune.doctor.cluster_checks.NodeReport` describes their values. `gpus` is []
    if the doctor does not look for GPUs.
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
    """Return the size of a file in bytes, or the reason why the file cannot be read here."""
    try:
        with open(path, "rb") as file:
            file.read(1)
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        return error.strerror or type(error).__name__


def _gpus() -> list[str] | str:
    """Return name and memory of each GPU that torch can use here, or the reason for none.

    An entry is for example `NVIDIA H100, 80 GiB`.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch cannot be loaded: {error}"
    if not torch.cuda.is_available():
        return "torch finds no GPU that it can use"
    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in found]


def run_training_probe(
    request: dict[str, Any], seconds: float, module: str = "galaxytune.cluster.training_probe"
) -> dict[str, Any]:
    """Run a measuring module in a process of its own; return what the module measures.

    request: JSON values, which the process reads from its standard input. seconds: the time limit;
    a process that exceeds the limit is killed. module: name of the module, which prints its
    result as one line of JSON. A process of its own has a memory of its own, which can be
    measured.

    The result is that JSON mapping. If the process fails, is killed, or exceeds the limit, the
    result is the reason under the key `failure`.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", module],  # -P: no file of the current folder is a module
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"did not end within {seconds:.0f} s"}
    if child.returncode == -9:
        return {"failure": "was killed, probably because memory ran out"}
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["without a message"])[-1]
        return {"failure": f"ended with code {child.returncode}: {last}"}
    measured: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return measured
