"""Files that a work leaves out, with the reason for each, and the lines that tell of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """A file or a row that is left out.

    name: the name by which the user knows it. reason: why it is left out, such as `has no votes`.
    The text is `NAME: REASON`.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        """Return `NAME: REASON`."""
        return f"{self.name}: {self.reason}"


def grouped(skipped: Iterable[Skipped]) -> list[str]:
    """Return a line for each reason, in the order in which the reasons first occur.

    A reason of one file gives `NAME: REASON`, a reason of several gives
    `1,234 files, such as NAME: REASON`.
    """
    by_reason: dict[str, list[str]] = {}
    for one in skipped:
        by_reason.setdefault(one.reason, []).append(one.name)
    return [
        f"{names[0]}: {reason}"
        if len(names) == 1
        else f"{len(names):,} files, such as {names[0]}: {reason}"
        for reason, names in by_reason.items()
    ]
