"""What a user has told W&B, as W&B itself reads it: settings files, variables and the API key.

    python -m galaxytune.tracking.wandb_settings

prints what `report` returns, as one line of JSON.

A user's setting counts if it says where runs go, who sends them, how they travel, or what is noted
beside them: the names in `USERS`. Everything else that W&B could read is ignored, because
galaxytune decides it: id, name, group, mode, folder and sweep of a run, and how a run is resumed.
A variable that is set to the empty text counts as not set.
"""

import configparser
import json
import netrc
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pydantic
from wandb.errors import AuthenticationError, UsageError  # noqa: TID251  W&B itself reads here
from wandb.sdk.lib import wbauth  # noqa: TID251
from wandb.sdk.wandb_settings import Settings  # noqa: TID251

from galaxytune.tracking.wandb_words import YES
from trainables.files import one_line

# The names of settings in `wandb.Settings`, by what they are about.
_WHERE = {"entity", "organization", "project", "base_url", "app_url_override"}
_WHO = {"api_key", "identity_token_file", "credentials_file", "email", "username", "host"}
_HOW = {"http_proxy", "https_proxy", "insecure_disable_ssl", "init_timeout", "login_timeout"} | {
    name
    for name in Settings.model_fields
    if name.startswith(("x_graphql_", "x_file_stream_", "x_file_transfer_"))
    or name in ("x_service_wait", "x_extra_http_headers", "x_proxies")
}
_BESIDE = {"run_notes", "run_tags", "run_job_type"}
USERS = frozenset(_WHERE | _WHO | _HOW | _BESIDE)

_SECRET = {"api_key", "http_proxy", "https_proxy", "x_proxies", "x_extra_http_headers"}
_OFF_SWITCH = "disabled"  # older versions of W&B wrote this key to a settings file
_SECTION = "default"
_REFUSED_IN_ADDRESSES = "/\\#?%: "  # W&B refuses them in a project's name


class _Told(NamedTuple):
    """A setting as the user wrote it: its name in `wandb.Settings`, its text, and where."""

    name: str
    text: Any
    where: str


@dataclass
class UsersSettings:
    """The settings of the user.

    mode: `online`, `offline` or `disabled`; None if the user has not said a mode. values: the
    valid settings of `USERS`, by name. mode_problems, problems: a sentence for each wrong word
    about the mode, and for each other wrong setting.
    """

    mode: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    mode_problems: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_users_settings(environment: Mapping[str, str]) -> UsersSettings:
    """Return the user's settings from W&B's settings files and from the variables of W&B.

    A variable comes before the settings file `wandb/settings` in the current folder, and this file
    before the settings file in the user's configuration folder.
    """
    found = UsersSettings()
    for told in [*_in_files(environment, found), *_in_variables(environment)]:
        if told.name == _OFF_SWITCH:
            found.mode = "disabled" if told.text.strip().lower() in YES else found.mode
        elif told.name == "mode":
            found.mode = _mode(told, found.mode_problems)
        elif told.name in USERS:
            _take(told, found)
    return found


def _mode(told: _Told, problems: list[str]) -> str | None:
    """Return the mode that a word of W&B stands for; None, with a problem, for another word."""
    try:
        settings = Settings(mode=str(told.text).strip().lower())  # type: ignore[arg-type]
    except pydantic.ValidationError as error:
        problems.append(_refusal(told, error))
        return None
    if settings._noop:
        return "disabled"
    return "offline" if settings._offline else "online"


def _take(told: _Told, found: UsersSettings) -> None:
    """Add a setting to `found`: its value if W&B accepts it, and else a problem."""
    try:
        value = getattr(Settings(**{told.name: told.text}), told.name)
    except (pydantic.ValidationError, UsageError) as error:
        found.problems.append(_refusal(told, error))
        return
    if told.name == "entity" and set(_REFUSED_IN_ADDRESSES) & set(value):
        signs = " ".join(_REFUSED_IN_ADDRESSES.strip())
        found.problems.append(f"{_shown(told)} must hold no space and none of the signs {signs}")
    elif told.name == "init_timeout" and value <= 0:
        found.problems.append(f"{_shown(told)} must be a number of seconds above 0")
    else:
        found.values[told.name] = value


