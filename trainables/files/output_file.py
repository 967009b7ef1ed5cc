"""Checks of a file that a work will write, made before the work."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from search_spaces.declaration import InvalidInput

_MARGIN = 1 << 24  # bytes that stay free on a disk: 16 MiB


def check_output_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise InvalidInput unless a file can be written to a path; nothing is left on the disk.

    The reasons are: the file would replace an input, a folder stands there, a file stands where a
    folder is needed, writing is not allowed, the disk is full, or the name is too long or holds a
    character that the disk cannot store. Missing folders are made for the check and removed again.

    inputs: the files and folders that are read; those that do not exist are passed over.
    """
    made: list[Path] = []
    try:
        for given in inputs:
            if path.exists() and given.exists() and path.samefile(given):
                raise InvalidInput(f"{path} would replace its own input; name another file")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        made = _make_folders(path.parent)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        os.unlink(name)
    except InvalidInput:
        raise
    except ValueError as error:  # a character that no name may hold, or that cannot be encoded
        raise InvalidInput(f"{str(path)!r} is no name for a file ({error})") from None
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written ({error.strerror}); name another place"
        ) from None
    finally:
        for folder in made:
            folder.rmdir()


def check_free_space(path: Path, num_bytes: int, advice: str) -> None:
    """Raise InvalidInput unless the disk of a path has room for so many bytes and 16 MiB more.

    path: the file to write; its folder may not exist. num_bytes: size of the file, at least 0.
    advice: what the user can do, such as `take a smaller --side or another output`. OSError is
    raised if the disk does not tell its free space.
    """
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if num_bytes + _MARGIN > free:
        raise InvalidInput(
            f"{path} needs {in_words(num_bytes)}, but the disk of {folder} has {in_words(free)} "
            f"free; {advice}"
        )


def in_words(num_bytes: int) -> str:
    """Return a number of bytes as a text such as `31 GiB` or `7.5 MiB`."""
    size, unit = float(num_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1000:
            break
        size, unit = size / 1024, larger
    return f"{size:,.1f} {unit}" if unit != "bytes" and size < 10 else f"{size:,.0f} {unit}"


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and the missing folders above; return those that were made, deepest first.

    If one cannot be made, those that were made are removed, and OSError is raised.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    made: list[Path] = []
    try:
        for one in reversed(missing):
            one.mkdir()
            made.insert(0, one)
    except BaseException:
        for one in made:
            one.rmdir()
        raise
    return made
