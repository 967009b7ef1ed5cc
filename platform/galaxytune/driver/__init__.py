"""The driver of a study: Ray Tune, the ledger, Optuna's journal, halving and packs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
