"""The commands around studies and single runs: options in, a study or a table out."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from analysis.findings import write_findings
from analysis.leaderboard import (
    best_trial,
    leaderboard_rows,
    pareto_front,
    published_trial,
    ranked,
)
from analysis.noise_floor import noise_floor
from galaxytune.plan_checks import check_networks
from galaxytune.ray_cluster import ClusterAddress, ray_connection, trials_at_once
from galaxytune.search import check_data_unchanged, new_study, run_study
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import StoredPlan, StudyPlan, write_plan
from galaxytune.terminal import say
from search_spaces import config_class
from search_spaces.declaration.frozen_config import build, parse_settings
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.architectures import check_network
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.split import SplitName


def single_config(
    architecture: str, settings: Sequence[str], epochs: int | None, *, as_published: bool
) -> TrainingProtocol:
    """The default config of an architecture, or the published one, with some values changed."""
    cls = config_class(architecture)
    values = dict(cls.PUBLISHED) if as_published else {}
    values |= {**parse_settings(settings), "architecture": architecture}
    if epochs is not None:
        values["epochs"] = epochs
    config = build(cls, values)
    check_network(config)
    return config


def train_and_report(
    config: TrainingProtocol,
    data: Path,
    out: Path,
    *,
    split: str,
    num_galaxies: int | None,
) -> None:
    """Train one config, a line an epoch on standard error."""
    from galaxytune.single_run import train_single

    def tell(report: Mapping[str, float]) -> None:
        say(
            f"epoch {report['epoch']:.0f}/{config.epochs}  training RMSE "
            f"{report['train_rmse']:.4f}  validation RMSE {report['val_rmse']:.4f}"
        )

    if split not in ("hash", "seed"):
        raise ValueError(f"--split is hash or seed, not {split!r}")
    metrics = train_single(
        config,
        data,
        out,
        split=cast(SplitName, split),
        num_galaxies=num_galaxies,
        on_epoch=tell,
    )
    low, high = metrics["validation"]["rmse_interval_95"]
    say(
        f"best epoch {metrics['best_epoch']}: validation RMSE "
        f"{metrics['validation']['rmse']:.4f} (95 % {low:.4f} to {high:.4f}) -> {out}"
    )


def search_and_report(plan: StudyPlan, storage: Path, where: ClusterAddress) -> None:
    """Make a study, run it and say what it found."""
    open_galaxies(Path(plan.data))  # the cheap checks, before Ray is asked for
    with ray_connection(where):
        trials_at_once(plan.cpus_per_trial, plan.gpus_per_trial)  # an impossible plan is no study
        folder = new_study(plan, storage)
        say(
            f"study {plan.name}: {plan.trials} trials of up to {plan.longest_epochs} epochs "
            f"-> {folder.path}"
        )
        run_study(folder)
    _say_outcome(folder)
    _hasten_exit()


def resume_and_report(
    folder: StudyFolder, where: ClusterAddress, options: Mapping[str, float | None]
) -> None:
    """Run what is left of a study and say what it found.

    `options` may change what of a machine each trial gets, for a study can move to another one,
    and its budget: one that a budget ended goes on with a larger one.
    """
    check_data_unchanged(folder)
    changed = {name: value for name, value in options.items() if value is not None}
    if changed:
        if folder.state() == "running":
            raise ValueError(f"study {folder.name!r} is being run by another process")
        if folder.plan.grid and "trials" in changed:
            raise ValueError("a grid decides the number of its trials itself")
        write_plan(build(StoredPlan, folder.plan.model_dump() | changed), folder.plan_file)
        folder.ended_file.unlink(missing_ok=True)
    check_networks(folder.plan)
    if folder.ended is not None:
        say(f"study {folder.name} was ended by its budget ({folder.ended}); raise that to go on")
    done, asked = len(folder.records()), folder.plan.trials
    say(f"study {folder.name}: {done} of {asked} trials have ended, {asked - done} are left")
    run_study(folder, where)
    _say_outcome(folder)
    _hasten_exit()


def _say_outcome(folder: StudyFolder) -> None:
    curves = {name: folder.curve(name) for name in folder.trial_ids_with_curve()}
    found = write_findings(folder.name, folder.records(), curves, folder.report)
    for line in [*outcome_lines(folder), *found]:
        say(line)


def _hasten_exit() -> None:
    """Spare the process Python's last search for garbage: 1.5 s of torch's and Ray's objects."""
    gc.freeze()


def outcome_lines(folder: StudyFolder) -> list[str]:
    """What a study found: the best trial, and what a search gained over the published config."""
    records = folder.records()
    if not any(record.status == "complete" for record in records):
        raise RuntimeError(f"no trial was completed; the last one: {records[-1].reason}")
    best, published = best_trial(records), published_trial(records)
    lines = [f"best: trial {best.id}, {best.architecture}, validation RMSE {best.val_rmse:.4f}"]
    if folder.plan.grid:  # all its values were given, so there was no search to gain anything
        return lines
    if published is not None and published.val_rmse and best.val_rmse:
        gain = 1 - best.val_rmse / published.val_rmse
        lines.append(
            "the published config itself is the best"
            if published.id == best.id
            else f"published {published.architecture}: {published.val_rmse:.4f}; "
            f"the search gained {100 * gain:.1f} % on the validation part"
        )
    return lines


def leaderboard_of(studies: Sequence[StudyFolder]) -> dict[str, Any]:
    """The leaderboard of one study, or of several together ranked as one."""
    if len(studies) == 1:
        rows = leaderboard_rows(studies[0].name, studies[0].records())
        return {"study": studies[0].name, "trials": rows}
    owner = {}
    for study in studies:
        for record in study.records():
            owner[id(record)] = (study.name, record)
    front = {id(record) for record in pareto_front(r for _, r in owner.values())}
    rows = []
    for rank, record in enumerate(ranked(r for _, r in owner.values()), start=1):
        (row,) = leaderboard_rows(owner[id(record)][0], [record])
        rows.append({**row, "rank": row["rank"] and rank, "pareto": id(record) in front})
    return {"study": ", ".join(study.name for study in studies), "trials": rows}


def noise_floor_line(studies: Sequence[StudyFolder]) -> str:
    """The noise floor of the studies' data, or a note where a data file is gone."""
    floors = []
    for data in sorted({study.plan.data for study in studies}):
        try:
            galaxies = open_galaxies(Path(data))
        except ValueError:
            return "noise floor unknown: the data file is not here"
        floors.append(f"{noise_floor(galaxies.target, galaxies.num_votes):.4f}")
    return f"noise floor of the votes: {', '.join(floors)}"
