"""What W&B reads from a user's variables and settings files, and what of it counts."""

from pathlib import Path

import pytest

from galaxytune.tracking.wandb_settings import USERS, key_problem, read_users_settings

KEY = "0" * 40


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder and an empty current folder."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("online", "online"),
        ("run", "online"),
        ("shared", "online"),
        ("offline", "offline"),
        ("dryrun", "offline"),
        (" OFFLINE ", "offline"),
        ("Disabled", "disabled"),
        ("", None),
    ],
)
def test_each_word_of_wandb_has_a_mode(word: str, mode: str | None) -> None:
    assert read_users_settings({"WANDB_MODE": word}).mode == mode


def test_the_current_folder_comes_before_the_home_folder_and_a_variable_before_both(
    home: Path,
) -> None:
    for folder, mode in ((home / ".config/wandb", "disabled"), (Path("wandb"), "dryrun")):
        folder.mkdir(parents=True)
        (folder / "settings").write_text(f"[default]\nmode = {mode}\nentity = e-{mode}\n")
    assert read_users_settings({}).mode == "offline"
    assert read_users_settings({}).values["entity"] == "e-dryrun"
    assert read_users_settings({"WANDB_MODE": "online"}).mode == "online"
    assert read_users_settings({"WANDB_CONFIG_DIR": "nowhere"}).mode == "offline"


def test_settings_that_older_wandb_wrote_are_understood() -> None:
    Path("wandb").mkdir()
    Path("wandb/settings").write_text("[default]\ndisabled = true\nanonymous = never\nodd = 1\n")
    found = read_users_settings({})
    assert (found.mode, found.problems, found.mode_problems) == ("disabled", [], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[default]\nmode = offline # \xe9\n", "is not text in utf-8; save it as UTF-8"),
        (b"mode = offline\n", "cannot be read: File contains no section headers"),
        (b"[default]\nmode = aus\n", "settings: mode='aus' is refused by W&B: Input should be "),
    ],
)
def test_a_settings_file_that_cannot_be_understood_is_named(content: bytes, told: str) -> None:
    Path("wandb").mkdir()
    Path("wandb/settings").write_bytes(content)
    (problem,) = read_users_settings({}).mode_problems
    assert str(Path("wandb/settings").resolve()) in problem and told in problem


def test_what_a_run_is_does_not_come_from_the_user() -> None:
    taken = {
        "WANDB_RUN_ID": "a/b", "WANDB_SWEEP_ID": "s", "WANDB_SWEEP_PARAM_PATH": "p",
        "WANDB_NAME": "n", "WANDB_RUN_NAME": "n", "WANDB_RUN_GROUP": "g", "WANDB_RESUME": "x",
        "WANDB_FORK_FROM": "f", "WANDB_DIR": "/nowhere", "WANDB_LAUNCH": "true",
        "WANDB_SILENT": "perhaps", "WANDB__SKIP_TRANSACTION_LOG": "true",
    }  # fmt: skip
    found = read_users_settings(taken)
    assert (found.values, found.problems, found.mode_problems) == ({}, [], [])


def test_where_runs_go_and_what_is_noted_comes_from_the_user() -> None:
    found = read_users_settings(
        {
            "WANDB_PROJECT": "galaxies", "WANDB_ENTITY": "zoo", "WANDB_NOTES": "n",
            "WANDB_TAGS": "a,b", "WANDB_BASE_URL": "http://127.0.0.1:1/", "WANDB_USERNAME": "",
            "WANDB__SERVICE_WAIT": "300",
        }
    )  # fmt: skip
    assert found.problems == [] and set(found.values) <= USERS
    assert found.values == {
        "project": "galaxies", "entity": "zoo", "run_notes": "n", "run_tags": ("a", "b"),
        "base_url": "http://127.0.0.1:1", "x_service_wait": 300.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("WANDB_PROJECT", "a/b", "WANDB_PROJECT='a/b' is refused by W&B: Invalid project name"),
        ("WANDB_PROJECT", "p" * 129, "exceeded 128 characters"),
        ("WANDB_ENTITY", "team/project", "WANDB_ENTITY='team/project' must hold no space"),
        ("WANDB_BASE_URL", "api.wandb.ai", "WANDB_BASE_URL='api.wandb.ai' is refused by W&B: "),
        ("WANDB_BASE_URL", "https://wandb.ai", "is not a valid server address"),
        ("WANDB_TAGS", "a,,b", "WANDB_TAGS='a,,b' is refused by W&B: Tag at index 1 is empty"),
        ("WANDB_INIT_TIMEOUT", "soon", "WANDB_INIT_TIMEOUT='soon' is refused by W&B: "),
        ("WANDB_INIT_TIMEOUT", "-1", "WANDB_INIT_TIMEOUT='-1' must be a number of seconds"),
        ("WANDB_HTTP_PROXY", "user:secret@x", "WANDB_HTTP_PROXY is refused by W&B: "),
    ],
)
def test_what_wandb_refuses_is_named(variable: str, text: str, told: str) -> None:
    (problem,) = read_users_settings({variable: text}).problems
    assert told in problem and "secret" not in problem


def reason(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str | None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    return key_problem("https://api.wandb.ai", read_users_settings(variables))


def test_a_key_is_looked_for_where_wandb_looks(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason(monkeypatch) == "there is no API key for https://api.wandb.ai"
    entry = f"machine api.wandb.ai\n  login user\n  password {KEY}\n"
    (home / ".netrc").write_text(entry)
    (home / ".netrc").chmod(0o600)
    assert reason(monkeypatch) is None
    assert "no API key" in (reason(monkeypatch, NETRC=str(home / "none")) or "")
    assert reason(monkeypatch, WANDB_API_KEY=KEY) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("machine api.wandb.ai\n  login user\n  password short\n", "netrc file is refused by W&B"),
        ("machine \xe9\n", "is not text in UTF-8"),
        ("nonsense\n", "cannot be read: bad toplevel token 'nonsense'"),
    ],
)
def test_a_netrc_that_holds_no_good_key_is_named(
    content: str, told: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".netrc").write_bytes(content.encode("latin-1"))
    (home / ".netrc").chmod(0o600)
    assert told in (reason(monkeypatch) or "")


def test_a_key_of_the_wrong_form_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told = reason(monkeypatch, WANDB_API_KEY="my-short-key") or ""
    assert "WANDB_API_KEY is refused by W&B: API key must have 40+" in told
    assert "short" not in told
    monkeypatch.delenv("WANDB_API_KEY")
    assert "no file" in (reason(monkeypatch, WANDB_IDENTITY_TOKEN_FILE="/no/such") or "")
