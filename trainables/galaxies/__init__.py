"""Galaxies and their votes: galaxy files, images, splits, and the batches that networks read."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
