"""JSON lines: a crash in the middle of a line spoils no other line."""

import os
from pathlib import Path
from typing import Any

import pytest

from search_spaces.declaration import InvalidInput
from trainables.files.json_lines import append_line, last_line_start, read_json_lines

LINES: list[dict[str, Any]] = [{"id": "00000", "x": 0.1}, {"id": "é", "x": None}, {"x": [1, "\n"]}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for line in LINES:
        append_line(tmp_path / "lines.jsonl", line)
    return tmp_path / "lines.jsonl"


def test_lines_are_read_back_in_their_order(path: Path) -> None:
    assert read_json_lines(path) == LINES
    assert path.read_bytes().count(b"\n") == 3 and last_line_start(path) == path.stat().st_size
    assert read_json_lines(path.with_name("none.jsonl")) == []
    path.write_text("")
    assert read_json_lines(path) == []


def test_a_last_line_cut_short_is_left_out_and_removed_by_the_next(path: Path) -> None:
    *others, last = path.read_bytes().splitlines(keepends=True)
    for length in range(1, len(last) - 1):
        path.write_bytes(b"".join(others) + last[:length])
        assert last_line_start(path) == len(b"".join(others))
        assert read_json_lines(path) == LINES[:2]
        append_line(path, {"y": 1}, wait=False)
        assert path.read_bytes() == b"".join(others) + b'{"y": 1}\n'


def test_a_last_line_that_lacks_its_end_alone_is_kept(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    assert last_line_start(path) < path.stat().st_size
    assert read_json_lines(path) == LINES
    append_line(path, {"y": 1}, wait=False)
    assert read_json_lines(path) == [*LINES, {"y": 1}]


@pytest.mark.parametrize("line", ["{", "", '{"a": 01}', "[1, 2", "nothing"])
def test_a_broken_line_in_the_middle_is_named_in_one_line(path: Path, line: str) -> None:
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([first, line, *others]) + "\n")
    with pytest.raises(InvalidInput, match=r"lines\.jsonl line 2 is not JSON: ") as error:
        read_json_lines(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_line_that_is_no_object_is_named(path: Path, end: str) -> None:
    path.write_text(path.read_text() + "[1, 2]" + end)
    with pytest.raises(InvalidInput, match=r"lines\.jsonl line 4 is no JSON object: '\[1, 2\]'"):
        read_json_lines(path)


def test_a_line_that_the_disk_refuses_raises_what_the_disk_said(small_disk: Path) -> None:
    path = small_disk / "lines.jsonl"
    append_line(path, LINES[0])
    disk = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(disk.f_bavail * disk.f_bsize))
    with pytest.raises(OSError, match="No space left on device"):
        append_line(path, {"long": "x" * 10_000})
    (small_disk / "filler").unlink()
    append_line(path, LINES[1])
    assert read_json_lines(path) == LINES[:2]
