"""A study from its grid to its report: one page, one export, a heat map for each network."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.comparison import best_by_architecture
from analysis.report_page import MISSING
from galaxytune.cli import main
from galaxytune.report_command import report_studies
from galaxytune.search import new_study, run_study
from galaxytune.study_folder import StudyFolder, open_study
from galaxytune.study_plan import make_plan
from galaxytune.trained_network import held_out_galaxies
from tests.browser import Visit, chromium
from trainables.galaxies.galaxy_file import Galaxies

ARCHITECTURES = ["simple_cnn", "vision_transformer", "timm:test_resnet"]


@pytest.fixture(scope="module")
def study(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Three networks, two seeds each, two epochs of toy galaxies."""
    plan = make_plan(
        {
            "name": "three",
            "architectures": ARCHITECTURES,
            "data": str(toy_npz),
            "epochs": 2,
            "grid": {"seed": [0, 1]},
            "wandb": "disabled",
            "set": {
                "simple_cnn.width": 0.1,
                "vision_transformer.width": 0.25,
                "vision_transformer.depth": 2,
                "weights": "none",
                "input_side": 32,
            },
        }
    )
    folder = new_study(plan, tmp_path_factory.mktemp("studies"))
    run_study(folder)
    return folder


@pytest.fixture(scope="module")
def page(study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_studies([study], tmp_path_factory.mktemp("out"), images=None)


def test_every_point_of_the_grid_was_trained_to_the_end(study: StudyFolder) -> None:
    records = study.records()
    assert {(r.architecture, r.config["seed"]) for r in records} == {
        (name, seed) for name in ARCHITECTURES for seed in (0, 1)
    }
    assert {(r.status, r.epochs) for r in records} == {("complete", 2)}
    assert all(r.published for r in records)


def test_seeds_of_one_config_differ(study: StudyFolder) -> None:
    assert len({r.val_rmse for r in study.records()}) == 6


def test_the_best_of_each_architecture_keeps_its_weights(study: StudyFolder) -> None:
    for name in ARCHITECTURES:
        best = best_by_architecture(study.records())[name]
        assert (study.checkpoint_folder(best.id) / "best.safetensors").exists()


def test_all_figures_are_written_twice(page: Path) -> None:
    names = {"leaderboard", "learning_curves", "question_error", "calibration", "preprocessing",
             "gallery", "decision_tree"}  # fmt: skip
    names |= {f"explanation_{name.replace(':', '_')}" for name in ARCHITECTURES}
    for suffix in ("png", "pdf"):
        assert names <= {path.stem for path in page.parent.glob(f"*.{suffix}")}


def test_the_page_compares_the_architectures(page: Path) -> None:
    text = page.read_text()
    for heading in ("Leaderboard", "Architectures compared", "Learning curves",
                    "Errors by question", "Galaxies", "Explanations"):  # fmt: skip
        assert f">{heading}</h2>" in text
    assert (
        "Table 3. Paired differences" in text.replace("&nbsp;", " ")
        or "Paired differences" in text
    )
    assert "1,821,477" not in text  # the transformer was narrowed: its own count is shown
    assert MISSING in text


def test_test_galaxies_are_predicted_once(study: StudyFolder, page: Path, toys: Galaxies) -> None:
    kept = sorted((study.report / "test_predictions").glob("*.npy"))
    (record,) = [r for r in study.records() if r.id == kept[0].stem]
    changed = np.load(kept[0]) / 2
    np.save(kept[0], changed)
    assert np.array_equal(held_out_galaxies(study, record, toys).predicted, changed)
    np.save(kept[0], changed * 2)
    assert len(kept) == 3


def test_the_page_opens_quietly_in_a_browser(page: Path) -> None:
    with chromium() as browser:
        visit = Visit(browser, page, viewport={"width": 1280, "height": 900})
        visit.page.wait_for_load_state("networkidle")
        assert [u for u in visit.requests[1:] if not u.startswith("data:")] == []
        widths = visit.page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")
        assert len(widths) == 10 and min(widths) > 300
        before = visit.column(1, 5)
        visit.page.click("#table-1 thead th:nth-child(5) button")
        assert visit.column(1, 5) == sorted(before, key=float)
        assert visit.complaints == []


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["galaxytune", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_export_predicts_and_explains(
    study: StudyFolder, toy_npz: Path, toys: Galaxies, tmp_path: Path, capfd, monkeypatch
) -> None:
    storage = ["--storage", study.path.parent]
    assert run(monkeypatch, "export", study.name, tmp_path / "best", *storage) == 0
    assert run(monkeypatch, "predict", tmp_path / "best", toy_npz, tmp_path / "p.csv") == 0
    assert pd.read_csv(tmp_path / "p.csv").shape == (200, 38)
    Image.fromarray(np.asarray(toys.images[0])).save(tmp_path / "one.png")
    asked = ["--question", "spiral"]
    picture = tmp_path / "why.png"
    assert (
        run(monkeypatch, "explain", tmp_path / "best", tmp_path / "one.png", picture, *asked) == 0
    )
    assert "question 4, spiral arms" in capfd.readouterr().err and picture.stat().st_size > 10_000


def test_studies_of_other_galaxies_are_not_reported_together(
    study: StudyFolder, toy_npz: Path, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan({"name": "other", "architectures": ["simple_cnn"], "data": str(toy_npz),
                      "trials": 1, "epochs": 1, "split": "seed"})  # fmt: skip
    new_study(plan, study.path.parent)
    other = open_study(study.path.parent, "other")
    with pytest.raises(ValueError, match="cannot be compared; report them one at a time"):
        report_studies([study, other], tmp_path, images=None)
    with pytest.raises(ValueError, match="no trial of other has ended yet"):
        report_studies([other], tmp_path, images=None)
    storage = ["--storage", study.path.parent]
    assert run(monkeypatch, "report", "other", tmp_path, *storage) == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
