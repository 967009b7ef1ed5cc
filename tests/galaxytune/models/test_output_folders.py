"""The folders of exports and reports: nothing but an earlier result is replaced."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxytune.models.output_folders import (
    check_export_folder,
    check_report_folder,
    check_training_folder,
)
from search_spaces.declaration.errors import InvalidInput
from tests.support.command_line import Cli
from tests.support.records import record
from tests.support.studies import BeginStudy

Check = Callable[[Path], None]


def filled(out: Path, *names: str) -> Path:
    """Return a folder with files of these names."""
    out.mkdir()
    for name in names:
        (out / name).write_text("{}")
    return out


def exported(out: Path, *others: str) -> Path:
    """Return a folder with the provenance of an export, and with other files."""
    filled(out, "config.yaml", "model.safetensors", *others)
    (out / "provenance.json").write_text(json.dumps({"preprocessing": {"crop": 1}}))
    return out


CHECKS = [check_export_folder, check_report_folder, check_training_folder]
each = pytest.mark.parametrize("check", CHECKS)


@each
@pytest.mark.parametrize(
    "names",
    [
        ["README.md"],
        ["plan.yaml", "trials.jsonl", "optuna.journal"],
        ["galaxy.jpg", "galaxy.png"],
        ["config.yaml", "train.py"],
        ["report.html", "mail.txt"],
        ["provenance.json"],
    ],
    ids=str,
)
def test_a_folder_of_other_files_is_refused(
    check: Check, names: list[str], tmp_path: Path
) -> None:
    out = filled(tmp_path / "out", *names)
    with pytest.raises(InvalidInput, match=f"holds other files .* such as {min(names)}; name a"):
        check(out)
    assert sorted(path.name for path in out.iterdir()) == sorted(names)


@each
def test_a_new_folder_and_an_empty_one_are_taken(check: Check, tmp_path: Path) -> None:
    check(tmp_path / "new" / "folder")
    check(filled(tmp_path / "empty", ".hidden"))
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="file is a file; name another folder for the"):
        check(tmp_path / "file")


def test_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    check_export_folder(exported(tmp_path / "a", "predictions.csv"))
    check_export_folder(filled(tmp_path / "cut_short", "model.safetensors", "metrics.json"))
    with pytest.raises(InvalidInput, match="such as config.yaml"):
        check_export_folder(exported(tmp_path / "training", "last.pt", "curve.jsonl"))


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    figures = ["leaderboard.png", "leaderboard.pdf", "pareto.csv"]
    check_report_folder(filled(tmp_path / "a", *figures, "report.html", "findings.txt"))
    check_report_folder(filled(tmp_path / "cut_short", *figures))
    with pytest.raises(InvalidInput, match="for the report"):
        check_report_folder(filled(tmp_path / "b", *figures, "report.html", "thesis.tex"))


def test_an_earlier_training_is_continued(tmp_path: Path) -> None:
    check_training_folder(exported(tmp_path / "a", "last.pt", "curve.jsonl", "notes.txt"))
    check_training_folder(filled(tmp_path / "cut_short", "last.pt"))
    check_training_folder(filled(tmp_path / "damaged", "last.pt.damaged"))
    with pytest.raises(InvalidInput, match="for the training"):
        check_training_folder(exported(tmp_path / "export"))


def test_a_training_overwrites_nothing_of_a_persons(
    cli: Cli, toy_npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = filled(tmp_path / "thesis", "README.md", "thesis.tex")
    quick = ["--set", "width=0.1", "--epochs", "1", "--data", toy_npz]
    assert cli("train", "simple_cnn", out, *quick) == 2
    assert "name a new or empty folder for the training" in capfd.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "thesis.tex"]


@pytest.mark.parametrize("command", ["export", "report"])
def test_a_command_overwrites_nothing_of_a_persons(
    command: str, begin_study: BeginStudy, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = begin_study()
    folder.records_file.write_text(f"{record(0, 0.1).model_dump_json()}\n")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    assert cli(command, "s", folder.path, "--storage", folder.path.parent) == 2
    assert f"for the {command}" in capfd.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
