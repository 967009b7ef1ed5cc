"""Simulated galaxies and volunteers' votes: latents, images, and answers along the tree."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
