"""Files with one JSON object in each line, which stay readable after a crash within a line."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from search_spaces.declaration import InvalidInput
from trainables.files.atomic_files import write_atomically


def append_line(path: Path, values: Mapping[str, Any], *, wait: bool = True) -> None:
    """Append one JSON object as a line to a file, which is made if it does not exist.

    values: the object's values by name. A last line that a crash cut short is removed first; a
    last line that lacks only its line break gets the line break. With `wait` the line is on disk
    when the function returns. Without `wait` the line survives the end of this process, but
    perhaps not a power cut.

    OSError is raised if the file cannot be written or its folder does not exist, TypeError if a
    value has no form in JSON.
    """
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END) and not _ends_line(file):
            file.write(b"\n") if _last_is_whole(path) else file.truncate(last_line_start(path))
        file.write(json.dumps(values).encode() + b"\n")
        file.flush()
        if wait:
            os.fsync(file.fileno())


def write_json_lines(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """Write a file with one JSON object in each line; an older file is replaced in one step.

    OSError is raised if the file cannot be written, TypeError if a value has no form in JSON.
    """
    text = "".join(json.dumps(values) + "\n" for values in objects)
    write_atomically(path, lambda new: new.write_text(text))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file, first line first; [] if the file does not exist.

    A last line that a crash cut short is left out. Any other line that is no JSON object, such as
    an empty line, raises InvalidInput. OSError is raised if the file cannot be read.
    """
    if not path.exists():
        return []
    *whole, rest = path.read_bytes().split(b"\n")
    objects = [_object(path, number, line) for number, line in enumerate(whole, start=1)]
    if rest and _value(rest) is not None:  # a crash may have cut the line; its trial runs again
        objects.append(_object(path, len(whole) + 1, rest))
    return objects


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object in line `number` of a file; InvalidInput if the line holds no object."""
    value = _value(line)
    if not isinstance(value, dict):
        what = "is not JSON" if value is None else "is no JSON object"
        shown = repr(line[:60].decode(errors="replace"))
        raise InvalidInput(f"{path} line {number} {what}: {shown}")
    return value


def _value(line: bytes) -> Any:
    """Return the value that a line of JSON holds; None if the line is not JSON or is `null`."""
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return None


def last_line_start(path: Path) -> int:
    """Return the offset in bytes at which the last line of a file begins.

    The offset is the file's size if the file ends with a line break, and 0 if the file has no line
    break. OSError is raised if the file cannot be read.
    """
    return path.read_bytes().rfind(b"\n") + 1


def _ends_line(file: IO[bytes]) -> bool:
    """Return whether an open file that is not empty ends with a line break.

    The position in the file is then the end.
    """
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _last_is_whole(path: Path) -> bool:
    """Return whether the last line of a file, which lacks its line break, is complete JSON."""
    return _value(path.read_bytes()[last_line_start(path) :]) is not None
