"""Functions that draw each figure as a matplotlib Figure in the project's style."""

from typing import Any

import lazy_loader

from analysis.drawing import import_matplotlib

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Return a function of this face; matplotlib is imported before the module that needs it."""
    import_matplotlib()
    return _load(name)
