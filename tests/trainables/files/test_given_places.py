"""Places that a person gave: what cannot be written is a mistake of one line, named early."""

from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput
from tests.support.mounting import mount
from trainables.files.atomic_files import write_atomically
from trainables.files.given_places import (
    check_can_write,
    write_if_allowed,
    writing_to_a_given_place,
)


@pytest.fixture
def read_only(small_disk: Path) -> Path:
    """A folder of a disk that is mounted read-only."""
    (small_disk / "folder").mkdir()
    if mount("-o", "remount,ro", small_disk):
        pytest.skip("mounting is not allowed here")
    return small_disk / "folder"


def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "out.png", tmp_path):
        with pytest.raises(InvalidInput, match="; name another place$") as error:
            with writing_to_a_given_place():
                write_atomically(place, lambda temporary: temporary.write_text("x"))
        named = tmp_path / "file" if place.name == "out.png" else tmp_path
        assert f": {named};" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_place_that_takes_no_files_is_named() -> None:
    with pytest.raises(InvalidInput, match="^/proc/x cannot be written .*/proc.*; name another"):
        check_can_write(Path("/proc/x"))


def test_a_full_disk_is_no_mistake_of_a_persons() -> None:
    with pytest.raises(OSError, match="No space left") as error:
        with writing_to_a_given_place():
            raise OSError(28, "No space left on device")
    assert not isinstance(error.value, InvalidInput)


def test_a_read_only_disk_and_a_long_name_are_named(read_only: Path, tmp_path: Path) -> None:
    for place in (read_only / "x" / "y.txt", tmp_path / ("x" * 300)):
        with pytest.raises(InvalidInput, match="(file system|too long): .*; name another --"):
            with writing_to_a_given_place("name another --storage"):
                write_atomically(place, lambda temporary: temporary.write_text("x"))


def test_a_place_is_checked_before_anything_is_made(read_only: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, reason in (
        (read_only / "a" / "b", f"{read_only} is on a read-only disk"),
        (tmp_path / "file" / "a", "file is a file"),
        (tmp_path / "file", "file is a file"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(InvalidInput, match=f"cannot be written.*{reason}.*; name another"):
            check_can_write(place)
    check_can_write(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()


def test_what_saves_later_work_is_left_out_where_it_may_not_be_written(
    read_only: Path, tmp_path: Path
) -> None:
    assert not write_if_allowed(read_only / "kept", lambda new: new.write_text("x"))
    assert write_if_allowed(tmp_path / "kept", lambda new: new.write_text("x"))
    assert (tmp_path / "kept").read_text() == "x"
