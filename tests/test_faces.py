"""The faces of all folders: every name that a face offers is there, loaded when asked for."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("search_spaces", "trainables", "analysis", "platform/galaxytune")
FACES = sorted(
    ".".join(stub.parent.relative_to(ROOT).parts).removeprefix("platform.")
    for source in SOURCES
    for stub in (ROOT / source).rglob("__init__.pyi")
)


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_is_there(name: str) -> None:
    face = importlib.import_module(name)
    assert face.__all__
    for each in face.__all__:
        assert getattr(face, each) is not None


def test_a_face_loads_nothing_that_was_not_asked_for() -> None:
    code = f"import sys, {', '.join(FACES)}\nprint([m for m in ('torch', 'ray', 'optuna', "
    code += "'pandas', 'matplotlib', 'wandb') if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "platform", capture_output=True, text=True
    )
    assert answer.stdout.strip() == "[]", answer.stderr
