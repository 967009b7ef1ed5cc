"""The W&B mode that a user has asked for, and the checks of W&B before any work.

W&B itself reads the user's settings, in a process of its own: the import takes more than half a
second, and changes the process. No such process is started if W&B is disabled.
"""

import importlib.util
import json
import os
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from galaxytune.cluster import python_command, python_environment
from galaxytune.plan import WandbMode
from search_spaces.declaration import InvalidInput

_PLAIN: dict[str, WandbMode] = {"online": "online", "offline": "offline", "disabled": "disabled"}
YES, _NO = ("1", "true", "yes", "on", "y"), ("", "0", "false", "no", "off", "n")
_KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
_NOT_INSTALLED = "the package wandb is not installed, and W&B runs need it; install it, or add"
_READER = "galaxytune.tracking.wandb_settings"


class WandbAnswer(NamedTuple):
    """The settings that W&B reads on this machine (see `wandb_settings.report`)."""

    mode: WandbMode | None
    mode_problems: list[str]
    problems: list[str]
    host: str
    key_problem: str | None


def is_switched_off(environment: Mapping[str, str]) -> bool:
    """Return whether WANDB_DISABLED says that W&B is not to be used.

    W&B itself no longer reads this variable, but other programs do. InvalidInput is raised for a
    word that means neither yes nor no.
    """
    word = environment.get("WANDB_DISABLED", "").strip().lower()
    if word not in (*YES, *_NO):
        raise InvalidInput(f"WANDB_DISABLED must be true or false, got {word!r}")
    return word in YES


def ask_wandb() -> WandbAnswer:
    """Return what W&B reads in the current folder; InvalidInput if W&B cannot be loaded."""
    asked = subprocess.run(
        python_command(_READER),
        env=python_environment(),
        capture_output=True,
        text=True,
        errors="replace",
    )
    if asked.returncode == 0:
        return WandbAnswer(**json.loads(asked.stdout.splitlines()[-1]))
    last = (asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"])[-1]
    raise InvalidInput(f"the package wandb cannot be used: {last}; repair it, or --wandb disabled")


def default_wandb_mode() -> WandbMode:
    """Return the mode that the user has told W&B; without one `online` if there is an API key.

    A user tells W&B a mode by WANDB_MODE, by WANDB_DISABLED, or by `wandb offline`, `wandb
    disabled` and the like, which write a settings file. Without a mode and a key the result is
    `offline`; if W&B is not installed, it is `disabled`.

    InvalidInput is raised for a word that W&B does not know, for an API key in a variable that W&B
    refuses, if a settings file cannot be read, or if WANDB_MODE asks for runs and W&B is not
    installed.
    """
    if is_switched_off(os.environ):
        return "disabled"
    word = os.environ.get("WANDB_MODE", "").strip().lower()
    if not is_installed():
        if word in ("", "disabled"):
            return "disabled"
        raise InvalidInput(f"WANDB_MODE is {word!r}, but {_NOT_INSTALLED} --wandb disabled")
    if word in _PLAIN:
        return _PLAIN[word]
    answer = ask_wandb()
    if answer.mode_problems:
        raise InvalidInput(f"{answer.mode_problems[0]} (or say --wandb offline|online|disabled)")
    if answer.mode is None and answer.key_problem and any(map(os.environ.get, _KEYS)):
        raise InvalidInput(f"{answer.key_problem}; correct it, or say --wandb offline")
    return answer.mode or ("online" if answer.key_problem is None else "offline")


def is_installed() -> bool:
    """Return whether the package wandb is installed."""
    return importlib.util.find_spec("wandb") is not None


def check_wandb(mode: WandbMode) -> None:
    """Raise InvalidInput if W&B would refuse the runs of a new study because of a wrong setting.

    mode: the plan's mode; nothing is checked with `disabled`. With `online` there must be an API
    key of the right form. The server is not asked.
    """
    if mode == "disabled":
        return
    if not is_installed():
        raise InvalidInput(f"{_NOT_INSTALLED} --wandb disabled")
    answer = ask_wandb()
    if answer.problems:
        raise InvalidInput(f"{answer.problems[0]}; correct it, or say --wandb disabled")
    if mode == "online" and answer.key_problem is not None:
        raise InvalidInput(
            f"W&B is to be online, but {answer.key_problem}; `wandb login` stores a key, and "
            "--wandb offline needs none"
        )
