"""What is neither a file nor a folder is refused at once, and never opened."""

import os
import socket
from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput, check_regular, open_regular


@pytest.fixture(params=["a FIFO", "a link to a FIFO", "a socket", "a device"])
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Path:
    if request.param == "a device":
        return Path("/dev/zero")
    if request.param == "a socket":
        monkeypatch.chdir(tmp_path)  # the name of a socket has at most 108 bytes
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("s")
        return Path("s")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    return tmp_path / ("fifo" if request.param == "a FIFO" else "link")


def test_what_is_no_regular_file_is_refused(special: Path) -> None:
    with pytest.raises(InvalidInput, match=f"^{special} is no regular file$"):
        check_regular(special)
    with pytest.raises(InvalidInput, match="^is no regular file$"):
        open_regular(special)


def test_files_folders_and_lost_paths_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for path in (tmp_path, tmp_path / "link", tmp_path / "lost", tmp_path / "file" / "below"):
        check_regular(path)
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"x"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "lost")
