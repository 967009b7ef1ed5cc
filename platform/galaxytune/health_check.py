"""One thing that the doctor looked at: whether it is well, what was found, what to do."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """A warning lets a search run; after a failed check it would not."""

    name: str
    status: Status
    found: str
    remedy: str = ""  # empty where nothing is to be done


def gibibytes(num_bytes: float) -> str:
    """A size for the eye: "3.2 GiB", or below one "730 MiB"."""
    if num_bytes < 2**30:
        mebibytes = num_bytes / 2**20
        return f"{mebibytes:.0f} MiB" if mebibytes >= 10 else f"{mebibytes:.2g} MiB"
    return f"{num_bytes / 2**30:.1f} GiB"
