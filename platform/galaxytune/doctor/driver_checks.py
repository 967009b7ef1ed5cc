"""The doctor's checks of the driver: packages, the study's name, the data, W&B and weights."""

import importlib.metadata
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from galaxytune.cluster import versions
from galaxytune.doctor.health_check import Check, HealthStatus
from galaxytune.plan import StudyPlan, WandbMode
from galaxytune.study import check_free_name
from galaxytune.tracking import ask_wandb
from search_spaces.declaration import InvalidInput, architecture_names, config_from_values
from trainables.architectures import check_network
from trainables.files import one_line
from trainables.galaxies import open_galaxies

_OURS = "galaxytune"
_REACH_SECONDS = 5


def supported_ranges() -> dict[str, SpecifierSet]:
    """Return the supported versions of Python and of the packages that galaxytune needs, by name.

    The ranges come from the installed metadata of galaxytune; the key of Python is `python`. If
    galaxytune is not installed, importlib.metadata.PackageNotFoundError is raised.
    """
    ranges = {"python": SpecifierSet(importlib.metadata.metadata(_OURS)["Requires-Python"])}
    for line in importlib.metadata.requires(_OURS) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            ranges[requirement.name] = requirement.specifier
    return ranges


def package_names() -> list[str]:
    """Return the names of galaxytune and of all packages that galaxytune needs, without Python."""
    return [_OURS, *(name for name in supported_ranges() if name != "python")]


def unsupported(found: dict[str, str | None]) -> list[str]:
    """Return one text for each package that is missing or outside its supported range.

    found: version of Python (key `python`) and of each package; None, or no key, for a missing
    package. The result is [] if all versions are supported.
    """
    wrong = []
    for name, allowed in supported_ranges().items():
        version = found.get(name)
        if version is None:
            wrong.append(f"{name} is missing ({allowed or 'any version'} is needed)")
        elif not allowed.contains(version, prereleases=True):
            wrong.append(f"{name} {version} is not {allowed}")
    return wrong


def package_check() -> Check:
    """Return the check that Python and the packages of this process have supported versions.

    The check is `ok` or `failed`.
    """
    found = versions(package_names())
    wrong = unsupported(found)
    if wrong:
        remedy = "install galaxytune again; in a clone of its repository: `make clean test`"
        return Check("packages", "failed", "; ".join(wrong), remedy)
    named = ", ".join(f"{n} {found[n]}" for n in ("python", _OURS, "torch", "ray", "optuna"))
    return Check("packages", "ok", f"{named} and {len(found) - 5} more, all in range")


def study_check(plan: StudyPlan, storage: Path) -> Check:
    """Return the check that a study with the plan's name can be made in the folder `storage`.

    The check fails if the study exists, because a search makes a new study, and for the other
    reasons of `check_free_name`.
    """
    if (storage / plan.name / "plan.yaml").exists():
        remedy = f"`galaxytune resume {plan.name}` continues it, or choose another --name"
        return Check("study", "failed", f"study {plan.name!r} exists in {storage}", remedy)
    try:
        check_free_name(storage, plan.name)
    except InvalidInput as error:
        found, _, remedy = str(error).rpartition("; ")
        return Check("study", "failed", found, remedy)
    return Check("study", "ok", f"{plan.name!r} is a free name")


def data_check(data: Path | None) -> Check:
    """Return the check that the data file can be opened and has the right form.

    The check is skipped if `data` is None. Damage within uncompressed images is not found.
    """
    if data is None:
        return Check("data", "skipped", "no plan and no --data; simulated galaxies are used")
    try:
        galaxies = open_galaxies(data)
    except InvalidInput as error:
        remedy = "see `galaxytune data check`; `galaxytune data build` or `simulate` makes a file"
        return Check("data", "failed", str(error), remedy)
    side, size = galaxies.images.shape[1], data.stat().st_size
    found = f"{data}: {len(galaxies)} galaxies of {side} pixels, {size:,} bytes"
    return Check("data", "ok", found)


def wandb_check(mode: WandbMode, storage: Path) -> Check:
    """Return the check of Weights & Biases.

    mode: with `online` the check fails if no API key is found or the server does not answer within
    5 s; with `offline` the check tells where runs are written; with both the check fails if W&B
    refuses a setting of the user. With `disabled` the check is skipped. storage: the folder of the
    studies, for the text.
    """
    if mode == "disabled":
        return Check("W&B", "skipped", "disabled: no runs are written")
    try:
        wandb = ask_wandb()
    except InvalidInput as error:
        return Check("W&B", "failed", str(error), "install wandb again, or --wandb disabled")
    if mode == "online" and wandb.key_problem is not None:
        remedy = "`wandb login` or WANDB_API_KEY; or --wandb offline, and `wandb sync` later"
        return Check("W&B", "failed", f"online, but {wandb.key_problem}", remedy)
    silence = _silence(wandb.host) if mode == "online" else None
    if silence is not None:
        remedy = "check the network, a proxy and WANDB_BASE_URL; or --wandb offline"
        return Check(
            "W&B", "failed", f"online, but {wandb.host} does not answer: {silence}", remedy
        )
    if wandb.problems:
        remedy = "correct this setting, or --wandb disabled"
        return Check("W&B", "failed", "; ".join(wandb.problems), remedy)
    if mode == "offline":
        return Check("W&B", "ok", f"offline: runs are kept in {storage}/NAME/wandb")
    return Check("W&B", "ok", f"online: there is an API key, and {wandb.host} answers")


def _silence(host: str) -> str | None:
    """Return why a server does not answer within 5 s; None if it answers."""
    try:
        head = urllib.request.Request(host, method="HEAD")
        urllib.request.urlopen(head, timeout=_REACH_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # an HTTP error is an answer, too
    except (OSError, ValueError, HTTPException) as error:
        return one_line(error)
    return None


def weight_checks(plan: StudyPlan | None) -> Iterator[Check]:
    """Yield the check that weights are available, for each network that can be pretrained.

    plan: the architectures of the plan with their published configs; None for all architectures
    that are not members of a family, with their defaults. Nothing is yielded for a network whose
    config has no field `weights` and no earlier export in `begin_from`; a network with the weights
    `none` passes. Weights of torchvision
    that are missing are downloaded. Weights that cannot be had are a failure with a plan, and a
    warning without a plan, because no search needs them then.
    """
    for name in architecture_names() if plan is None else plan.architectures:
        config = (
            config_from_values({"architecture": name})
            if plan is None
            else plan.spaces[name].published
        )
        weights = config.begin_from or config.model_dump().get("weights")
        if weights is None:
            continue
        try:
            check_network(config)
        except InvalidInput as error:
            status: HealthStatus = "warning" if plan is None else "failed"
            remedy = (
                "--set weights=FILE, or --set weights=none"
                if config.begin_from is None
                else "--set begin_from=FOLDER, the export of the same architecture"
            )
            yield Check(f"weights of {name}", status, one_line(error), remedy)
        else:
            found = (
                "no pretrained weights are asked for" if weights == "none" else f"{weights}: here"
            )
            yield Check(f"weights of {name}", "ok", found)
