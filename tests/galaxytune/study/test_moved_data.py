"""The galaxy file of a study: checked by its arrays, and found where a person says it is."""

import shutil
from pathlib import Path

import pytest

from galaxytune.api.searching import open_study, report
from galaxytune.study.folder import StudyFolder
from galaxytune.study.moved_data import check_data_unchanged, data_at
from search_spaces.declaration.errors import InvalidInput
from tests.support.command_line import Cli
from tests.support.studies import small_study
from trainables.galaxies.galaxy_file import save_galaxies
from trainables.simulation.galaxies import simulate_galaxies


@pytest.fixture
def own(toy_npz: Path, tmp_path: Path) -> Path:
    """A galaxy file that a test may move."""
    return Path(shutil.copy(toy_npz, tmp_path / "own.npz"))


@pytest.fixture
def folder(own: Path, tmp_path: Path) -> StudyFolder:
    """A study that was made with the file `own`; no trial has run."""
    return small_study(own, tmp_path / "studies")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of other galaxies."""
    path = tmp_path_factory.mktemp("others") / "others.npz"
    made = simulate_galaxies(60, seed=2)
    names = ("images", "target", "ids", "num_votes")
    save_galaxies(path, {name: getattr(made, name) for name in names})
    return path


def test_data_that_has_changed_is_named(folder: StudyFolder, own: Path, others: Path) -> None:
    check_data_unchanged(folder)
    shutil.copy(others, own)
    with pytest.raises(InvalidInput, match="own.npz is not the file that study 's' began with"):
        check_data_unchanged(folder)


def test_data_that_has_moved_is_asked_for_and_found(folder: StudyFolder, own: Path) -> None:
    moved = own.rename(own.with_name("moved.npz"))
    with pytest.raises(InvalidInput, match=f"is not at {own}; tell .* with --data FILE, in Pyth"):
        check_data_unchanged(folder)
    stored = folder.plan_file.read_bytes()
    with data_at([folder], moved):
        check_data_unchanged(folder)
        assert folder.plan.data == str(moved)
    assert folder.plan.data == str(own) and folder.plan_file.read_bytes() == stored


@pytest.mark.parametrize("command", ["resume", "confirm", "ablate", "export", "report"])
def test_every_command_refuses_other_galaxies_and_changes_nothing(
    command: str, folder: StudyFolder, others: Path, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    stored = folder.plan_file.read_bytes()
    out = [folder.path / "out"] if command in ("export", "report") else []
    options = ["--storage", folder.path.parent, "--data", others]
    if command == "resume":
        options += ["--trials", 9, "--address", "127.0.0.1:1"]
    if command != "resume":  # each of the others needs a complete trial
        from tests.support.records import record

        folder.records_file.write_text(f"{record(0, 0.1).model_dump_json()}\n")
        folder.curve_file("00000").touch()
    assert cli(command, "s", *out, *options) == 2
    assert "others.npz is not the file that study 's' began with" in capfd.readouterr().err
    assert folder.plan_file.read_bytes() == stored and not (folder.path / "out").exists()


@pytest.mark.parametrize("missing", ["missing.npz", "$UNSET_HERE/g.npz", ""])
def test_a_file_that_is_not_there_is_named(missing: str, folder: StudyFolder) -> None:
    study = open_study("s", storage=folder.path.parent)
    with pytest.raises(InvalidInput, match="is not at .*missing.npz|not set$|a path is empty"):
        study.resume(data=missing)
    folder.records_file.touch()
    with pytest.raises(InvalidInput):
        report(study, folder.path / "out", data=missing)
    assert folder.plan.data.endswith("own.npz")


@pytest.mark.ray
@pytest.mark.slow
def test_a_resume_stores_where_the_data_is(small_ray: None, toy_npz: Path, tmp_path: Path) -> None:
    own = Path(shutil.copy(toy_npz, tmp_path / "own.npz"))
    settings = {"width": 0.1, "batch_size": 32}
    folder = small_study(own, tmp_path / "studies", trials=1, epochs=1, set=settings)
    moved = own.rename(tmp_path / "moved.npz")
    study = open_study("s", storage=folder.path.parent)
    study.resume(data=moved, observers=[])
    assert study.plan.data == str(moved) and study.status().state == "finished"
    again = moved.rename(tmp_path / "again.npz")
    assert study.export(tmp_path / "model", data=again).provenance["study"] == "s"
    assert study.plan.data == str(moved)
