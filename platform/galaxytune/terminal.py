"""What commands print: notes on standard error, tables and JSON on standard output."""

import json
import sys
from typing import Any

import typer


def say(text: str) -> None:
    """Print progress and notes on standard error."""
    typer.echo(text, err=True)


def print_json(values: Any) -> None:
    """Print the one JSON document of a --json command."""
    typer.echo(json.dumps(values, indent=2))


def show_table(table: Any) -> None:
    """Print a rich table on standard output."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 110).print(table)
