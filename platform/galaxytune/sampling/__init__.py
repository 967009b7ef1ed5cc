"""The configs that a study tries: the queued configs, and the samplers that draw the others."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
