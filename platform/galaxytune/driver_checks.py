"""What the doctor can see from the driver alone: packages, the study's name, W&B, weights."""

import importlib.metadata
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from galaxytune.health_check import Check, Status
from galaxytune.node_tasks import versions
from galaxytune.study_plan import StudyPlan, WandbMode
from search_spaces import architecture_names, config_from_values
from trainables.architectures import check_network
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import open_galaxies

_OURS = "galaxytune"
_REACH_SECONDS = 5


def supported_ranges() -> dict[str, SpecifierSet]:
    """Python and the packages that galaxytune's own metadata asks for, with their ranges."""
    ranges = {"python": SpecifierSet(importlib.metadata.metadata(_OURS)["Requires-Python"])}
    for line in importlib.metadata.requires(_OURS) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            ranges[requirement.name] = requirement.specifier
    return ranges


def package_names() -> list[str]:
    """Ours and those it needs."""
    return [_OURS, *(name for name in supported_ranges() if name != "python")]


def unsupported(found: dict[str, str | None]) -> list[str]:
    """What is missing or outside its range among versions by package, in words."""
    wrong = []
    for name, allowed in supported_ranges().items():
        version = found.get(name)
        if version is None:
            wrong.append(f"{name} is missing ({allowed or 'any version'} is needed)")
        elif not allowed.contains(version, prereleases=True):
            wrong.append(f"{name} {version} is not {allowed}")
    return wrong


def package_check() -> Check:
    """Whether this process's Python and packages are those that galaxytune supports."""
    found = versions(package_names())
    wrong = unsupported(found)
    if wrong:
        remedy = "make the environment anew: `rm -rf .venv && make test`"
        return Check("packages", "failed", "; ".join(wrong), remedy)
    named = ", ".join(f"{n} {found[n]}" for n in ("python", _OURS, "torch", "ray", "optuna"))
    return Check("packages", "ok", f"{named} and {len(found) - 5} more, all in range")


def study_check(plan: StudyPlan, storage: Path) -> Check:
    """Whether the plan's name is free."""
    if (storage / plan.name / "plan.yaml").exists():
        remedy = f"`galaxytune resume {plan.name}` continues it, or choose another --name"
        return Check("study", "failed", f"study {plan.name!r} exists in {storage}", remedy)
    return Check("study", "ok", f"{plan.name!r} is a free name")


def data_check(data: Path | None) -> Check:
    """Whether the data file opens."""
    if data is None:
        return Check("data", "skipped", "no plan and no --data; simulated galaxies are used")
    try:
        galaxies = open_galaxies(data)
    except ValueError as error:
        remedy = "see `galaxytune data check`; `galaxytune data build` or `simulate` makes a file"
        return Check("data", "failed", str(error), remedy)
    side, size = galaxies.images.shape[1], data.stat().st_size
    found = f"{data}: {len(galaxies)} galaxies of {side} pixels, {size:,} bytes"
    return Check("data", "ok", found)


def _wandb_host() -> str:
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc().authenticators(urlsplit(_wandb_host()).hostname or "") is not None
    except (OSError, NetrcParseError):
        return False


def wandb_check(mode: WandbMode, storage: Path) -> Check:
    """Online: whether there is a key and the server answers. Offline: where runs are written."""
    if mode == "disabled":
        return Check("W&B", "skipped", "disabled: no runs are written")
    if mode == "offline":
        return Check("W&B", "ok", f"offline: runs are kept in {storage}/NAME/wandb")
    if not _has_wandb_key():
        remedy = "`wandb login` or WANDB_API_KEY; or --wandb offline, and `wandb sync` later"
        found = f"online, but there is no API key for {_wandb_host()}"
        return Check("W&B", "failed", found, remedy)
    try:
        head = urllib.request.Request(_wandb_host(), method="HEAD")
        urllib.request.urlopen(head, timeout=_REACH_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # it answered
    except (OSError, ValueError) as error:
        found = f"online, but {_wandb_host()} does not answer: {one_line(error)}"
        remedy = "check the network, a proxy and WANDB_BASE_URL; or --wandb offline"
        return Check("W&B", "failed", found, remedy)
    return Check("W&B", "ok", f"online: there is an API key, and {_wandb_host()} answers")


def weight_checks(plan: StudyPlan | None) -> Iterator[Check]:
    """For each network that wants pretrained weights: whether they are to be had.

    Without a plan nothing depends on them, and their lack is a warning.
    """
    for name in architecture_names() if plan is None else plan.architectures:
        config = (
            config_from_values({"architecture": name})
            if plan is None
            else plan.published_config(name)
        )
        weights = config.model_dump().get("weights")
        if weights is None:
            continue
        try:
            check_network(config)
        except ValueError as error:
            status: Status = "warning" if plan is None else "failed"
            remedy = "--set weights=FILE, or --set weights=none"
            yield Check(f"weights of {name}", status, one_line(error), remedy)
        else:
            yield Check(f"weights of {name}", "ok", f"{weights}: to be had")
