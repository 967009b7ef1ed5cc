"""The cache of this machine: unpacked images and the features of frozen backbones."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search_spaces.declaration import InvalidInput, given_path
from trainables.files import one_line


def cache_folder() -> Path:
    """Return the folder for unpacked images and cached features; the folder may not exist.

    The folder is $GALAXYTUNE_CACHE if the variable is set and not empty. Otherwise the folder is
    `galaxytune` in $XDG_CACHE_HOME, or in `~/.cache` if that variable is not set or empty.
    InvalidInput is raised if the user has no home folder, or if $GALAXYTUNE_CACHE is no path.
    """
    if named := os.environ.get("GALAXYTUNE_CACHE"):
        try:
            return given_path(named)
        except InvalidInput as error:
            raise InvalidInput(f"GALAXYTUNE_CACHE is wrong: {error}; {_REMEDY}") from None
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise InvalidInput(f"there is no cache ({one_line(error)}); {_REMEDY}") from None
    return Path(base) / "galaxytune"


_REMEDY = "set GALAXYTUNE_CACHE to a folder that you may write to and that has room"


@contextmanager
def writing_to_the_cache() -> Iterator[None]:
    """Raise InvalidInput if the block, which writes to the cache, raises OSError.

    The message names the cache and the variable that names another cache. The block must read no
    other file, because the error of that file would be told as an error of the cache.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise InvalidInput(
            f"the cache {cache_folder()} cannot be written ({reason}); {_REMEDY}"
        ) from None
