"""The provenance that a plan gets when a study is made."""

import importlib.metadata
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.distributions import BaseDistribution, FloatDistribution

from galaxytune.plan import package_versions
from galaxytune.plan.making import make_plan
from galaxytune.plan.stored_plan import StoredPlan, read_plan, store_plan, write_plan
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration.errors import InvalidInput


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_wandb(name: str) -> str:
        if name == "wandb":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    whole = package_versions()
    monkeypatch.setattr(importlib.metadata, "version", without_wandb)
    assert package_versions() == {k: v for k, v in whole.items() if k != "wandb"}
    assert "wandb" in whole and "torch" in whole


def plan() -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | {"trials": 3, "set": {"dropout": 0.1}})


def stored(path: Path) -> StoredPlan:
    write_plan(store_plan(plan(), data_fingerprint="f", num_galaxies_by_part={}), path)
    return read_plan(path)


def searched(made: StudyPlan) -> dict[str, BaseDistribution]:
    return {h.name: h.distribution for h in made.spaces["simple_cnn"].hyperparameters}


def test_a_new_study_searches_what_its_plan_searches(tmp_path: Path) -> None:
    assert searched(stored(tmp_path / "plan.yaml")) == searched(plan())
    assert "head" in searched(plan()) and "dropout" not in searched(plan())


def test_a_study_goes_on_in_the_space_in_which_it_began(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    stored(file)
    values = yaml.safe_load(file.read_text())
    space = values["provenance"]["search_spaces"]["simple_cnn"]
    del space["head"]
    space["learning_rate"]["attributes"]["high"] = 0.5
    file.write_text(yaml.safe_dump(values))
    found, expected = searched(read_plan(file)), searched(plan())
    assert found.pop("learning_rate") == FloatDistribution(1e-4, 0.5, log=True)
    del expected["learning_rate"], expected["head"]
    assert found == expected
    config = read_plan(file).spaces["simple_cnn"].draw(optuna.create_study().ask())
    assert config.head == "sigmoid"


def test_a_damaged_search_space_is_told(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    stored(file)
    file.write_text(file.read_text().replace("FloatDistribution", "Flat"))
    with pytest.raises(InvalidInput, match="search space of simple_cnn in the study's plan.yaml"):
        _ = read_plan(file).spaces
