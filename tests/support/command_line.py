"""The command line, run in the process of the test."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from galaxytune.cli.app import main

Cli = Callable[..., int]


def run_main(*arguments: Any) -> int:
    """Run `galaxytune` with these arguments and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["galaxytune", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return int(end.value.code or 0)
