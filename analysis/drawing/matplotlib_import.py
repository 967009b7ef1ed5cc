"""The import of matplotlib where the user's backend or settings file would prevent the import.

Figures are only written to files, so that no backend and no setting of the user matters. But
matplotlib itself cannot be imported if MPLBACKEND names a backend that is not known here, as a
Jupyter kernel's MPLBACKEND does in another environment, or if its settings file is not UTF-8.
"""

import importlib.util
import locale
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# ValueError: an unknown backend, or a settings file in another encoding. OSError: a settings file
# that cannot be read. locale.Error: a settings file that asks for a locale that is not known.
_REFUSALS = (ValueError, OSError, locale.Error)
_VARIABLES = ("MPLBACKEND", "MATPLOTLIBRC")


def import_matplotlib() -> None:
    """Import matplotlib; if the user's settings prevent it, import it with its own settings.

    If the user's settings do not prevent the import, they stay in force for the user's own
    figures. ImportError is raised if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401, TID251
    except _REFUSALS:
        for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # parts that the failed import has left
        with _settings_of_matplotlib():
            import matplotlib  # noqa: F401, TID251


@contextmanager
def _settings_of_matplotlib() -> Iterator[None]:
    """Hide the user's settings of matplotlib while the block runs.

    The current folder of the process is changed, because matplotlib takes a settings file in the
    current folder first: the block runs in the folder that holds matplotlib's own settings file.
    """
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None  # the first import has found it
    hidden = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    here = os.open(".", os.O_RDONLY)
    os.chdir(Path(found.origin).parent / "mpl-data")
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        os.environ.update(hidden)
