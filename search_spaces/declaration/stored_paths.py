"""Paths in a config: absolute, because each trial runs in another folder."""

from pathlib import Path

from search_spaces.declaration.errors import InvalidInput


def absolute_path(path: str, field: str) -> str:
    """Return a path as an absolute path; a `~` at the beginning stands for the home directory.

    field: the name of the config's field, for the message. A relative path would lead elsewhere
    from the folder of a trial. The path need not exist. InvalidInput is raised if the path begins
    with `~NAME` and there is no user NAME.
    """
    try:
        return str(Path(path).expanduser().resolve())
    except RuntimeError as error:
        raise InvalidInput(f"{field}: {path!r} has no home folder ({error})") from None


def absolute_folder(folder: str | None) -> str | None:
    """Return the path of an export in the field `begin_from` as an absolute path; None unchanged.

    InvalidInput is raised if the path begins with `~NAME` and there is no user NAME.
    """
    return None if folder is None else absolute_path(folder, "begin_from")
