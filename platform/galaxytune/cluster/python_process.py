"""The start of Python processes such that no file in the user's folder hides a module.

A file such as `random.py` or `wandb.py` in the current folder would be imported in place of the
module of that name, if the current folder stood on the path of a process.
"""

import os
import sys
from collections import Counter
from pathlib import Path

_VARIABLE = "PYTHONPATH"


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module without the current folder on the path of imports."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environment() -> dict[str, str]:
    """Return this process's environment with the PYTHONPATH of `absolute_python_path`."""
    environment = {k: v for k, v in os.environ.items() if k != _VARIABLE}
    path = absolute_python_path()
    return environment | {_VARIABLE: path} if path else environment


def absolute_python_path() -> str:
    """Return the value of PYTHONPATH without relative entries; empty if no entry is left.

    Relative entries, such as `.` and the empty text, stand for the current folder or a folder in
    it. The folders of `own_folders` are added.
    """
    given = os.environ.get(_VARIABLE, "").split(os.pathsep)
    kept = [entry for entry in given if os.path.isabs(entry)]
    return os.pathsep.join([*kept, *(f for f in own_folders() if f not in kept)])


def own_folders() -> list[str]:
    """Return the folders of galaxytune's packages that a new process would not find by itself.

    Such a folder is found only because it is the current folder, or because a relative entry of
    PYTHONPATH names it. The list is empty if galaxytune is installed: sys.path then has the folder
    once more, or at another place.
    """
    import galaxytune
    import search_spaces  # not above: `move_current_folder_last` comes before all such imports

    relative, counts = _relative_folders(), Counter(map(os.path.abspath, sys.path))
    found_elsewhere = {f for f, count in counts.items() if f not in relative or count > 1}
    roots = {str(Path(str(p.__file__)).parents[1]) for p in (galaxytune, search_spaces)}
    return sorted(roots - found_elsewhere)


def move_current_folder_last() -> None:
    """Move the current folder, and relative entries of PYTHONPATH, to the end of sys.path.

    The command line calls this function first. Modules of Python and of installed packages are
    then found first, and galaxytune is still found if it lies in the current folder.
    """
    last = _relative_folders()
    kept = [entry for entry in sys.path if os.path.abspath(entry) not in last]
    moved = [entry for entry in sys.path if os.path.abspath(entry) in last]
    sys.path[:] = [*kept, *moved]


def _relative_folders() -> set[str]:
    """Return the current folder, and the folders of relative entries of PYTHONPATH.

    A folder that PYTHONPATH also names by its absolute path is left out, because the user has
    named the folder on purpose.
    """
    given = os.environ.get(_VARIABLE, "").split(os.pathsep)
    named = {os.path.abspath(entry) for entry in given if os.path.isabs(entry)}
    try:
        return {
            os.path.abspath(entry) for entry in ["", *given] if not os.path.isabs(entry)
        } - named
    except FileNotFoundError:  # the current folder was deleted
        return set()
