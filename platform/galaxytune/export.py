"""The export folder: a config, its weights, its metrics and where all that comes from."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from analysis.intervals import rmse_interval
from analysis.leaderboard import best_trial, published_trial
from analysis.noise_floor import noise_floor
from analysis.trial_record import TrialRecord
from galaxytune.model_card import model_card
from galaxytune.search import check_data_unchanged
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import package_versions
from galaxytune.trained_network import held_out_galaxies, network_with_weights, trained_network
from search_spaces import config_from_values
from search_spaces.declaration.frozen_config import read_yaml, to_yaml
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.checkpoint import load_weights, save_weights
from trainables.files import write_atomically
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.metrics import evaluate, mean_vector_rmse
from trainables.network import GalaxyNetwork
from trainables.prediction import predict
from trainables.training import training_device

CONFIG, MODEL, METRICS = "config.yaml", "model.safetensors", "metrics.json"
PROVENANCE, CARD = "provenance.json", "README.md"
_TEST_METRICS = "test_metrics.json"


@dataclass(frozen=True)
class Export:
    """What an export folder holds, ready to predict with.

    Images are cut to their central `crop` pixels and reduced to `side`, as for the training.
    """

    config: TrainingProtocol
    network: GalaxyNetwork
    crop: int
    side: int


def write_json(path: Path, values: Any) -> None:
    """Write values as indented JSON, whole or not at all."""
    text = json.dumps(values, indent=2) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))


def split_metrics(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> dict[str, Any]:
    """All metrics of predictions [N, 37], the RMSE with a 95 % bootstrap interval."""
    return {
        "num_galaxies": len(voted),
        "rmse_interval_95": list(rmse_interval(predicted, voted)),
        "mean_vector_rmse": mean_vector_rmse(voted),
        **evaluate(predicted, voted),
    }


def git_commit() -> str | None:
    """The commit of the source tree that runs, or None outside a git checkout."""
    here = Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return answer.stdout.strip() or None


def write_export(
    out: Path,
    config: TrainingProtocol,
    weights: dict[str, Tensor],
    metrics: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write the five files of an export folder."""
    out.mkdir(parents=True, exist_ok=True)
    save_weights(out / MODEL, weights)
    write_json(out / METRICS, metrics)
    write_json(out / PROVENANCE, provenance)
    card, config_text = model_card(config, metrics, provenance), to_yaml(config)
    write_atomically(out / CARD, lambda temporary: temporary.write_text(card))
    write_atomically(out / CONFIG, lambda temporary: temporary.write_text(config_text))


def provenance_of(
    data_fingerprint: str,
    galaxies: Galaxies,
    *,
    study: str | None = None,
    trial: str | None = None,
) -> dict[str, Any]:
    """Where a model comes from, in plain values."""
    return {
        "study": study,
        "trial": trial,
        "data_fingerprint": data_fingerprint,
        "versions": package_versions(),
        "git_commit": git_commit(),
        "preprocessing": {
            "crop": galaxies.crop,
            "side": galaxies.images.shape[1],
            "resize": "bicubic",
        },
    }


def export_best(folder: StudyFolder, out: Path) -> TrialRecord:
    """Export the best complete trial of a study; its test metrics are computed once and kept."""
    records = folder.records()
    best = best_trial(records)
    plan = folder.plan
    check_data_unchanged(folder)
    galaxies = open_galaxies(Path(plan.data))
    validation = folder.split_rows().validation
    network = trained_network(folder, best)
    predicted = predict(network, galaxies.images, training_device(), validation)
    published = published_trial(records)
    metrics = {
        "validation": split_metrics(predicted, galaxies.target[validation]),
        "test": _test_metrics(folder, best, galaxies),
        "noise_floor": noise_floor(galaxies.target, galaxies.num_votes),
        "published_val_rmse": None if published is None else published.val_rmse,
        "best_epoch": best.best_epoch,
    }
    provenance = provenance_of(
        plan.provenance.data_fingerprint,
        galaxies,
        study=plan.name,
        trial=best.id,
    )
    write_export(out, config_from_values(best.config), network.state_dict(), metrics, provenance)
    return best


def _test_metrics(
    folder: StudyFolder, record: TrialRecord, galaxies: Galaxies
) -> dict[str, Any] | None:
    """The trial's test metrics, None where the test part is empty; kept in the study's report."""
    if len(folder.split_rows().test) == 0:
        return None
    path = folder.report / _TEST_METRICS
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if record.id not in kept:
        tested = held_out_galaxies(folder, record, galaxies)
        kept[record.id] = split_metrics(tested.predicted, tested.voted)
        write_json(path, kept)
    metrics: dict[str, Any] = kept[record.id]
    return metrics


def load_export(folder: Path) -> Export:
    """Load an export folder; ValueError in one line if it is not one or not whole."""
    missing = [n for n in (CONFIG, MODEL, PROVENANCE) if not (folder / n).is_file()]
    if missing:
        raise ValueError(f"{folder} is no export folder: it lacks {', '.join(missing)}")
    config = config_from_values(read_yaml(folder / CONFIG))
    try:
        preprocessing = json.loads((folder / PROVENANCE).read_text())["preprocessing"]
        crop, side = int(preprocessing["crop"]), int(preprocessing["side"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder / PROVENANCE} does not say how images were cropped") from None
    network = network_with_weights(config, load_weights(folder / MODEL))
    return Export(config, network, crop, side)
