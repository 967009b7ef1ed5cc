"""The driver of a study: it runs the trials in Ray Tune and records what the trials report.

The driver also trains the best configs of a finished study again, with new random seeds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
