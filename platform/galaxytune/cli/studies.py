"""The commands for studies: search, resume, status, leaderboard, report, dashboard."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from galaxytune.cli.options import (
    STUDIES,
    Address,
    AsJson,
    GivenPath,
    LocalCpus,
    LocalGpus,
    MovedData,
    PlanFile,
    Storage,
    StoredData,
    whole_path,
)
from galaxytune.cli.plan_options import plan_from_options, takes_plan_keys
from galaxytune.cli.terminal import print_json, say, show_table
from galaxytune.plan import CHANGEABLE, StudyPlan

if TYPE_CHECKING:
    from galaxytune.api import Study

Names = Annotated[list[str], typer.Argument(metavar="NAME...")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line `app`."""
    for command in (search, resume, status, leaderboard, report, dashboard):
        app.command()(command)


def opened_study(storage: Path, name: str) -> "Study":
    """Return the study `name` in the folder `storage`; InvalidInput if no such study exists."""
    from galaxytune import api

    return api.open_study(name, storage=storage)


@takes_plan_keys(StudyPlan.model_fields)
def search(
    plan: PlanFile = None,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything and estimate the cost; start no study."),
    ] = False,
    storage: Storage = STUDIES,
    *,
    changes: dict[str, Any],
) -> None:
    """Search hyperparameters with Ray Tune and Optuna; options override the plan file.

    PLAN.yaml is a plan file, which holds keys of the plan. Each key is also an option.
    """
    from galaxytune.cli import checks
    from galaxytune.cluster import ClusterAddress, local_ray_ahead
    from galaxytune.tracking import SearchProgress

    study_plan = plan_from_options(plan, changes)
    where = ClusterAddress(address, local_cpus, local_gpus)
    if dry_run:
        return checks.dry_run(study_plan, storage, where)
    with local_ray_ahead(where, Path(study_plan.data).is_file()):
        from galaxytune import api

        folder = storage.resolve() / study_plan.name
        trials = f"{study_plan.trials} trials of up to {study_plan.longest_epochs} epochs"
        headline = f"study {study_plan.name}: {trials} -> {folder}"
        progress = SearchProgress(headline)
        study = api.search(study_plan, storage=storage, cluster=where, observers=[progress])
        _say_outcome(study)


@takes_plan_keys(CHANGEABLE, default="as before")
def resume(
    name: str,
    data: StoredData = None,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
    *,
    changes: dict[str, Any],
) -> None:
    """Go on with a study that was stopped or killed; finished trials are kept.

    NAME is the study. The options below that have the default `as before` change keys of its plan.
    """
    from galaxytune.cluster import ClusterAddress, local_ray_ahead
    from galaxytune.tracking import SearchProgress

    where = ClusterAddress(address, local_cpus, local_gpus)
    with local_ray_ahead(where, (storage / name / "plan.yaml").is_file()):
        study = opened_study(storage, name)
        ended = None if changes else study.status().ended
        if ended is not None:
            say(f"study {name} was ended by its budget ({ended}); raise that to go on")
        done, asked = len(study.records()), changes.get("trials", study.plan.trials)
        left = "" if ended is not None else f", {asked - done} are left"
        headline = f"study {name}: {done} of {asked} trials have ended{left}"
        study.resume(data=data, cluster=where, observers=[SearchProgress(headline)], **changes)
        _say_outcome(study)


def _say_outcome(study: "Study") -> None:
    """Write the findings of a study that has ended, and print its outcome and its findings.

    The findings go to the study's report folder; see `Study.findings` for the errors. The text is
    printed on standard error. WorkFailed is raised if no trial is complete. At the end all objects
    are excluded from garbage collection, which makes the end of the process 1.5 s faster.
    """
    findings = study.findings()
    for line in [*study.outcome(), *findings]:
        say(line)
    gc.freeze()


def status(
    name: str,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option(help="Refresh until the study ends.")] = False,
    storage: Storage = STUDIES,
) -> None:
    """Show the state of a study, and of each trial that has reported an epoch.

    NAME is the study.
    """
    from galaxytune.cli.tables import status_table, watch_status

    study = opened_study(storage, name)
    if as_json:
        print_json(study.status().as_values())
    elif watch:
        watch_status(study.folder)
    else:
        show_table(status_table(study.folder))


def leaderboard(
    names: Names,
    as_json: AsJson = False,
    figure: Annotated[
        Path | None, typer.Option(callback=whole_path, help="Also write figures to this folder.")
    ] = None,
    storage: Storage = STUDIES,
) -> None:
    """List the trials of one or more studies, the best trial first, and the noise floor.

    NAME is a study; the trials of several studies are ranked together.
    """
    from galaxytune import api
    from galaxytune.cli.tables import leaderboard_table
    from galaxytune.study import noise_floor_line

    studies = [opened_study(storage, name) for name in names]
    board = api.rank(*studies)
    if as_json:
        print_json(board.as_values())
    else:
        folders = [study.folder for study in studies]
        show_table(leaderboard_table(board, noise_floor_line(folders)))
    if figure is not None:
        from analysis.figures import save_leaderboard_figure
        from trainables.files import writing_to_a_given_place

        records = [record for study in studies for record in study.records()]
        with writing_to_a_given_place():
            say(f"figure: {save_leaderboard_figure(board.study, records, figure)}")


def report(
    names: Names,
    out_dir: GivenPath,
    images: Annotated[
        Path | None,
        typer.Option(
            callback=whole_path,
            help="Folder or zip of the survey's JPEGs, of which some are shown.",
        ),
    ] = None,
    data: MovedData = None,
    storage: Storage = STUDIES,
) -> None:
    """Write every figure and a self-contained report.html of one or more studies.

    NAME is a study, and OUT_DIR is the folder to write.
    """
    from galaxytune import api

    studies = [opened_study(storage, name) for name in names]
    page = api.report(studies, out_dir, images=images, data=data, on_step=say_step)
    say(f"report: {page}")


def say_step(sentence: str) -> None:
    """Print a step of a report, or a note about the report, on standard error.

    sentence: the text that `report` gives to `on_step`; a note begins with `note: `.
    """
    say(sentence if sentence.startswith("note: ") else f"report: {sentence}")


def dashboard(
    name: str,
    port: Annotated[int, typer.Option(help="Port of this machine to serve on.")] = 8080,
    storage: Storage = STUDIES,
) -> None:
    """Serve a study as a web page of optuna-dashboard, which cannot disturb a running search.

    NAME is the study. The page can be opened on this machine only, until Ctrl-C ends the command.
    """
    from galaxytune.tracking import dashboard_server

    study = opened_study(storage, name)
    with dashboard_server(study.folder, port=port) as server:
        say(f"study {name}: http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("the dashboard is closed; the study was not touched")
