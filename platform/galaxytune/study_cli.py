"""The commands around studies. Each reads its options and calls one function.

Nothing heavy is imported here: `galaxytune --help` must answer at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galaxytune.options import (
    STUDIES,
    Address,
    AsJson,
    AsPublished,
    LocalCpus,
    LocalGpus,
    MaxDeviceHours,
    MaxHours,
    PlateauTrials,
    Settings,
    SplitOption,
    Storage,
    TargetRmse,
)
from galaxytune.terminal import print_json, say, show_table

if TYPE_CHECKING:
    from galaxytune.study_folder import StudyFolder


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (search, resume, status, leaderboard, report, confirm, dashboard, doctor):
        app.command()(command)


def _study(storage: Path, name: str) -> "StudyFolder":
    from galaxytune.study_folder import open_study

    return open_study(storage, name)


def search(
    plan: Annotated[Path | None, typer.Argument(metavar="[PLAN.yaml]")] = None,
    architecture: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    data: Annotated[Path | None, typer.Option(help="Galaxy file (npz).")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials to run in all.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a whole trial.")] = None,
    settings: Settings = None,
    search_only: Annotated[
        list[str] | None, typer.Option(help="Search this alone; may be repeated.")
    ] = None,
    as_published: AsPublished = False,
    seed: Annotated[int | None, typer.Option()] = None,
    split: SplitOption = None,
    num_galaxies: Annotated[int | None, typer.Option()] = None,
    gpus_per_trial: Annotated[float | None, typer.Option(help="May be a fraction.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="May be a fraction.")] = None,
    halving: Annotated[bool | None, typer.Option(help="Pause all but the best trials.")] = None,
    grace_epochs: Annotated[int | None, typer.Option(help="Earliest epoch to pause at.")] = None,
    reduction_factor: Annotated[int | None, typer.Option(help="1/N goes on at a rung.")] = None,
    objective: Annotated[str | None, typer.Option(help="rmse or rmse_and_residual.")] = None,
    max_tree_residual: Annotated[float | None, typer.Option(help="Above: not feasible.")] = None,
    pack: Annotated[str | None, typer.Option(help="Trials as one: auto, off or N.")] = None,
    max_hours: MaxHours = None,
    max_device_hours: MaxDeviceHours = None,
    target_rmse: TargetRmse = None,
    plateau_trials: PlateauTrials = None,
    wandb: Annotated[str | None, typer.Option(help="offline, online or disabled.")] = None,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and estimate alone.")] = False,
    storage: Storage = STUDIES,
) -> None:
    """Search hyperparameters with Ray Tune and Optuna; options override the plan file."""
    from galaxytune.plan_options import plan_from_options
    from galaxytune.ray_cluster import ClusterAddress, local_ray_ahead

    asked = {
        "architectures": architecture or None,
        "data": None if data is None else str(data),
        "name": name,
        "trials": trials,
        "epochs": epochs,
        "search_only": search_only or None,
        "as_published": as_published or None,
        "seed": seed,
        "split": split,
        "num_galaxies": num_galaxies,
        "gpus_per_trial": gpus_per_trial,
        "cpus_per_trial": cpus_per_trial,
        "halving": halving,
        "grace_epochs": grace_epochs,
        "reduction_factor": reduction_factor,
        "objective": objective,
        "max_tree_residual": max_tree_residual,
        "max_hours": max_hours,
        "max_device_hours": max_device_hours,
        "target_rmse": target_rmse,
        "plateau_trials": plateau_trials,
        "pack": pack,
        "wandb": wandb,
    }
    study_plan = plan_from_options(plan, asked, settings or [])
    where = ClusterAddress(address, local_cpus, local_gpus)
    if dry_run:
        from galaxytune.doctor import doctor_and_report

        return doctor_and_report(study_plan, storage, where)
    with local_ray_ahead(where, Path(study_plan.data).is_file()):
        from galaxytune.search_commands import search_and_report

        search_and_report(study_plan, storage, where)


def resume(
    name: str,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    gpus_per_trial: Annotated[float | None, typer.Option(help="Change the trials' share.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="Change the trials' share.")] = None,
    trials: Annotated[int | None, typer.Option(help="Change how many trials in all.")] = None,
    max_hours: MaxHours = None,
    max_device_hours: MaxDeviceHours = None,
    target_rmse: TargetRmse = None,
    plateau_trials: PlateauTrials = None,
    storage: Storage = STUDIES,
) -> None:
    """Go on with a study whose driver was stopped or killed; finished trials are kept."""
    from galaxytune.ray_cluster import ClusterAddress, local_ray_ahead

    options = {
        "gpus_per_trial": gpus_per_trial,
        "cpus_per_trial": cpus_per_trial,
        "trials": trials,
        "max_hours": max_hours,
        "max_device_hours": max_device_hours,
        "target_rmse": target_rmse,
        "plateau_trials": plateau_trials,
    }
    where = ClusterAddress(address, local_cpus, local_gpus)
    with local_ray_ahead(where, (storage / name / "plan.yaml").is_file()):
        from galaxytune.search_commands import resume_and_report

        resume_and_report(_study(storage, name), where, options)


def status(
    name: str,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option(help="Refresh until the study ends.")] = False,
    storage: Storage = STUDIES,
) -> None:
    """Show where a study stands, trial by trial."""
    from galaxytune.tables import status_table, study_status, watch_status

    study = _study(storage, name)
    if as_json:
        print_json(study_status(study))
    elif watch:
        watch_status(study)
    else:
        show_table(status_table(study))


def leaderboard(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    as_json: AsJson = False,
    figure: Annotated[Path | None, typer.Option(help="Also write figures here.")] = None,
    storage: Storage = STUDIES,
) -> None:
    """List trials, best first; the noise floor stands below."""
    from galaxytune.search_commands import leaderboard_of, noise_floor_line
    from galaxytune.tables import leaderboard_table

    studies = [_study(storage, name) for name in names]
    board = leaderboard_of(studies)
    if as_json:
        print_json(board)
    else:
        show_table(leaderboard_table(board["study"], board["trials"], noise_floor_line(studies)))
    if figure is not None:
        from analysis.figures.leaderboard import save_leaderboard_figure

        records = [record for study in studies for record in study.records()]
        say(f"figure: {save_leaderboard_figure(board['study'], records, figure)}")


def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    out_dir: Path,
    images: Annotated[
        Path | None, typer.Option(help="Folder or zip of the survey's JPEGs, to show some.")
    ] = None,
    storage: Storage = STUDIES,
) -> None:
    """Write every figure and a self-contained report.html of one or more studies."""
    from galaxytune.report_command import report_studies

    page = report_studies([_study(storage, name) for name in names], out_dir, images)
    say(f"report: {page}")


def confirm(
    name: str,
    seeds: Annotated[int, typer.Option(min=1, help="Fresh seeds for each config.")] = 5,
    top: Annotated[int, typer.Option(min=1, help="How many of the best configs.")] = 3,
    as_json: AsJson = False,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
) -> None:
    """Train the best few configs again with fresh seeds: was the winner lucky?"""
    from galaxytune.confirmation import confirm_study, verdict
    from galaxytune.ray_cluster import ClusterAddress
    from galaxytune.tables import confirmation_table

    where = ClusterAddress(address, local_cpus, local_gpus)
    study = _study(storage, name)
    confirmed = confirm_study(study, num_seeds=seeds, num_best=top, where=where)
    if as_json:
        rows = [c.as_json() for c in confirmed]
        print_json({"study": name, "verdict": verdict(confirmed), "trials": rows})
    else:
        show_table(confirmation_table(name, [c.as_json() for c in confirmed]))
        say(verdict(confirmed))


def dashboard(
    name: str,
    port: Annotated[int, typer.Option(help="Of this machine.")] = 8080,
    storage: Storage = STUDIES,
) -> None:
    """Look at a study in optuna-dashboard, which cannot disturb a running search."""
    from galaxytune.dashboard import serve_dashboard

    serve_dashboard(_study(storage, name), port=port)


def doctor(
    plan: Annotated[Path | None, typer.Argument(metavar="[PLAN.yaml]")] = None,
    data: Annotated[Path | None, typer.Option(help="Galaxy file (npz).")] = None,
    as_json: AsJson = False,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
) -> None:
    """Check packages, nodes, storage, data, weights, W&B and a real batch of each network."""
    from galaxytune.doctor import doctor_and_report
    from galaxytune.plan_options import plan_from_options
    from galaxytune.ray_cluster import ClusterAddress

    asked = {"data": None if data is None else str(data), "name": "doctor"}
    study_plan = None if plan is None else plan_from_options(plan, asked, [])
    where = ClusterAddress(address, local_cpus, local_gpus)
    doctor_and_report(study_plan, storage, where, data=data, as_json=as_json)
