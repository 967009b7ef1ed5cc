"""The plan of a study: its keys, its checks, and the plan file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
