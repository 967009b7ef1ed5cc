"""Compare what a shipped plan finds with the published simple CNN, on the same real galaxies.

    python benchmarks/best_small.py galaxies.npz [--plan plans/best_small.yaml] [--seeds 2]
        [--refit] [--images kaggle_sample_400] [--out best_small]

The steps, each of which goes on where it was stopped:

1. The published simple CNN is trained by its published protocol for 40 epochs, with three seeds.
2. The plan is searched by `galaxytune search`, and the hours of the search are told.
3. The best trial and the ensemble that the validation galaxies choose are exported; with `--refit`
   also the ensemble whose members were trained again on training and validation galaxies. The
   refitted ensemble is compared with the published network trained on the same galaxies.
4. `galaxytune confirm` trains the members' configs again with further seeds.
5. All are compared on the test galaxies, which chose nothing: the ratio of the RMSEs with a paired
   95 % interval over the galaxies, by 1 and by 8 views.
6. The exported ensemble predicts the images of `--images`, a folder or zip, if given.

Further options are those of `galaxytune search`, such as `--trials 4`.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import galaxytune
from analysis.records import ranked
from benchmarks.kept_trainings import (
    Training,
    kept_predictions,
    machine_line,
    numbers,
    ratio_of_rmses,
    run_or_tell,
)
from search_spaces.declaration import config_class, config_from_values
from trainables.galaxies import open_galaxies, split_galaxies

_PUBLISHED_EPOCHS = 40
_FILE = "found.json"


def published(
    arguments: argparse.Namespace, *, with_validation: bool = False
) -> list[NDArray[np.float32]]:
    """Return what the published simple CNN predicts for the test galaxies, [T, 37] for each seed.

    One view is predicted, as published. with_validation: True to train on the validation galaxies
    too.
    """
    more = ", validation galaxies too" if with_validation else ""
    values = {
        **config_class("simple_cnn").PUBLISHED,
        "architecture": "simple_cnn",
        "epochs": arguments.published_epochs,
        "precision": "float32",
        **arguments.published_values,
    }
    trainings = [
        Training(
            f"published simple_cnn, {values['epochs']} epochs, seed {seed}{more}",
            config_from_values({**values, "seed": seed}),
            arguments.data,
            with_validation=with_validation,
        )
        for seed in arguments.published_seeds
    ]
    folder = arguments.out / "published"
    return [kept_predictions(training, folder, part="test")[0] for training in trainings]


def galaxytune_command(*words: str | Path) -> None:
    """Run the command line in a process of its own, as a user does; end with its exit code."""
    done = subprocess.run([sys.executable, "-m", "galaxytune", *map(str, words)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def searched(arguments: argparse.Namespace, found: dict[str, Any]) -> galaxytune.Study:
    """Return the study of the plan, searched to its end; the hours are added to `found`."""
    storage, name = arguments.out / "studies", arguments.plan.stem
    started = time.perf_counter()
    if (storage / name / "plan.yaml").exists():
        study = galaxytune.open_study(name, storage=storage)
        if study.status().state not in ("complete", "ended"):
            galaxytune_command("resume", name, "--storage", storage)
    else:
        given = ["--data", arguments.data, "--name", name, "--storage", storage]
        galaxytune_command("search", arguments.plan, *given, *arguments.more)
    found["search_hours"] = found.get("search_hours", 0) + (time.perf_counter() - started) / 3600
    return galaxytune.open_study(name, storage=storage)


def exported(
    study: galaxytune.Study, arguments: argparse.Namespace, found: dict[str, Any]
) -> dict[str, Path]:
    """Return the export folders by name: best, ensemble and perhaps refitted; write what lacks."""
    names = ["best", "ensemble", *(["refitted"] if arguments.refit else [])]
    folders = {name: arguments.out / name for name in names}
    for name, folder in folders.items():
        if not (folder / "metrics.json").exists():
            started = time.perf_counter()
            more = [] if name == "best" else ["--ensemble", "auto"]
            more += ["--refit", "--refit-rows", "not_test"] if name == "refitted" else []
            storage = arguments.out / "studies"
            galaxytune_command("export", study.name, folder, "--storage", storage, *more)
            found[f"export_{name}_hours"] = (time.perf_counter() - started) / 3600
    return folders


def test_predictions(
    model: galaxytune.Model, pixels: NDArray[np.uint8]
) -> dict[int, NDArray[np.float64]]:
    """Return what a model predicts for the pixels of the test galaxies, by number of views."""
    return {n: model.predict(pixels, views=n).to_numpy()[:, 1:].astype(float) for n in (1, 8)}


def confirmed(
    study: galaxytune.Study,
    folder: Path,
    arguments: argparse.Namespace,
    pixels: NDArray[np.uint8],
) -> dict[int, NDArray[np.float64]]:
    """Return the test predictions [S, T, 37] of the ensemble's configs with S further seeds.

    The keys are the numbers of views. folder: the export of the ensemble. Each member's config is
    trained again with each seed, and the members keep their weights.
    """
    from galaxytune.models.trained_network import trained_network
    from trainables.device import training_device
    from trainables.training import predict_by_one_and_eight

    members = json.loads((folder / "ensemble.json").read_text())["members"]
    records = {record.id: record for record in study.records()}
    complete = [record.id for record in ranked(records.values()) if record.status == "complete"]
    last = max(complete.index(member["trial"]) for member in members)
    study.confirm(num_seeds=arguments.seeds, num_best=last + 1)
    name = f"{study.name}-confirm-{arguments.seeds}"
    again = galaxytune.open_study(name, storage=arguments.out / "studies")
    picks = np.array([member["picks"] for member in members], dtype=float)
    sums: dict[int, list[NDArray[np.float64]]] = {1: [], 8: []}
    seeds = sorted({record.config.seed for record in again.records()})
    for seed in seeds:
        one, eight = [], []
        for member in members:
            wanted = records[member["trial"]].config_without("seed")
            (record,) = [
                r
                for r in again.records()
                if r.config.seed == seed and r.config_without("seed") == wanted
            ]
            network = trained_network(again.folder, record)
            views = predict_by_one_and_eight(network, pixels, training_device())
            one.append(views[0].astype(float))
            eight.append(views[1].astype(float))
        sums[1].append(np.average(one, axis=0, weights=picks))
        sums[8].append(np.average(eight, axis=0, weights=picks))
    return {n: np.stack(predicted) for n, predicted in sums.items()}


def compared(
    found: Sequence[NDArray[np.floating]],
    base: Sequence[NDArray[np.floating]],
    voted: NDArray[np.floating],
) -> dict[str, Any]:
    """Return the ratio of two RMSEs with its paired 95 % interval over the galaxies.

    found, base: predictions [T, 37] for each seed; the squared errors of a galaxy are averaged
    over the seeds first. voted: the vote fractions [T, 37].
    """
    mine, other = (
        np.mean([((p - voted) ** 2).mean(axis=1) for p in side], axis=0) for side in (found, base)
    )
    ratio, low, high = ratio_of_rmses(mine, other)
    return {
        "rmse": float(np.sqrt(mine.mean())),
        "published": float(np.sqrt(other.mean())),
        "ratio": ratio,
        "interval_95": [low, high],
    }


def compare(arguments: argparse.Namespace) -> None:
    """Do all steps, and print the table."""
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    told = arguments.out / _FILE
    found: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {}
    print(machine_line(), flush=True)
    study = searched(arguments, found)
    folders = exported(study, arguments, found)
    told.write_text(json.dumps(found, indent=2))
    base = published(arguments)
    base_with = published(arguments, with_validation=True) if arguments.refit else base
    galaxies = open_galaxies(arguments.data)
    rows = split_galaxies(galaxies, "hash").test
    voted, pixels = galaxies.target[rows].astype(float), np.asarray(galaxies.images[rows])
    rows_of_table: dict[str, Mapping[str, Any]] = {}
    for name, folder in folders.items():
        for views, predicted in test_predictions(galaxytune.load_model(folder), pixels).items():
            same_rows = base_with if name == "refitted" else base
            rows_of_table[f"{name}, {views} views"] = compared([predicted], same_rows, voted)
    if arguments.seeds:
        again = confirmed(study, folders["ensemble"], arguments, pixels)
        for views, all_seeds in again.items():
            name = f"ensemble of {len(all_seeds)} further seeds, {views} views"
            rows_of_table[name] = compared(list(all_seeds), base, voted)
    if arguments.images:
        table = galaxytune.load_model(folders["ensemble"]).predict(arguments.images)
        print(f"{len(table)} images of {arguments.images.name} predicted")
    print("| model | test RMSE | published | ratio | 95 % interval |\n|---|---|---|---|---|")
    for name, values in rows_of_table.items():
        low, high = values["interval_95"]
        print(
            f"| {name} | {values['rmse']:.4f} | {values['published']:.4f} "
            f"| {values['ratio']:.3f} | {low:.3f} to {high:.3f} |"
        )
    told.write_text(json.dumps({**found, "table": rows_of_table}, indent=2))
    print({key: value for key, value in found.items() if key.endswith("hours")})


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plans = Path(__file__).resolve().parents[1] / "plans"
    parser.add_argument("data", type=lambda text: Path(text).resolve())
    parser.add_argument("--plan", type=Path, default=plans / "best_small.yaml")
    parser.add_argument("--seeds", type=int, default=2, help="further seeds; 0 for none")
    parser.add_argument("--published-seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument("--refit", action="store_true", help="also compare the refitted ensemble")
    parser.add_argument("--images", type=Path, help="a folder or zip to predict")
    parser.add_argument("--out", type=Path, default=Path("best_small"))
    arguments, arguments_of_search = parser.parse_known_args()
    arguments.more = arguments_of_search
    arguments.published_epochs, arguments.published_values = _PUBLISHED_EPOCHS, {}
    run_or_tell(compare, arguments)


if __name__ == "__main__":
    main()
