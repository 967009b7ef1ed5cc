"""The commands that train configs of a study again: confirm and ablate."""

from typing import Annotated

import typer

from galaxytune.cli.options import (
    STUDIES,
    Address,
    AsJson,
    LocalCpus,
    LocalGpus,
    MovedData,
    Storage,
)
from galaxytune.cli.studies import opened_study
from galaxytune.cli.terminal import print_json, say, show_table


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line `app`."""
    for command in (confirm, ablate):
        app.command()(command)


def confirm(
    name: str,
    seeds: Annotated[int, typer.Option(min=1, help="Fresh seeds for each config.")] = 5,
    top: Annotated[int, typer.Option(min=1, help="Number of the best configs to train.")] = 3,
    as_json: AsJson = False,
    data: MovedData = None,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
) -> None:
    """Train a study's best configs again with fresh seeds, to see if the winner stays the best.

    NAME is the study. The trainings are a study of their own, NAME-confirm-SEEDS.
    """
    from galaxytune.cli.tables import confirmation_table
    from galaxytune.cluster import ClusterAddress
    from galaxytune.tracking import SearchProgress

    confirmed = opened_study(storage, name).confirm(
        num_seeds=seeds,
        num_best=top,
        data=data,
        cluster=ClusterAddress(address, local_cpus, local_gpus),
        observers=[SearchProgress()],
    )
    if as_json:
        print_json(confirmed.as_values())
    else:
        show_table(confirmation_table(confirmed))
        say(confirmed.verdict)


def ablate(
    name: str,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each config.")] = 1,
    as_json: AsJson = False,
    data: MovedData = None,
    address: Address = None,
    local_cpus: LocalCpus = None,
    local_gpus: LocalGpus = None,
    storage: Storage = STUDIES,
) -> None:
    """Train each config on the path from the published to the best config: what gave how much.

    NAME is the study. The trainings are a study of their own, NAME-ablate-TRIAL-SEEDS. The same
    command goes on after an interruption, and `report` shows the path.
    """
    from galaxytune import api
    from galaxytune.cli.tables import ablation_table
    from galaxytune.cluster import ClusterAddress
    from galaxytune.tracking import SearchProgress

    found = api.ablate_in(
        opened_study(storage, name).folder,
        seeds,
        data=data,
        cluster=ClusterAddress(address, local_cpus, local_gpus),
        observers=[SearchProgress()],
    )
    if as_json:
        print_json(found.as_values())
    else:
        show_table(ablation_table(found))
        for sentence in found.sentences():
            say(sentence)
