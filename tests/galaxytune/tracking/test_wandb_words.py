"""The mode that a user has told W&B, and what is refused before a search begins."""

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from galaxytune.tracking.wandb_words import check_wandb, default_wandb_mode
from search_spaces.declaration import InvalidInput

KEY = "0" * 40


@pytest.fixture(autouse=True)
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an API key, no mode, and an empty current folder."""
    (tmp_path / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "mode"),
    [
        ("", "online"),
        ("WANDB_MODE=", "online"),
        ("WANDB_MODE=dryrun", "offline"),
        ("WANDB_MODE=shared", "online"),
        ("WANDB_DISABLED=true", "disabled"),
        ("WANDB_DISABLED=false", "online"),
        ("NETRC=/no/such/file", "offline"),
    ],
)
def test_the_user_is_obeyed(variable: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable:
        monkeypatch.setenv(*variable.split("="))
    assert default_wandb_mode() == mode


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_mode_that_the_command_wandb_has_stored_is_obeyed(mode: str) -> None:
    command = [str(Path(sys.executable).with_name("wandb")), mode]
    subprocess.run(command, check=True, capture_output=True)
    assert Path("wandb/settings").is_file()
    assert default_wandb_mode() == mode


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("WANDB_MODE=aus", "^WANDB_MODE='aus' is refused by W&B: Input should be 'online'"),
        ("WANDB_DISABLED=perhaps", "^WANDB_DISABLED must be true or false, got 'perhaps'$"),
        ("WANDB_API_KEY=short", "^WANDB_API_KEY is refused by W&B: API key must have 40"),
    ],
)
def test_a_wrong_word_is_refused(
    variable: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("="))
    with pytest.raises(InvalidInput, match=told):
        default_wandb_mode()


@pytest.mark.slow
def test_wrong_settings_are_refused_before_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    check_wandb("online")
    monkeypatch.setenv("WANDB_PROJECT", "a/b")
    check_wandb("disabled")
    with pytest.raises(InvalidInput, match="^WANDB_PROJECT='a/b' is refused by W&B"):
        check_wandb("offline")
    monkeypatch.delenv("WANDB_PROJECT")
    monkeypatch.setenv("NETRC", "/no/such/file")
    check_wandb("offline")
    with pytest.raises(InvalidInput, match="^W&B is to be online, but there is no API key for"):
        check_wandb("online")


def test_without_the_package_no_run_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without_wandb(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "wandb" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_wandb)
    assert default_wandb_mode() == "disabled"
    check_wandb("disabled")
    with pytest.raises(InvalidInput, match="^the package wandb is not installed"):
        check_wandb("offline")
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(InvalidInput, match="^WANDB_MODE is 'online', but the package wandb is"):
        default_wandb_mode()
