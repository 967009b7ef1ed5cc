"""A trial in a worker of Ray Tune: its task, its stored run, and packs of trials."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
