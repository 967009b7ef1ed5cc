"""Successive halving: the rungs, and the grace period before the first rung."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
