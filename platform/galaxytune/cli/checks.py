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
    PlanFile,
    Storage,
    whole_path,
)
from galaxytune.cli.plan_options import plan_from_options
from galaxytune.cli.terminal import print_json, say, show_table
from search_spaces.declaration import InvalidInput, WorkFailed
from trainables.files import counted

if TYPE_CHECKING:
    from galaxytune.cluster import ClusterAddress
    from galaxytune.doctor import Diagnosis
    from galaxytune.plan import StudyPlan


# Checks of the cluster whose finding is the line with which a search refuses the plan.
_REFUSALS = ("Ray", "resources")


def register(app: typer.Typer) -> None:
    """Add the command `doctor` to the command line `app`."""
    app.command()(doctor)


def doctor(
    plan: PlanFile = None,
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
    _raise_failures(show_diagnosis(study_plan, storage, where, data=data, as_json=as_json))


def show_diagnosis(
    plan: "StudyPlan | None",
    storage: Path,
    where: "ClusterAddress",
    *,
    data: Path | None = None,
    as_json: bool = False,
) -> "Diagnosis":
    """Print all checks of the doctor and the estimated cost, and return the diagnosis.

    plan: None checks what any search needs. storage: the folder of the studies. where: the Ray
    cluster. data: a galaxy file to check, used only without a plan. as_json: print one JSON
    document instead of a table.

    The steps, and without `as_json` the estimate, are printed on standard error. If a network of
    the plan is not available, InvalidInput is raised before any check.
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
    return diagnosis


def dry_run(plan: "StudyPlan", storage: Path, where: "ClusterAddress") -> None:
    """Print what the doctor says about a search, and refuse the search as it would be refused.

    The arguments are those of `show_diagnosis`. After everything is printed, InvalidInput is
    raised with the line of `search` if `search` refuses the plan, or else WorkFailed if a check
    has failed.
    """
    from galaxytune.api import check_search

    diagnosis = show_diagnosis(plan, storage, where)
    if diagnosis.failed:
        check_search(plan, storage)
    for check in diagnosis.failed:
        if check.name in _REFUSALS:
            raise InvalidInput(check.found)
    _raise_failures(diagnosis)


def _raise_failures(diagnosis: "Diagnosis") -> None:
    """Raise WorkFailed with the names of the failed checks, if a check has failed."""
    if diagnosis.failed:
        names = ", ".join(check.name for check in diagnosis.failed)
        raise WorkFailed(f"{counted(len(diagnosis.failed), 'check')} failed: {names}")
