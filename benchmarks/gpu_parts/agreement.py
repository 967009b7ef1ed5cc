"""A comparison of results: GPU with processor, and bfloat16 with float32.

The same config, seed and galaxies are trained on both devices in float32 without TF32, without
dropout, because each device draws dropout from a generator of its own. The tolerance is on the
validation RMSE after the last epoch: 0.0005, a tenth of what seeds differ by on 2,000 galaxies.
"""

import math
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.gpu_parts.setting import Rows, Setting, or_failure
from benchmarks.precision import final_rmse
from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies, Split, open_galaxies, split_galaxies
from trainables.training import EpochReport, TrainingRun

TOLERANCE = 5e-4  # on the validation RMSE, in vote fractions
EPOCHS = 2
SEEDS = 4
NETWORKS: dict[str, dict[str, Any]] = {
    "simple_cnn": {},
    "parallel_cnn": {"width": 0.25, "convolution_dropout": 0.0, "dense_dropout": 0.0},
    "vision_transformer": {"depth": 4, "attention_dropout": 0.0, "dense_dropout": 0.0},
}


def measure(setting: Setting) -> Rows:
    """Yield the precisions' difference over the seeds, then a row for each network."""
    galaxies = open_galaxies(setting.data)
    yield from or_failure(_precisions(galaxies, setting), compared="precisions")
    split = split_galaxies(galaxies, "hash", min(len(galaxies), 100 if setting.is_tiny else 1000))
    for name, values in list(NETWORKS.items())[: 1 if setting.is_tiny else None]:
        small = {"width": 0.1, "batch_size": 32} if setting.is_tiny else {}
        config = {
            "architecture": name,
            "epochs": EPOCHS,
            "precision": "float32",
            **values,
            **small,
        }
        yield from or_failure(_devices(config, galaxies, split, setting), network=name)


def _devices(config: dict[str, Any], galaxies: Galaxies, split: Split, setting: Setting) -> Rows:
    """Yield how far the device's last epoch is from the processor's, with and without TF32."""
    expected = _last_epoch(config, galaxies, split, torch.device("cpu"))
    for allowed in (False, True) if setting.is_gpu else (False,):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
        found = _last_epoch(config, galaxies, split, setting.device)
        difference = found.val_rmse - expected.val_rmse
        yield {
            "network": config["architecture"],
            "tf32": allowed,
            "val_rmse_on_processor": expected.val_rmse,
            "difference_of_val_rmse": difference,
            "relative_difference_of_train_loss": found.train_loss / expected.train_loss - 1,
            "tolerance": TOLERANCE,
            "agrees": abs(difference) <= TOLERANCE,
        }


def _last_epoch(
    config: dict[str, Any], galaxies: Galaxies, split: Split, device: torch.device
) -> EpochReport:
    run = TrainingRun(config_from_values(config), galaxies, split, device)
    for _ in range(EPOCHS):
        report = run.run_epoch()
    return report


def _precisions(galaxies: Galaxies, setting: Setting) -> Rows:
    """Yield the best validation RMSE in both precisions by seed, and the mean difference."""
    num_seeds, epochs, num = (2, 1, 100) if setting.is_tiny else (SEEDS, 12, 2500)
    split = split_galaxies(galaxies, "hash", min(len(galaxies), num))
    small = {"width": 0.1, "batch_size": 32} if setting.is_tiny else {}
    differences = []
    for seed in range(num_seeds):
        values = {"architecture": "simple_cnn", "epochs": epochs, "seed": seed, **small}
        found = {
            precision: final_rmse(
                {**values, "precision": precision}, galaxies, split, setting.device
            )[0]
            for precision in ("float32", "bfloat16")
        }
        differences.append(found["bfloat16"] - found["float32"])
        yield {"seed": seed, **found}
    error = stdev(differences) / math.sqrt(num_seeds)
    yield {"bfloat16_less_float32": mean(differences), "standard_error": error, "seeds": num_seeds}
