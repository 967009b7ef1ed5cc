"""The command line itself: its commands, its exit codes, and its messages about errors.

Exit codes: 0 for success; 1 if the work failed, if galaxytune has a fault, or if the reader of the
output has closed it; 2 if something given is wrong; 130 if the work was interrupted. No slow
module is imported here, because the help must be shown at once.
"""

import datetime
import errno
import os
import re
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from galaxytune import __version__
from galaxytune.cli import checks, data, demo, models, retraining, studies
from galaxytune.cli.standard_streams import STANDARD_OUTPUT, open_standard_streams
from galaxytune.cli.terminal import notices_as_notes, say
from search_spaces.declaration import InvalidInput, StudyInterrupted, WorkFailed
from trainables.files import DISK_REFUSES

app = typer.Typer(
    name="galaxytune",
    help="Search hyperparameters for networks that predict Galaxy Zoo vote fractions.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _group in (data, models, studies, retraining, checks, demo):
    _group.register(app)

_INTERRUPTED = 130
_EMPTY_OPTION = re.compile(r"--[a-z-]+=")


@dataclass
class _Debugging:
    """A switch for tracebacks on the screen.

    is_on: whether `--debug` was given.
    """

    is_on: bool = False


_debugging = _Debugging()


def _print_version(asked: bool) -> None:
    """Print the version and raise typer.Exit, if `--version` was given (`asked` is True)."""
    if asked:
        typer.echo(f"galaxytune {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error on the screen.")
    ] = False,
) -> None:
    _debugging.is_on = debug


def main() -> None:
    """Run the command line with the arguments of this process; always raise SystemExit at the end.

    SystemExit holds the exit code. Without arguments the help is shown. An error of the command is
    printed on standard error, with its traceback if `--debug` was given.
    """
    _debugging.is_on = False
    open_standard_streams()
    try:
        _refuse_empty_arguments(sys.argv[1:])
        with notices_as_notes():
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if code == _INTERRUPTED:  # Typer returns this code for Ctrl-C and prints nothing
            raise KeyboardInterrupt
        sys.stdout.flush()  # an error at the end of the process would be told as a traceback
    except BaseException as error:
        if _debugging.is_on:
            traceback.print_exc()
        sys.exit(_exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_empty_arguments(arguments: list[str]) -> None:
    """Raise InvalidInput if an argument is empty, as that of a variable that is not set.

    An empty path would mean the current folder.
    """
    for argument in arguments:
        if argument == "" or _EMPTY_OPTION.fullmatch(argument):
            what = "an argument" if argument == "" else argument.rstrip("=")
            raise InvalidInput(f"{what} is empty; a variable on the command line may not be set")


def _exit_code(error: BaseException) -> int:
    """Print what an error means in one line on standard error, and return the exit code.

    The code is 2 for InvalidInput and for Typer's errors, 130 for StudyInterrupted and
    KeyboardInterrupt, and 1 for any other error; SystemExit keeps its own code. Nothing is printed
    for SystemExit and BrokenPipeError. After a BrokenPipeError, later text on standard output is
    dropped. A fault is also written to a file; see `_fault`.
    """
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case TyperException():
            text = error.format_message().replace("Value error, ", "")  # from pydantic, in Typer
            say(f"galaxytune: {_one_line(text)}")
            return 2
        case InvalidInput():
            say(f"galaxytune: {_one_line(str(error))}")
            return 2
        case StudyInterrupted():
            say(f"galaxytune: {_one_line(str(error))}")
            return _INTERRUPTED
        case KeyboardInterrupt():
            say(f"galaxytune: stopped{_how_to_go_on()}")
            return _INTERRUPTED
        case BrokenPipeError():  # the reader of the output has closed it, as `head` does
            _drop_output()
            return 1
        case OSError() if error.filename == STANDARD_OUTPUT:
            _drop_output()
            say(f"galaxytune: failed: {STANDARD_OUTPUT} cannot be written ({error.strerror})")
            return 1
        case OSError(errno=errno.ENAMETOOLONG | errno.ELOOP):
            say(f"galaxytune: {_one_line(str(error))}")
            return 2
        case WorkFailed():
            say(f"galaxytune: failed: {_one_line(str(error))}")
            return 1
        case OSError() if error.errno in DISK_REFUSES:
            _drop_output()
            say(f"galaxytune: failed: {_one_line(str(error))}")
            return 1
    say(_fault(error))
    return 1


def _drop_output() -> None:
    """Send all that standard output still holds, and all later text, to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = open(os.devnull, "w")


def _how_to_go_on() -> str:
    """Return how a command that Ctrl-C has stopped goes on; empty if the command begins again."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if command == "search":
        return "; if its study was made, `galaxytune resume` goes on"
    return (
        "; the same command goes on" if command in ("resume", "confirm", "ablate", "train") else ""
    )


def _one_line(text: str) -> str:
    """Return a text on one line: line breaks and repeated spaces become single spaces."""
    return " ".join(text.split())


def _fault(error: BaseException) -> str:
    """Write the traceback of a fault to a file; return one line for the user that names the file.

    If no file can be written, the traceback is printed on standard error instead, and the line
    says that the traceback is above.
    """
    what = _one_line(f"{type(error).__name__}: {error}")
    told = f"galaxytune: an error in galaxytune, not in your input: {what}"
    try:
        return f"{told}; please report it with the traceback in {_traceback_file(error)}"
    except OSError:
        traceback.print_exception(error)
        return f"{told}; please report it with the traceback above"


def _traceback_file(error: BaseException) -> Path:
    """Write an error's traceback to a new file for temporary files, and return the file's path.

    The file also holds the versions of galaxytune and Python and the command's arguments. OSError
    is raised if the file cannot be written.
    """
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    descriptor, name = tempfile.mkstemp(prefix=f"galaxytune-fault-{now}-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"galaxytune {__version__}, Python {sys.version}\n{sys.argv}\n\n")
        file.write("".join(traceback.format_exception(error)))
    return Path(name)