def _refusal(told: _Told, error: Exception) -> str:
    """Return in one sentence that W&B refuses a setting, and why."""
    if isinstance(error, pydantic.ValidationError):
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
    else:
        why = one_line(error).removeprefix("UsageError: ")
    return f"{_shown(told)} is refused by W&B: {why}"


def _shown(told: _Told) -> str:
    """Return a setting for a message, such as `WANDB_MODE='foo'`; a secret without its text."""
    if told.name in _SECRET:
        return told.where
    text = ",".join(told.text) if isinstance(told.text, list) else told.text
    return f"{told.where}={text!r}"


def _in_variables(environment: Mapping[str, str]) -> Iterator[_Told]:
    """Yield the settings that the variables of W&B set, under W&B's own name of each."""
    for variable, text in sorted(environment.items()):
        if not variable.startswith("WANDB_") or not text.strip():
            continue
        empty = SimpleNamespace(**dict.fromkeys(Settings.model_fields))
        Settings.update_from_env_vars(empty, {variable: text})  # type: ignore[arg-type]
        for name, value in vars(empty).items():
            if value is not None:
                yield _Told(name, value, variable)


def _in_files(environment: Mapping[str, str], found: UsersSettings) -> Iterator[_Told]:
    """Yield the settings in W&B's two settings files; a file that cannot be read is a problem.

    The problem is one of the mode, because the file may hold the mode.
    """
    own = environment.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    for path in (Path(own).expanduser() / "settings", Path(Settings().settings_workspace)):
        try:
            for name, text in _settings_in(path).items():
                yield _Told(name, text, f"{path}: {name}")
        except UnicodeDecodeError as error:
            what = f"W&B's settings file {path} is not text in {error.encoding}"
            found.mode_problems.append(f"{what}; save it as UTF-8, or remove it")
        except (OSError, configparser.Error) as error:
            what = f"W&B's settings file {path} cannot be read: {one_line(error)}"
            found.mode_problems.append(what)


def _settings_in(path: Path) -> dict[str, str]:
    """Return the settings in a settings file by name; {} if there is no such file."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return dict(parser.items(_SECTION)) if parser.has_section(_SECTION) else {}


def key_problem(host: str, settings: UsersSettings) -> str | None:
    """Return why this user cannot log in to a W&B server, in one sentence; None for no reason.

    host: the server's URL, which W&B accepts. The key's form is checked, but the server is not
    asked.
    """
    key, token = os.environ.get("WANDB_API_KEY"), os.environ.get("WANDB_IDENTITY_TOKEN_FILE")
    if key and token:
        return "WANDB_API_KEY and WANDB_IDENTITY_TOKEN_FILE are both set; W&B takes only one"
    if token:
        return None if Path(token).is_file() else f"WANDB_IDENTITY_TOKEN_FILE: no file {token!r}"
    if key:
        wrong = wbauth.check_api_key(key)
        return wrong and f"WANDB_API_KEY is refused by W&B: {wrong}"
    unreadable = _netrc_problem()
    try:
        has_key = unreadable is None and wbauth.read_netrc_auth(host=host) is not None
    except AuthenticationError as error:
        return f"the key in the netrc file is refused by W&B: {error}"
    if has_key or settings.values.get("api_key"):
        return None
    return unreadable or f"there is no API key for {host}"


def _netrc_problem() -> str | None:
    """Return why the netrc file cannot be read, in one sentence; None if it can, or is missing."""
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        netrc.netrc(path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return f"{path} is not text in UTF-8, so that no API key can be read from it"
    except (OSError, netrc.NetrcParseError) as error:
        return f"{path} cannot be read: {one_line(error)}"
    return None


def report() -> dict[str, Any]:
    """Return what the driver asks: `mode`, `mode_problems`, `problems`, `host`, `key_problem`.

    host: the URL of the server, as the user wrote it. key_problem: what `key_problem` returns; the
    sentence about a wrong URL if the URL is wrong.
    """
    settings = read_users_settings(os.environ)
    default = str(Settings().base_url)
    host = str(settings.values.get("base_url") or default)
    return {
        "mode": settings.mode,
        "mode_problems": settings.mode_problems,
        "problems": settings.problems,
        "host": os.environ.get("WANDB_BASE_URL") or host,
        "key_problem": key_problem(host, settings),
    }


if __name__ == "__main__":
    print(json.dumps(report()))
