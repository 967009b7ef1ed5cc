"""Learning curves by formula, for tests of the replay; no figure is ever reported of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record_curves import write
from benchmarks.replay.search_plan import random_configs, search_plan, searched

EPOCHS = 27


def synthetic_rmse(config: dict[str, Any], chance: np.random.Generator) -> np.ndarray:
    """Return a noisy curve [27] that falls faster at higher rates, lower at middling ones."""
    rate = math.log10(config["learning_rate"])
    coefficient = config.get("constraint_coefficient") or np.mean(
        [v for k, v in config.items() if k.startswith("constraint_coefficients")] or 1e-3
    )
    if rate > -2.05 and config["batch_size"] == 32:
        return np.full(EPOCHS, np.nan)
    lowest = 0.12 + 0.01 * (rate + 2.8) ** 2 + 0.02 * config["dropout"] ** 2
    lowest += 0.02 * max(0.0, math.log10(coefficient) + 2.5)
    lowest += 0.004 * (config["schedule"] == "constant") + 0.02 * (config["head"] == "sigmoid")
    speed = 10 ** (0.6 * (rate + 3)) * (128 / config["batch_size"]) ** 0.3
    epochs = np.arange(1, EPOCHS + 1)
    noise = chance.normal(0, 0.003) + chance.normal(0, 0.002, EPOCHS)
    return lowest + 0.25 * np.exp(-speed * epochs / 6) + noise


def write_synthetic_curves(path: Path, num_configs: int) -> Path:
    """Write a recording as record_curves.py does; return its path."""
    chance = np.random.default_rng(0)
    plan = search_plan("simple_cnn", trials=num_configs, epochs=EPOCHS)
    rows: list[dict[str, Any]] = []
    for number, config in enumerate(random_configs(plan, seed=0)):
        values = searched(config)
        chosen = {f"config.{name}": _plain(value) for name, value in values.items()}
        for epoch, rmse in enumerate(synthetic_rmse(values, chance), start=1):
            failed = {"failure": "diverged"} if math.isnan(rmse) else {}
            report = {"val_rmse": None if failed else rmse, "cpu_seconds": 1.0}
            rows.append({"trial": number, "epoch": epoch, **chosen, **report, **failed})
    write(path, rows, {"architecture": "simple_cnn", "epochs": EPOCHS})
    return path


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
