"""Whether a file can be written, found out before the work that makes its content."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from search_spaces.declaration import InvalidInput

_LONGEST = 255  # bytes of a name on Linux and macOS
_ADDED = 10  # bytes that the name of the temporary file adds to the file's own


def check_output(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise InvalidInput if a file cannot be written to `out`, or would replace an input.

    inputs: the files and folders that are read; those that do not exist are passed over. Folders
    above `out` that are missing are not made; the nearest folder that exists is tried with a
    temporary file.
    """
    if "\0" in str(out):
        raise InvalidInput(f"the name {str(out)!r} holds a null character; name another file")
    for part in out.parts:
        length = len(os.fsencode(part))
        if length > (_LONGEST - _ADDED if part == out.name else _LONGEST):
            raise InvalidInput(
                f"the name {part[:20]}... has {length} bytes, which is too long; name another file"
            )
    if out.is_dir():
        raise InvalidInput(f"{out} is a folder; name a file")
    for given in inputs:
        if out.exists() and given.exists() and out.samefile(given):
            raise InvalidInput(f"{out} would replace its own input; name another file")
    nearest = next(path for path in out.absolute().parents if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return
    except OSError as error:
        raise InvalidInput(
            f"{out} cannot be written: {error.strerror} at {nearest}; name another place"
        ) from None
