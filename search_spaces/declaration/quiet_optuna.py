"""Optuna's distributions, imported without a warning of tqdm about notebooks.

Optuna imports tqdm. In a notebook without ipywidgets tqdm warns that ipywidgets is missing.
The warning is hidden because galaxytune does not use tqdm.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

__all__ = [
    "BaseDistribution",
    "CategoricalDistribution",
    "FloatDistribution",
    "IntDistribution",
]
