"""Atomic writing, JSON lines and checkpoints that survive a crash; errors of damaged files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
