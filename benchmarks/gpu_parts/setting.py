"""The circumstances that each part of benchmarks/gpu.py gets, and the rows that it yields."""

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]  # one measured result: names and plain values
Rows = Iterator[Row]


def or_failure(rows: Rows, **what: Any) -> Rows:
    """Yield the rows; if an error ends them, yield a last row that tells the error.

    what: the values by which the last row is known, such as the name of a network.
    """
    try:
        yield from rows
    except Exception as error:  # whatever it is, the rest of the part goes on
        traceback.print_exc()
        yield {**what, "failure": f"{type(error).__name__}: {str(error)[:300]}"}


@dataclass(frozen=True)
class Setting:
    """The circumstances of one part.

    data: path of a galaxy file.
    device: the GPU, or the processor for the tiny form.
    is_tiny: True for the tiny form, which only shows that the part works.
    folder: an empty folder of the part's own, for files that are not kept.
    out: the folder for files that are kept, the same for all parts.
    ends_at: the moment by `time.monotonic` at which the part is stopped.
    """

    data: Path
    device: torch.device
    is_tiny: bool
    folder: Path
    out: Path
    ends_at: float

    @property
    def is_gpu(self) -> bool:
        """True if the device is a GPU."""
        return self.device.type == "cuda"

    @property
    def seconds_left(self) -> float:
        """Seconds until the part is stopped."""
        return self.ends_at - time.monotonic()

    def settle(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.is_gpu:
            torch.cuda.synchronize()

    def seconds_of(self, action: Callable[[], object]) -> float:
        """Return the seconds that an action takes, from a device at rest to a device at rest."""
        self.settle()
        started = time.perf_counter()
        action()
        self.settle()
        return time.perf_counter() - started
