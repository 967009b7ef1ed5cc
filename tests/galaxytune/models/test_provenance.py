"""The provenance of an export folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

from galaxytune.models import provenance


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_told_only_of_a_checkout_that_holds_galaxytune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "--message", "another project")
    (tmp_path / "provenance.py").touch()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.git_commit() is None
    git("add", "provenance.py")
    git("commit", "--message", "galaxytune itself")
    assert provenance.git_commit() == git("rev-parse", "HEAD")
