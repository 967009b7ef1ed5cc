"""Paths and numbers given in Python: paths are expanded, and other types are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import galaxytune
from galaxytune.api.model import Model, load_model
from galaxytune.api.searching import open_study, report, search
from galaxytune.api.study import Study
from galaxytune.api.training import simulate, train
from search_spaces.declaration.errors import InvalidInput
from tests.support.records import record
from tests.support.studies import BeginStudy


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and a current folder that is not the home folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SURVEY", "sdss")
    monkeypatch.delenv("NOBODY_SET_IT", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_simulate_expands_its_path(home: Path) -> None:
    assert simulate("~/$SURVEY.npz", num_galaxies=2) == home / "sdss.npz"
    assert (home / "sdss.npz").is_file() and list(Path().iterdir()) == []


def test_predict_explain_and_their_figures_expand_paths(home: Path, trained: Path) -> None:
    from PIL import Image

    (home / "model").symlink_to(trained)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(home / "sdss.png")
    model = load_model("~/model")
    assert len(model.predict("~/$SURVEY.png", crop="none")) == 1
    explanation = model.explain(Path("~/$SURVEY.png"), 1, crop="none")
    assert explanation.save("$HOME/why.pdf") == home / "why.pdf"
    explanation.figure().savefig("~/$SURVEY-why.png")
    assert (home / "sdss-why.png").is_file() and list(Path().iterdir()) == []
    for write in (explanation.save, explanation.figure().savefig, model.predict):
        with pytest.raises(InvalidInput, match="the environment variable NOBODY_SET_IT is not"):
            write("$NOBODY_SET_IT/a.png")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda given: simulate(given), id="simulate"),
        pytest.param(lambda given: train({"architecture": "simple_cnn"}, given, "o"), id="data"),
        pytest.param(lambda given: load_model(given), id="load_model"),
        pytest.param(lambda given: open_study("s", storage=given), id="open_study"),
    ],
)
@pytest.mark.parametrize("given", [None, 3, 1.5, b"/x", ["a"], True], ids=str)
def test_what_is_no_path_is_refused(call: Callable[[Any], Any], given: Any) -> None:
    with pytest.raises(InvalidInput, match="^a path must be a text or a pathlib.Path, got "):
        call(given)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("given", [None, 3, b"/x"], ids=str)
def test_a_studys_paths_are_paths(given: Any, begin_study: BeginStudy, toy_npz: Path) -> None:
    folder = begin_study()
    folder.records_file.write_text(f"{record(0, 0.1).model_dump_json()}\n")
    study = Study(folder)
    plan = {"name": "t", "architectures": ["simple_cnn"], "data": str(toy_npz), "trials": 1}
    for call in (study.export, study.report, lambda given: search(plan, storage=given)):
        with pytest.raises(InvalidInput, match="^a path must be a text or a pathlib.Path, got "):
            call(given)


@pytest.mark.parametrize("given", [None, 3, b"s", Path("s")], ids=str)
def test_the_name_of_a_study_is_a_text(given: Any) -> None:
    with pytest.raises(InvalidInput, match="^the name of a study must be a text, got "):
        open_study(given)


@pytest.mark.parametrize("given", ["x", 10.0, True, None, [3]], ids=str)
def test_a_number_of_galaxies_is_whole(given: Any, toy_npz: Path) -> None:
    with pytest.raises(InvalidInput, match="^num_galaxies must be a whole number, got "):
        simulate("q.npz", num_galaxies=given)
    with pytest.raises(InvalidInput, match="^seed must be a whole number, got "):
        simulate("q.npz", num_galaxies=1, seed=given)
    if given is not None:
        with pytest.raises(InvalidInput, match="^num_galaxies must be a whole number, got "):
            train({"architecture": "simple_cnn"}, toy_npz, "o", num_galaxies=given)
    assert list(Path().iterdir()) == []
    assert simulate("q.npz", num_galaxies=np.int64(1)).is_file()  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["folder", None, 3], ids=str)
def test_models_and_studies_are_opened_by_their_functions(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^a Model is made by load_model\(FOLDER\), not"):
        Model(given)
    with pytest.raises(InvalidInput, match=r"^a Study is opened by open_study\(NAME\), not"):
        Study(given)
    with pytest.raises(InvalidInput, match="^a config must be as `make_config` returns it or"):
        train(given, "a.npz", "o")
    if given != "folder":
        with pytest.raises(InvalidInput, match="^studies must be as `open_study` returns them"):
            report(given, "o")


def test_no_image_is_not_the_current_folder(trained: Path) -> None:
    model = galaxytune.load_model(trained)
    for call in (model.predict, lambda given: model.explain(given, 1)):
        with pytest.raises(InvalidInput, match="^a path is empty"):
            call("")
        with pytest.raises(InvalidInput, match="must be an array"):
            call(None)  # type: ignore[arg-type]
