"""The paths of a plan: expanded as a shell does, and found from anywhere."""

from pathlib import Path
from typing import Any

import pytest

from galaxytune.plan.making import make_plan
from galaxytune.plan.paths import with_absolute_files, with_given_paths
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration.errors import InvalidInput


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


def test_the_paths_of_a_plan_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WEIGHTS", "/w")
    made = plan(architectures=["timm:test_vit"], trials=1, data="~/x.npz",
                set={"timm:test_vit.weights": "$WEIGHTS/v.pth"})  # fmt: skip
    assert made.data == f"{tmp_path}/x.npz"
    assert made.set == {"timm:test_vit.weights": "/w/v.pth"}
    assert made.spaces["timm:test_vit"].published.model_dump()["weights"] == "/w/v.pth"
    grid = with_given_paths({"grid": {"weights": ["~/w.pth", "none"], "seed": [0]}})["grid"]
    assert grid == {"weights": [f"{tmp_path}/w.pth", "none"], "seed": [0]}


@pytest.mark.parametrize(
    "wrong", [{"data": "$UNSET_HERE/x.npz"}, {"set": {"weights": "$UNSET_HERE/w.pth"}}]
)
def test_a_variable_that_is_not_set_is_named(
    wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSET_HERE", raising=False)
    with pytest.raises(InvalidInput, match="the environment variable UNSET_HERE is not set$"):
        plan(architectures=["timm:test_vit"], trials=1, **wrong)
