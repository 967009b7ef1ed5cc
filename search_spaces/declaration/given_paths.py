"""Paths as a person writes them: with `~`, `$NAME` and `${NAME}`, which a shell may not have seen.

A plan file and a notebook have no shell, and a shell leaves `--data=~/galaxies.npz` as it is.
"""

import os
import re
from pathlib import Path

from search_spaces.declaration.errors import InvalidInput

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_LONGEST = 255  # bytes of a name in a folder, in all common file systems


def given_path(given: str | os.PathLike[str]) -> Path:
    """Return the path that a person gave, with `~`, `~USER`, `$NAME` and `${NAME}` expanded.

    A relative path stays relative, and the path need not exist. A path that exists as it is
    written is returned unchanged. InvalidInput is raised, with one line, if `given` is neither a
    text nor a path object such as pathlib.Path, if the path is an empty text or holds a control
    character, if a name in the path is longer than 255 bytes, if a variable is not set, or if
    there is no user USER.
    """
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(text, str):  # os.fspath also returns the bytes of some path objects
        kind = "None" if given is None else type(given).__name__
        raise InvalidInput(f"a path must be a text or a pathlib.Path, got {kind}")
    _check_text(text)
    if os.path.lexists(text):
        return Path(text)
    told = _with_variables(text)
    try:
        expanded = Path(told).expanduser()
    except RuntimeError as error:
        raise InvalidInput(f"{text!r} has no home folder ({error})") from None
    _check_text(str(expanded))
    return expanded


def _check_text(text: str) -> None:
    """Raise InvalidInput if no file can have the path `text`, whatever the disk holds."""
    if not text:
        raise InvalidInput("a path is empty; a variable in it may be empty")
    if not text.isprintable():
        raise InvalidInput(f"the path {text!r} holds a character that cannot be printed")
    for name in text.split("/"):
        if len(os.fsencode(name)) > _LONGEST:
            raise InvalidInput(
                f"a name in a path has {len(os.fsencode(name))} bytes, at most {_LONGEST} are "
                f"possible: {name[:40]}..."
            )


def _with_variables(text: str) -> str:
    """Return a path with its variables replaced; InvalidInput names a variable that is not set."""

    def value(found: re.Match[str]) -> str:
        """Return the value of the variable that the pattern has found."""
        name = found[1] or found[2]
        if name not in os.environ:
            raise InvalidInput(f"{text}: the environment variable {name} is not set")
        return os.environ[name]

    return _VARIABLE.sub(value, text)
