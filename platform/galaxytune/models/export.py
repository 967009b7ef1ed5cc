"""The export folder: a config, its weights, its metrics, and their origin."""

import json
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from analysis.records import TrialRecord, best_trial, published_trial
from analysis.statistics import noise_floor, rmse_interval
from galaxytune.models.hub_description import keep_description
from galaxytune.models.model_card import model_card
from galaxytune.models.output_folders import check_export_folder
from galaxytune.models.portable_model import (
    PORTABLE_FILES,
    PortableFile,
    checked_formats,
    portable_files,
)
from galaxytune.models.trained_network import (
    held_out_galaxies,
    network_with_weights,
    trained_network,
)
from galaxytune.models.view_metrics import view_metrics
from galaxytune.plan import package_versions
from galaxytune.study import StudyFolder, check_data_unchanged
from search_spaces.declaration import (
    InvalidInput,
    TrainingProtocol,
    config_from_values,
    read_yaml,
    to_yaml,
)
from trainables.backbones import CONFIG, MODEL, use_description
from trainables.device import training_device
from trainables.files import load_weights, save_weights, write_atomically, write_if_allowed
from trainables.galaxies import Galaxies, open_galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import evaluate, mean_vector_rmse, predict_by_one_and_eight

METRICS, PROVENANCE, CARD = "metrics.json", "provenance.json", "README.md"
_TEST_METRICS = "test_metrics.json"
_NUM_CHECKED = 32  # validation galaxies by which a portable file is checked


@dataclass(frozen=True)
class Export:
    """An export folder that was loaded and is ready to predict.

    config: the config of the network.
    network: the network with its weights, in evaluation mode. The network is on the CPU until
        `predict_images` or `explain_image` moves it to a GPU.
    metrics: the content of `metrics.json`; {} if the file is missing.
    provenance: the content of `provenance.json`; see `provenance_of` and `write_export`.
    crop, side: in pixels; images are cut to their central `crop` pixels and reduced to `side`
        pixels, like the images of the training.
    """

    config: TrainingProtocol
    network: GalaxyNetwork
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    crop: int
    side: int


def write_json(path: Path, values: Any) -> None:
    """Write values to `path` as indented JSON; the file is replaced in one step.

    values: what `json.dumps` takes. The folder is made if it does not exist. OSError is raised if
    the file cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(_indented(values)))


def _indented(values: Any) -> str:
    """Return values as indented JSON with a line break at the end."""
    return json.dumps(values, indent=2) + "\n"


def split_metrics(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> dict[str, Any]:
    """Return all metrics of predictions [N, 37] against votes [N, 37], by name.

    predicted, voted: vote fractions in 0..1; N is at least 1. The metrics are `num_galaxies`,
    `rmse`, its 95 % bootstrap interval over galaxies `rmse_interval_95` as a list [low, high],
    `mean_vector_rmse`, the RMSE of predicting the mean of `voted` for every galaxy,
    `tree_residual`, the mean over galaxies and questions, and the RMSE of each question, `rmse_q1`
    to `rmse_q11`.
    """
    return {
        "num_galaxies": len(voted),
        "rmse_interval_95": list(rmse_interval(predicted, voted)),
        "mean_vector_rmse": mean_vector_rmse(voted),
        **evaluate(predicted, voted),
    }


def git_commit() -> str | None:
    """Return the commit of the git checkout in which this file lies, as 40 hexadecimal digits.

    None is returned if git does not know this file, for example because galaxytune is installed
    inside the checkout of another project, and if git is not installed.
    """
    known = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return known and _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    """Return what git prints in the folder of this file; None if git fails or is not installed."""
    here = Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def write_export(
    out: Path,
    config: TrainingProtocol,
    weights: dict[str, Tensor],
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Mapping[str, PortableFile] = MappingProxyType({}),
) -> None:
    """Write the files of an export folder; the folder is made if it does not exist.

    config: the config that was trained. weights: the network's tensors, by name. metrics: the
    content of metrics.json, with the key `validation` and perhaps `test`, each as `split_metrics`
    returns. provenance: what `provenance_of` returns; provenance.json also gets the key
    `largest_difference_by_file`. portable: what `portable_files` returned; these files are written
    too.

    Each file is replaced in one step. Older portable files in the folder are deleted first,
    because these files would hold another network; config.yaml is written last. OSError is raised
    if a file cannot be written; the files before it are then new, and the others old.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in PORTABLE_FILES.values():
        (out / name).unlink(missing_ok=True)
    save_weights(out / MODEL, weights)
    keep_description(out, config)
    for name, file in portable.items():
        write_atomically(out / name, partial(Path.write_bytes, data=file.content))
    write_json(out / METRICS, metrics)
    differences = {name: file.largest_difference for name, file in portable.items()}
    write_json(out / PROVENANCE, provenance | {"largest_difference_by_file": differences})
    card, config_text = model_card(config, metrics, provenance, portable), to_yaml(config)
    write_atomically(out / CARD, lambda temporary: temporary.write_text(card))
    write_atomically(out / CONFIG, lambda temporary: temporary.write_text(config_text))


