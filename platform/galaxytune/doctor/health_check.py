"""A check of the doctor: what was checked, its status, what was found, and what to do about it."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

HealthStatus = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, config=ConfigDict(use_attribute_docstrings=True))
class Check:
    """A check that the doctor has made."""

    name: str
    """What was checked."""
    status: HealthStatus
    """ok; warning: a search can run; failed: a search cannot run; skipped: nothing to check."""
    found: str
    """What was found, in words."""
    remedy: str = ""
    """What to do, in words; empty if there is nothing to do."""


def gibibytes(num_bytes: float) -> str:
    """Return a number of bytes as text: "3.2 GiB", or "730 MiB" if there is less than 1 GiB."""
    if num_bytes < 2**30:
        mebibytes = num_bytes / 2**20
        return f"{mebibytes:.0f} MiB" if mebibytes >= 10 else f"{mebibytes:.2g} MiB"
    return f"{num_bytes / 2**30:.1f} GiB"
