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


def grouped(skipped: Iterable[Skipped], most: int = 10) -> list[str]:
    """Return a line for each reason, in the order in which the reasons first occur.

    A reason of one file gives `NAME: REASON`, a reason of several gives
    `1,234 files, such as NAME: REASON`. most: number of lines, at least 2; if there are more
    reasons, the last line counts the files with the reasons that are left.
    """
    by_reason: dict[str, list[str]] = {}
    for one in skipped:
        by_reason.setdefault(one.reason, []).append(one.name)
    lines = [_line(names, reason) for reason, names in by_reason.items()]
    if len(lines) <= most:
        return lines
    left = list(by_reason.values())[most - 1 :]
    files, first = sum(map(len, left)), lines[most - 1]
    return [*lines[: most - 1], f"{files:,} files for {len(left):,} further reasons; {first}"]


def _line(names: list[str], reason: str) -> str:
    """Return the line of the files that are skipped for one reason."""
    if len(names) == 1:
        return f"{names[0]}: {reason}"
    return f"{len(names):,} files, such as {names[0]}: {reason}"