def provenance_of(
    data_fingerprint: str,
    galaxies: Galaxies,
    *,
    study: str | None = None,
    trial: str | None = None,
) -> dict[str, Any]:
    """Return the origin of a model as plain values, for `provenance.json`.

    data_fingerprint: what `fingerprint` returns for the galaxy file. galaxies: the galaxies in
    that file. study, trial: name of the study and id of the trial; None for a single training run.

    The keys are `study`, `trial`, `data_fingerprint`, `versions` (see `package_versions`),
    `git_commit` (see `git_commit`), and `preprocessing` with `crop` and `side` in pixels and
    `resize`.
    """
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


def export_best(
    folder: StudyFolder, out: Path, *, formats: str | Collection[str] = ()
) -> TrialRecord:
    """Write the best complete trial of a study as an export folder; return the trial's record.

    out: the folder to write, which is made if it does not exist. formats: the name or the names of
    formats in which the model is written too, see `ModelFormat`. The validation galaxies are
    predicted by 1 view and by 8 views, see `view_metrics`. The predictions and the metrics for the
    test galaxies are computed once, by 1 view, and kept in the study's folder.

    InvalidInput is raised, before anything is predicted, if `out` cannot be written or holds other
    files than an export, a format is unknown, no trial is complete, the weights were not kept or
    are damaged, or the data has changed. WorkFailed is raised if the model cannot be written in
    one of the formats, or if memory does not hold a prediction. In both cases `out` stays as it
    was. OSError is raised if a file cannot be written; see `write_export`.
    """
    check_export_folder(out)
    wanted = checked_formats(formats)
    records = folder.records()
    best = best_trial(records)
    plan = folder.plan
    check_data_unchanged(folder)
    galaxies = open_galaxies(Path(plan.data))
    validation = folder.split_rows().validation
    network = trained_network(folder, best)
    voted = galaxies.target[validation]
    once, averaged = predict_by_one_and_eight(
        network, galaxies.images, training_device(), validation
    )
    published = published_trial(records)
    metrics = {
        "validation": split_metrics(once, voted) | view_metrics(once, averaged, voted),
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
    checked = np.asarray(galaxies.images[validation[:_NUM_CHECKED]])
    portable = portable_files(network, wanted, checked, crop=galaxies.crop)
    write_export(out, best.config, network.state_dict(), metrics, provenance, portable)
    return best


def _test_metrics(
    folder: StudyFolder, record: TrialRecord, galaxies: Galaxies
) -> dict[str, Any] | None:
    """Return a trial's test metrics, as `split_metrics` names them; None without test galaxies.

    The metrics are read from test_metrics.json in the study's report folder, or computed and
    written there if this user may write there. InvalidInput is raised if the metrics, the
    predictions and the weights are all missing.
    """
    if len(folder.split_rows().test) == 0:
        return None
    path = folder.report / _TEST_METRICS
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if record.id not in kept:
        tested = held_out_galaxies(folder, record, galaxies)
        kept[record.id] = split_metrics(tested.predicted, tested.voted)
        write_if_allowed(path, lambda new: new.write_text(_indented(kept)))
    metrics: dict[str, Any] = kept[record.id]
    return metrics


def load_export(folder: Path) -> Export:
    """Return the content of an export folder, with the network on the CPU in evaluation mode.

    InvalidInput is raised if config.yaml, model.safetensors or provenance.json is missing, if one
    of the files is damaged, or if the weights do not fit the config. Building the network changes
    torch's global random state.
    """
    missing = [n for n in (CONFIG, MODEL, PROVENANCE) if not (folder / n).is_file()]
    if missing:
        raise InvalidInput(f"{folder} is no export folder: it lacks {', '.join(missing)}")
    config = config_from_values(read_yaml(folder / CONFIG))
    provenance = _read_json(folder / PROVENANCE)
    try:
        preprocessing = provenance["preprocessing"]
        crop, side = int(preprocessing["crop"]), int(preprocessing["side"])
    except (ValueError, KeyError, TypeError):
        raise InvalidInput(f"{folder / PROVENANCE} does not say how images were cropped") from None
    metrics = _read_json(folder / METRICS) if (folder / METRICS).is_file() else {}
    use_description(folder, config.architecture)
    network = network_with_weights(config, load_weights(folder / MODEL))
    return Export(config, network, metrics, provenance, crop, side)


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; InvalidInput if the file is missing or holds no object."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} must hold a JSON object, it holds {type(values).__name__}")
    return values
