"""The shape of the code: imports point down, folders have faces, --help loads nothing heavy."""

import ast
import importlib
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
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
# The rooms of each package. An import points only down its list; rooms of one line stand beside
# each other and do not import each other. A room is a folder, or one of the FLAT modules.
ROOMS = {
    "galaxytune": [
        ["__main__"],
        ["cli"],
        ["api"],
        ["driver"],
        ["doctor"],
        ["models"],
        ["ablation"],
        ["tracking"],
        ["cluster"],
        ["sampling"],
        ["study"],
        ["racing"],
        ["plan"],
        ["halving"],
        ["errors"],
    ],
    "analysis": [
        ["report"],
        ["figures"],
        ["statistics"],
        ["explanation"],
        ["records"],
        ["drawing"],
    ],
    "trainables": [
        ["trial"],
        ["packs"],
        ["training"],
        ["architectures"],
        ["backbones"],
        ["galaxies", "simulation"],
        ["layers"],
        ["device"],
        ["files"],
        ["decision_tree"],
    ],
}
FLAT = {"galaxytune": {"__main__", "errors"}, "trainables": {"decision_tree"}, "analysis": set()}
BUILT = sorted(ROOMS)  # the packages that have rooms


def module_of(file: Path) -> str:
    """The dotted name of a source file: `trainables.files.damage`."""
    for package, base in SOURCES.items():
        if file.is_relative_to(base):
            parts = file.relative_to(base).with_suffix("").parts
            return ".".join([package, *(p for p in parts if p != "__init__")])
    raise AssertionError(f"{file} is in none of our packages")


def sources(package: str) -> list[Path]:
    return sorted(SOURCES[package].rglob("*.py"))


MODULES = {module_of(file) for package in SOURCES for file in sources(package)}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions, but not for type checking alone.

    `from package import name` counts as `package.name` where that is a module of ours.
    """
    tree = ast.parse(file.read_text())
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and id(node) not in for_types:
            assert node.module and not node.level, f"{file}: a relative import hides its room"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in inner)


def room_of(module: str) -> tuple[str, str] | None:
    """Package and room of a module; None of another library's and of the package's own face."""
    package, _, rest = module.partition(".")
    return (package, rest.partition(".")[0]) if package in ROOMS and rest else None


def upward_imports(package: str) -> list[str]:
    """Imports of a package that do not point down the list of its rooms."""
    rank = {room: i for i, rooms in enumerate(ROOMS[package]) for room in rooms}
    wrong = []
    for file in sources(package):
        own = room_of(module_of(file))
        for name in imports(file) if own is not None else ():
            other = room_of(name)
            if own is None or other is None or other[0] != package or other == own:
                continue
            if rank[other[1]] <= rank[own[1]]:
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    return wrong


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_between_packages_point_down(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    for file in sources(floor):
        assert above.isdisjoint(name.partition(".")[0] for name in imports(file)), file


@pytest.mark.parametrize("package", BUILT)
def test_imports_between_rooms_point_down(package: str) -> None:
    assert upward_imports(package) == []


@pytest.mark.parametrize("package", BUILT)
def test_every_module_stands_in_a_room(package: str) -> None:
    base = SOURCES[package]
    flat = {file.stem for file in base.glob("*.py")} - {"__init__"}
    folders = {folder.name for folder in base.iterdir() if any(folder.glob("*.py"))}
    assert flat == FLAT[package]
    assert flat | folders == {room for rooms in ROOMS[package] for room in rooms}


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_imports_in_a_circle(package: str) -> None:
    graph = {module_of(file): set(imports(file)) & MODULES for file in sources(package)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def face_of(folder: str) -> list[str]:
    """The names that a folder's face offers; [] of a folder without a face."""
    package, *inner = folder.split(".")
    stub = SOURCES[package].joinpath(*inner, "__init__.pyi")
    return list(importlib.import_module(folder).__all__) if inner and stub.exists() else []


@pytest.mark.parametrize("package", FLOORS)
def test_other_folders_are_entered_by_their_face(package: str) -> None:
    for file in sources(package):
        own = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
        for name in MODULES.intersection(imports(file)):
            folder, _, module = name.rpartition(".")
            offered = face_of(folder) if folder not in ("", own) else []
            assert not offered or module in offered, f"{file} imports {name}, not {folder}"


@pytest.mark.parametrize("package", FLOORS)
def test_every_face_offers_what_it_names(package: str) -> None:
    for stub in SOURCES[package].rglob("__init__.pyi"):
        face = importlib.import_module(module_of(stub.with_suffix(".py")))
        for name in face.__all__:
            assert getattr(face, name) is not None


def test_only_one_module_reaches_into_optunas_private_parts() -> None:
    private = re.compile(r"\._(study_id|trial_id|get_trials|storage)\b|optuna\.[\w.]*\._")
    for package in FLOORS:
        for file in sources(package):
            if file.name != "optuna_internals.py":
                assert not private.search(file.read_text()), file


def test_plain_training_knows_neither_ray_nor_wandb() -> None:
    for file in sources("trainables"):
        if file.name != "tune_trainable.py":
            assert {"ray", "wandb"}.isdisjoint(n.partition(".")[0] for n in imports(file)), file


def test_no_test_imports_from_another_test() -> None:
    for file in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(file.read_text())
        names = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not [n for n in names if ".test_" in n or n == "tests.conftest"], file


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import galaxytune", ["torch", "ray", "wandb", "optuna", "pandas", "pydantic", "numpy"]),
        ("import galaxytune.cli.app", ["torch", "ray", "wandb", "optuna", "pandas", "numpy"]),
        ("from galaxytune.api import search", ["torch", "ray", "wandb", "matplotlib", "pandas"]),
        ("from galaxytune.driver import run_study", ["wandb", "matplotlib", "captum", "scipy"]),
        ("from analysis.report import write_findings", ["matplotlib", "pandas", "scipy"]),
        ("from trainables.trial import run_trial", ["matplotlib", "scipy", "timm", "wandb"]),
    ],
)
def test_nobody_waits_for_what_is_not_used(code: str, heavy: list[str]) -> None:
    asked = f"import sys\n{code}\nprint([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT / "platform", capture_output=True, text=True
    )
    assert answer.stdout.strip() == "[]", answer.stderr
