"""The number of trials of each architecture that train as one pack: as planned, or measured."""

import json
from pathlib import Path
from typing import Any

from galaxytune.cluster import PACKING_PROBE, probe_on_cluster, probe_request
from galaxytune.driver.ledger import Ledger
from galaxytune.plan import StudyPlan
from trainables.files import write_atomically

_FEWEST_TRIALS = 4  # for an architecture; with fewer, a measurement takes longer than packs save


def pack_sizes(ledger: Ledger) -> dict[str, int]:
    """Return the number of trials in the largest pack of each architecture, by name.

    A size of 1, or a missing name, means that the trials are trained one by one; with `pack: off`
    the mapping is {}. With `pack: auto` the sizes are measured once for each study, with a trial's
    share of the connected cluster, which can take minutes. The observers of the ledger are told
    each result. The file packing.json in the study's folder then keeps the sizes and the
    measurements, also those that failed, and every later call reads the sizes from the file.

    Nothing is measured, and the mapping is {}, if trials have no GPU, if no network can be trained
    in packs, or if the plan has fewer than 4 trials per architecture. OSError is raised if
    packing.json cannot be written.
    """
    plan, file = ledger.plan, ledger.folder.packing_file
    if plan.pack == "off":
        return {}
    if plan.pack != "auto":
        return {name: plan.pack for name in plan.architectures}
    if not file.exists():
        reason = _not_worth_measuring(plan)
        found = {name: _measured(plan, name) for name in ([] if reason else _stackable(plan))}
        _write(file, {"not_measured": reason, "architectures": found})
        for name, choice in found.items():
            ledger.note(f"{name}: {choice['sentence']}")
    chosen = json.loads(file.read_text())["architectures"]
    return {name: choice["size"] for name, choice in chosen.items()}


def _stackable(plan: StudyPlan) -> list[str]:
    """Return the names of the plan's architectures whose networks can be trained in packs."""
    return [name for name, space in plan.spaces.items() if space.config_class.STACKS]


def _not_worth_measuring(plan: StudyPlan) -> str | None:
    """Return why packs are not measured, in words; None if they are to be measured."""
    if not plan.gpus_per_trial:
        return "trials have no GPU, and on a CPU packs were not faster when measured"
    if not _stackable(plan):
        return "no network of the plan can be trained several as one"
    if plan.trials < _FEWEST_TRIALS * len(plan.architectures):
        return f"fewer than {_FEWEST_TRIALS} trials of an architecture"
    return None


def _measured(plan: StudyPlan, name: str) -> dict[str, Any]:
    """Return the measurement of packs of the architecture `name`'s published config.

    The keys are those that `galaxytune.cluster.packing_probe.measure` returns, among them `size`
    and `sentence`. If the measurement fails, `size` is 1 and the key `failure` holds the reason.
    """
    request = probe_request(plan.spaces[name].published, plan, Path(plan.data))
    answer = probe_on_cluster(request, plan, module=PACKING_PROBE)
    if "failure" in answer:
        sentence = f"packs could not be measured ({answer['failure']}); trials run each alone"
        return {"size": 1, **answer, "sentence": sentence}
    return answer


def _write(file: Path, values: dict[str, Any]) -> None:
    """Write values to a file as indented JSON; the file is replaced in one step.

    OSError is raised if the file cannot be written.
    """
    text = json.dumps(values, indent=2) + "\n"
    write_atomically(file, lambda path: path.write_text(text))
