"""Functions that print: notes on standard error, tables and JSON on standard output."""

import json
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer

from search_spaces.declaration import Notice

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table


def say(text: str) -> None:
    """Print a line of progress, or a note, on standard error."""
    typer.echo(text, err=True)


@contextmanager
def notices_as_notes() -> Iterator[None]:
    """Print each Notice in the block as a note of one line, without its place in the code.

    A Notice with the same message is printed once. Other warnings are shown as Python shows them.
    """
    with warnings.catch_warnings():
        others, told = warnings.showwarning, set[str]()

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            """Print a Notice; leave another warning to the function that was there before."""
            if not issubclass(category, Notice):
                others(message, category, filename, lineno, file, line)
            elif str(message) not in told:
                told.add(str(message))
                say(f"note: {message}")

        warnings.showwarning = show
        yield


def print_json(values: Any) -> None:
    """Print values as the one JSON document of a command with `--json`, on standard output.

    values: dicts with texts as keys, lists, texts, numbers and None. Any other value raises
    TypeError.
    """
    typer.echo(json.dumps(values, indent=2))


def show_table(table: "Table") -> None:
    """Print a rich table on standard output, 110 columns wide if the output is not a terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 110).print(table)


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop the block as Ctrl-C does, so that the block removes its unfinished files.

    Batch systems send SIGTERM at the end of a job's time. KeyboardInterrupt is raised in the
    block. The former handler is restored afterwards.
    """

    def stop(number: int, frame: object) -> None:
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress_bar() -> "Iterator[Progress]":
    """Show a rich progress bar on standard error while the block runs, and yield the bar.

    The bar has no task yet; the block adds a task and updates the task.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar
