"""Outputs that cannot be written are known before the work, and the check leaves nothing."""

import os
import stat
from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput
from trainables.files import check_free_space, check_output_file, in_words


@pytest.mark.parametrize("name", ["g.npz", "new/deep/g.npz", "old.npz", "ä ö.npz"])
def test_a_place_that_can_be_written_passes_and_stays_as_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "old.npz").write_text("old")
    check_output_file(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.npz"]
    assert (tmp_path / "old.npz").read_text() == "old"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("folder", "Is a directory"),
        ("file/g.npz", "Not a directory|File exists"),
        ("file/deep/g.npz", "Not a directory|File exists"),
        ("a" * 256, "File name too long"),
        ("new/deep/" + "a" * 256 + "/g.npz", "File name too long"),
        ("a\0b", "no name for a file"),
        ("\ud800", "no name for a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=told) as error:
        check_output_file(tmp_path / name)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("name", ["in.csv", "folder/../in.csv", "link.csv", "hard.csv"])
def test_a_file_that_would_replace_an_input_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "in.csv").write_text("kept")
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    (tmp_path / "hard.csv").hardlink_to(tmp_path / "in.csv")
    with pytest.raises(InvalidInput, match="would replace its own input; name another file"):
        check_output_file(tmp_path / name, [tmp_path / "none.csv", tmp_path / "in.csv"])
    assert (tmp_path / "in.csv").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(InvalidInput, match="Permission denied"):
        check_output_file(tmp_path / "g.npz")
    tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_disk_that_takes_no_files_is_named() -> None:
    with pytest.raises(InvalidInput, match="/proc/g.npz cannot be written"):
        check_output_file(Path("/proc/g.npz"))


def test_a_file_that_does_not_fit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    check_free_space(tmp_path / "new" / "g.npz", 1000, "take less")
    with pytest.raises(InvalidInput, match=r"g.npz needs 888 PiB, but .* free; take less$"):
        check_free_space(tmp_path / "new" / "g.npz", 10**18, "take less")


@pytest.mark.parametrize(
    ("num_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1536, "1.5 KiB"),
        (33_210_363_904, "31 GiB"),
        (2**70, "1,048,576 PiB"),
    ],
)
def test_sizes_are_told_in_words(num_bytes: int, words: str) -> None:
    assert in_words(num_bytes) == words
