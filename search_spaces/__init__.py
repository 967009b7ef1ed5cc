"""The search spaces: a module for each architecture or family, with a frozen class `Config`.

A module in this folder is found by its name. No list has to be edited.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
