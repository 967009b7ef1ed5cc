"""The documents that commands print with `--json` have every field, and each is described."""

import ast
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from analysis.records.ablation import Ablation, AblationStep, FieldChange
from analysis.records.json_document import JsonDocument
from analysis.records.leaderboard import Leaderboard, LeaderboardRow
from analysis.statistics.galaxy_file_check import GalaxyFileCheck
from galaxytune.cluster.connection import ClusterAddress
from galaxytune.doctor.cost_estimate import CostEstimate, estimate
from galaxytune.doctor.diagnosis import Diagnosis, run_doctor
from galaxytune.driver.confirmation import Confirmation, ConfirmedTrial
from galaxytune.models.architectures import ArchitectureDescription
from galaxytune.study.status import StudyStatus
from tests.support.ablations import trained
from tests.support.command_line import Cli
from tests.support.driver import Driver
from tests.support.health import MEASURED, small_plan
from tests.support.studies import BeginStudy

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[3]


DOCUMENTS: list[type[JsonDocument]] = [
    Ablation,
    AblationStep,
    ArchitectureDescription,
    Confirmation,
    ConfirmedTrial,
    Diagnosis,
    FieldChange,
    GalaxyFileCheck,
    Leaderboard,
    LeaderboardRow,
    StudyStatus,
]


def classes_with_base(name: str) -> set[str]:
    """The names of the classes in our packages that have this base, by their source."""
    return {
        node.name
        for package in (ROOT / "analysis", ROOT / "platform" / "galaxytune")
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == name for base in node.bases)
    }


def test_every_document_of_our_packages_is_examined_here() -> None:
    assert classes_with_base("JsonDocument") == {model.__name__ for model in DOCUMENTS}


@pytest.mark.parametrize("model", DOCUMENTS, ids=lambda model: model.__name__)
def test_the_schema_of_a_document_describes_every_field(model: type[JsonDocument]) -> None:
    schema = model.model_json_schema()
    objects = {model.__name__: schema} | schema.get("$defs", {})
    for name, described in objects.items():
        assert described.get("description"), name
        for field, about in described.get("properties", {}).items():
            assert about.get("description", "").endswith("."), f"{name}.{field}"


def assert_is_document(values: Any, kind: Any, place: str = "") -> None:
    """Assert that decoded JSON has every field of a model, and no other, all the way down."""
    if get_origin(kind) is tuple and isinstance(values, Sequence):
        for number, value in enumerate(values):
            assert_is_document(value, get_args(kind)[0], f"{place}[{number}]")
        return
    kinds = [k for k in (kind, *get_args(kind)) if isinstance(k, type)]
    models = [k for k in kinds if issubclass(k, BaseModel) or dataclasses.is_dataclass(k)]
    if not models or values is None:
        return
    (model,) = models
    hints = get_type_hints(model)
    fields = model.model_fields if issubclass(model, BaseModel) else model.__dataclass_fields__
    assert isinstance(values, Mapping), place
    assert list(values) == list(fields), place
    for name, value in values.items():
        assert_is_document(value, hints[name], f"{place}.{name}")


def printed(cli: Cli, capfd: Captured, *arguments: object, code: int = 0) -> Any:
    capfd.readouterr()
    assert cli(*arguments, "--json") == code
    return json.loads(capfd.readouterr().out)


@pytest.fixture
def ended(begin_study: BeginStudy) -> list[str]:
    """The arguments that name a study whose trials have ended."""
    folder = begin_study(trials=3, epochs=9)
    Driver(folder).run()
    return ["s", "--storage", str(folder.path.parent)]


def test_the_status_has_every_field(cli: Cli, ended: list[str], capfd: Captured) -> None:
    assert_is_document(printed(cli, capfd, "status", *ended), StudyStatus)


def test_the_leaderboard_has_every_field(cli: Cli, ended: list[str], capfd: Captured) -> None:
    board = printed(cli, capfd, "leaderboard", *ended)
    assert len(board["trials"]) == 3
    assert_is_document(board, Leaderboard)


def test_a_file_check_has_every_field(cli: Cli, toy_npz: Path, capfd: Captured) -> None:
    assert_is_document(printed(cli, capfd, "data", "check", toy_npz), GalaxyFileCheck)


@pytest.mark.slow
def test_architectures_have_every_field(cli: Cli, capfd: Captured) -> None:
    rows = printed(cli, capfd, "architectures", "simple_cnn", "vgg16")
    assert len(rows) == 2
    for row in rows:
        assert_is_document(row, ArchitectureDescription)


def test_a_diagnosis_has_every_field(cli: Cli, capfd: Captured) -> None:
    told = printed(cli, capfd, "doctor", "--address", "127.0.0.1:1", code=1)
    assert_is_document(told, Diagnosis)


def test_a_diagnosis_with_an_estimate_has_every_field(toy_npz: Path, tmp_path: Path) -> None:
    plan = small_plan(toy_npz)
    parts = {"training": 100, "validation": 20}
    cost = estimate(plan, {"simple_cnn": MEASURED}, parts, 4)
    silent = ClusterAddress("127.0.0.1:1")
    checked = run_doctor(plan, tmp_path, silent).model_copy(update={"estimate": cost})
    told = json.loads(json.dumps(checked.as_values()))
    assert_is_document(told, Diagnosis)
    assert list(told["estimate"]) == [field.name for field in dataclasses.fields(CostEstimate)]


def test_a_confirmation_has_every_field() -> None:
    trial = ConfirmedTrial(
        id="00001",
        architecture="simple_cnn",
        searched_val_rmse=0.1,
        mean_val_rmse=None,
        interval_95=None,
        val_rmse_by_seed=(),
        num_failed=2,
    )
    found = Confirmation(study="s", verdict="the winner stays first", trials=(trial,))
    assert_is_document(json.loads(json.dumps(found.as_values())), Confirmation)


def test_an_ablation_has_every_field() -> None:
    assert_is_document(json.loads(json.dumps(trained().as_values())), Ablation)
