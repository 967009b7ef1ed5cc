"""The race of a search's best configs over further seeds: who takes part, and what comes next."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
