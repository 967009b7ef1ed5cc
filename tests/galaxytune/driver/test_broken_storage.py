"""Storage that is full, read-only or damaged: the study stops, or mends it, and loses nothing."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from galaxytune.driver.run import run_study
from galaxytune.plan.making import make_plan
from galaxytune.study.creation import new_study
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration.errors import WorkFailed
from tests.support import misbehaving
from tests.support.mounting import mount
from tests.support.processes import wait_for
from tests.support.studies import BeginStudy, assert_whole

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.usefixtures("small_ray")]


def test_a_full_disk_stops_the_study_and_a_resume_goes_on(begin_study: BeginStudy) -> None:
    folder = begin_study()
    with pytest.raises(WorkFailed, match="cannot be written: No space left .* resume s"):
        run_study(folder, trainable=misbehaving.finds_the_disk_full)
    assert folder.state() == "interrupted"
    assert "00001" not in {record.id for record in folder.records()}
    run_study(folder, trainable=misbehaving.behave)  # there is room again
    assert_whole(folder)


def test_a_disk_that_fills_up_stops_the_study_with_everything_readable(
    small_disk: Path, toy_npz: Path
) -> None:
    values = {"name": "full", "architectures": ["simple_cnn"], "data": str(toy_npz), "trials": 2,
              "epochs": 2, "wandb": "disabled", "set": {"width": 0.5, "batch_size": 64},
              "halving": False}  # fmt: skip
    folder = new_study(make_plan(values), small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * (20 << 20))
    with pytest.raises(WorkFailed, match="cannot be written: No space left on device"):
        run_study(folder)
    assert folder.state() == "interrupted"
    kept = [record.id for record in folder.records()]
    filler.unlink()
    run_study(folder)
    assert_whole(folder)
    assert [record.id for record in folder.records()][: len(kept)] == kept


@pytest.fixture
def sealed_study(begin_study: BeginStudy) -> Iterator[tuple[StudyFolder, Callable[[], None]]]:
    """A study, and a function that turns its folder read-only once two trials have ended."""
    folder = begin_study(trials=8)
    if mount("--bind", folder.path, folder.path):
        pytest.skip("mounting is not allowed here")
    subprocess.run(["umount", str(folder.path)], check=True)

    def seal() -> None:
        wait_for(lambda: len(folder.records()) >= 2, 60)
        assert mount("--bind", folder.path, folder.path) == 0
        assert mount("-o", "remount,bind,ro", folder.path) == 0

    yield folder, seal
    subprocess.run(["umount", str(folder.path)], capture_output=True, check=False)


def test_storage_that_turns_read_only_stops_the_study_and_a_resume_goes_on(sealed_study) -> None:
    folder, seal = sealed_study
    sealing = threading.Thread(target=seal)
    sealing.start()
    with pytest.raises(WorkFailed, match="cannot be written: Read-only file system"):
        run_study(folder, trainable=misbehaving.takes_its_time)
    sealing.join()
    kept = folder.records()
    assert 2 <= len(kept) < 8
    subprocess.run(["umount", str(folder.path)], check=True)
    assert folder.state() == "interrupted"
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert folder.records()[: len(kept)] == kept


def test_a_journal_that_is_damaged_inside_is_written_anew(begin_study: BeginStudy) -> None:
    folder = begin_study()
    run_study(folder, trainable=misbehaving.reports_nan)
    lines = folder.journal_file.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = lines[len(lines) // 2][:10] + b"\n"
    folder.journal_file.write_bytes(b"".join(lines))
    last = folder.records_file.read_text().splitlines(keepends=True)
    ended = [line for line in last if '"id": "00000"' not in line]
    folder.records_file.write_text("".join(ended[:-1]))  # and two trials had not ended
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    published = {record.id for record in folder.records() if record.published}
    assert published == {"00000"} and len(ended) == 3
    assert folder.journal_file.with_name("optuna.journal.damaged-1").exists()
