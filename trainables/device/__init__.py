"""The device of a process: which device, its memory, its precision and its random state."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
