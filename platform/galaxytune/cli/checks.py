"""The command `doctor`, and the checks of `search --dry-run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galaxytune.cli.options import (
    STUDIES,
    Address,
    AsJson,
    LocalCpus,
    LocalGpus,
    Storage,
    whole_path,
)
from galaxytune.cli.plan_options import plan_from_options
from galaxytune.cli.terminal import print_json, say, show_table
from search_spaces.declaration import WorkFailed
from trainables.files import counted

if TYPE_CHECKING:
    from galaxytune.cluster import ClusterAddress
    from galaxytune.plan import StudyPlan


def register(app: typer.Typer) -> None:
    """Add the command `doctor` to the command line `app`."""
    app.command()(doctor)


def doctor(
    plan: Annotated[Path | None, typer.Argument(metavar="[PLAN.yaml]")] = None,
    data: Annotated[
        Path | None, typer.Option(callback=whole_path, help="Galaxy file (npz) to check.")
    ] = None,
    as_json: AsJson = False,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
) -> None:
    """Check packages, nodes, storage, data, weights, W&B and a real batch of each network.

    PLAN.yaml is the plan of a search. Without a plan, the checks cover what any search needs.
    """
    from galaxytune.cluster import ClusterAddress

    asked = {} if data is None else {"data": str(data)}
    study_plan = None if plan is None else plan_from_options(plan, asked, default_name="doctor")
    where = ClusterAddress(address, local_cpus, local_gpus)
    show_diagnosis(study_plan, storage, where, data=data, as_json=as_json)


def show_diagnosis(
    plan: "StudyPlan | None",
    storage: Path,
    where: "ClusterAddress",
    *,
    data: Path | None = None,
    as_json: bool = False,
) -> None:
    """Print all checks of the doctor and the estimated cost.

    plan: None checks what any search needs. storage: the folder of the studies. where: the Ray
    cluster. data: a galaxy file to check, used only without a plan. as_json: print one JSON
    document instead of a table.

    The steps, and without `as_json` the estimate, are printed on standard error. If a network of
    the plan is not available, InvalidInput is raised before any check. If a check has failed,
    WorkFailed is raised after everything is printed.
    """
    from galaxytune.cli.tables import checks_table
    from galaxytune.doctor import run_doctor
    from galaxytune.plan import check_networks

    if plan is not None:
        check_networks(plan)
    diagnosis = run_doctor(
        plan, storage, where, data=data, on_step=lambda step: say(f"doctor: {step}")
    )
    if as_json:
        print_json(diagnosis.as_values())
    else:
        show_table(checks_table(diagnosis.checks))
        for line in diagnosis.estimate.lines() if diagnosis.estimate else []:
            say(line)
    if diagnosis.failed:
        names = ", ".join(check.name for check in diagnosis.failed)
        raise WorkFailed(f"{counted(len(diagnosis.failed), 'check')} failed: {names}")
