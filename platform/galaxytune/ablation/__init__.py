"""The ablation of a study: its path, what a model predicts for it, and what was trained."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
