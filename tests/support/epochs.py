"""Epochs of two runs compared: all numbers but those that no two runs have in common."""

from trainables.training.epoch_report import Curve


def numbers_of(curve: Curve, *without: str) -> list[dict[str, float]]:
    """Return the numbers of each epoch by name, but for its seconds.

    without: names of further numbers to leave out.
    """
    left_out = ("seconds", *without)
    return [
        {name: value for name, value in report.as_values().items() if name not in left_out}
        for report in curve
    ]
