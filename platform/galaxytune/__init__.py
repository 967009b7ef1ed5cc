"""Search hyperparameters for networks that predict Galaxy Zoo vote fractions.

>>> import galaxytune
>>> data = galaxytune.simulate("galaxies.npz", num_galaxies=80)

`search` runs a study, `open_study` opens a study, and `rank` and `report` compare studies.
`train` trains a single config, which `make_config` makes, and `load_model` loads a model.
`write_submission` writes a model's predictions for Kaggle.
`simulate` writes simulated galaxies. `import galaxytune` does not load torch, Ray or Optuna: the
first use of a name that needs one of these packages loads the package.

The examples in the docstrings go on from one another. The examples of `simulate`, `make_config`,
`train`, `search` and `open_study` come first, in this order; the others need their files.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
