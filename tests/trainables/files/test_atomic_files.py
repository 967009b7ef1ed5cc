"""Atomic files: whole or not at all, and a place that cannot be written told as a mistake."""

from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput
from trainables.files.atomic_files import write_atomically, writing_to_a_given_place


def test_a_file_is_written_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_atomically(path, lambda temporary: temporary.write_text("whole"))
    assert path.read_text() == "whole" and path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "b.txt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ne")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "out.png", tmp_path):
        with pytest.raises(InvalidInput, match="; name another place$") as error:
            with writing_to_a_given_place():
                write_atomically(place, lambda temporary: temporary.write_text("x"))
        named = tmp_path / "file" if place.name == "out.png" else tmp_path
        assert f": {named};" in str(error.value) and "\n" not in str(error.value)


def test_a_full_disk_is_no_mistake_of_a_persons() -> None:
    with pytest.raises(OSError, match="No space left") as error:
        with writing_to_a_given_place():
            raise OSError(28, "No space left on device")
    assert not isinstance(error.value, InvalidInput)
