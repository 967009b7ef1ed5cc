"""The command line: `galaxytune.cli:main` is what the command `galaxytune` runs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
