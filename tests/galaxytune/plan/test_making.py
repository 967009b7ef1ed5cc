"""Plans made from values: what is filled in, and that files are found from anywhere."""

from pathlib import Path
from typing import Any

import pytest

from galaxytune.plan.making import make_plan, with_absolute_files
from galaxytune.plan.study_plan import StudyPlan


def plan(**changes: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | changes)


def test_stored_plans_hold_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan(architectures=["timm:test_vit"], trials=1, set={"weights": "none"})
    changed = made.model_copy(update={"set": {"timm:test_vit.weights": "w.pth"}})
    stored = with_absolute_files(changed)
    assert stored.set == {"timm:test_vit.weights": str(tmp_path / "w.pth")}
    assert stored.data == str(tmp_path / "x.npz")
    assert with_absolute_files(made).set == {"weights": "none"}
