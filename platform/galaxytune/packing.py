"""How many trials a study trains as one, architecture by architecture: asked for, or measured."""

import json
from pathlib import Path
from typing import Any

from galaxytune.ledger import Ledger
from galaxytune.study_plan import StudyPlan
from galaxytune.training_checks import probe_on_cluster, probe_request
from search_spaces import config_class
from trainables.files import write_atomically

_FEWEST_TRIALS = 4  # of an architecture; fewer are done before a measurement has paid


def pack_sizes(ledger: Ledger) -> dict[str, int]:
    """The largest pack of each architecture; 1, or none named, means that trials run alone.

    `auto` is measured once a study, with a trial's share of the connected cluster, and kept in
    packing.json with what was seen. Whoever resumes the study reads it there.
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
    return [name for name in plan.architectures if config_class(name).STACKS]


def _not_worth_measuring(plan: StudyPlan) -> str | None:
    """Why packs cannot pay or the measurement would not; None where it is to be done."""
    if not plan.gpus_per_trial:
        return "trials have no GPU, and on a CPU packs were not seen to pay"
    if not _stackable(plan):
        return "no network of the plan can be trained several as one"
    if plan.trials < _FEWEST_TRIALS * len(plan.architectures):
        return f"fewer than {_FEWEST_TRIALS} trials of an architecture"
    return None


def _measured(plan: StudyPlan, name: str) -> dict[str, Any]:
    request = probe_request(plan.published_config(name), plan, Path(plan.data))
    answer = probe_on_cluster(request, plan, module="galaxytune.packing_probe")
    if "failure" in answer:
        sentence = f"packs could not be measured ({answer['failure']}); trials run each alone"
        return {"size": 1, **answer, "sentence": sentence}
    return answer


def _write(file: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=2) + "\n"
    write_atomically(file, lambda path: path.write_text(text))
