"""Observers of a study: progress displays, Weights & Biases, optuna-dashboard."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
