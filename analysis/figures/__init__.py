"""Functions that draw each figure as a matplotlib Figure in the project's style."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
