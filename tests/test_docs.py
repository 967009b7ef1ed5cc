"""The pages in docs/: what they name must exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MISTAKES = ROOT / "docs" / "seed-mistakes.md"
PATH = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w-]+\.(py|md|yaml|toml|lock)")


def named_paths(page: Path) -> list[str]:
    """Everything in backticks that reads like a file or folder of this repository."""
    return [name for name in re.findall(r"`([^`\n]+)`", page.read_text()) if PATH.fullmatch(name)]


def test_every_mistake_has_its_row() -> None:
    rows = [line.split("|") for line in MISTAKES.read_text().splitlines() if line.startswith("|")]
    numbers = [cells[1].strip() for cells in rows[2:]]
    assert numbers == [str(number) for number in range(1, 36)]
    assert all(len(cells) == 6 and all(map(str.strip, cells[1:5])) for cells in rows)


@pytest.mark.parametrize("name", sorted(set(named_paths(MISTAKES))))
def test_files_named_on_the_page_of_mistakes_exist(name: str) -> None:
    assert (ROOT / name).exists()
