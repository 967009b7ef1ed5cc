"""The shape of the code: imports point down, names are ours alone, --help loads nothing heavy."""

import ast
import importlib
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["search_spaces", "trainables", "analysis", "galaxytune"]
SOURCES = {
    "search_spaces": ROOT / "search_spaces",
    "trainables": ROOT / "trainables",
    "analysis": ROOT / "analysis",
    "galaxytune": ROOT / "platform" / "galaxytune",
}


def imported_packages(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_point_down(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    for file in SOURCES[floor].rglob("*.py"):
        assert above.isdisjoint(imported_packages(file)), file


def test_plain_training_knows_neither_ray_nor_wandb() -> None:
    for file in (ROOT / "trainables").rglob("*.py"):
        if file.name != "trial.py":
            assert {"ray", "wandb"}.isdisjoint(imported_packages(file)), file


def test_platform_holds_one_package_and_no_module() -> None:
    inside = [p.name for p in (ROOT / "platform").iterdir() if p.suffix == ".py"]
    assert inside == []


def test_the_standard_librarys_platform_is_reachable() -> None:
    assert platform.python_version() == ".".join(map(str, sys.version_info[:3]))
    code = "import platform; print(platform.python_implementation())"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "CPython"


def test_no_package_of_ours_hides_another() -> None:
    for name in FLOORS:
        file = importlib.import_module(name).__file__
        assert file is not None and Path(file).is_relative_to(ROOT)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("galaxytune.cli", ["torch", "ray", "wandb", "optuna", "pandas"]),
        ("galaxytune.search_commands", ["wandb", "matplotlib", "captum", "scipy"]),
        ("analysis.findings", ["matplotlib", "pandas", "scipy"]),
    ],
)
def test_nobody_waits_for_what_is_not_used(module: str, heavy: list[str]) -> None:
    code = f"import sys, {module}\nprint([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "platform", capture_output=True, text=True
    )
    assert answer.stdout.strip() == "[]", answer.stderr
