"""A study from its grid to its report: one page, one export, a heat map for each network."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.records.held_out import ImageRows
from analysis.report.page import MISSING
from analysis.report.study_results import StudyResults
from analysis.statistics.comparison import best_by_architecture
from galaxytune.driver.run import run_study
from galaxytune.models.study_report import report_studies
from galaxytune.models.trained_network import held_out_galaxies
from galaxytune.plan.making import make_plan
from galaxytune.study.creation import new_study, open_folder
from galaxytune.study.folder import StudyFolder
from galaxytune.study.results import outcome_lines
from search_spaces.declaration.errors import InvalidInput
from tests.support.browser import Visit, chromium
from tests.support.command_line import run_main
from trainables.galaxies.galaxy_file import Galaxies

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("small_ray")]

ARCHITECTURES = ["simple_cnn", "vision_transformer", "timm:test_resnet"]


@pytest.fixture(scope="module")
def study(small_ray: None, toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
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
                "timm:test_resnet.input_side": 32,
            },
        }
    )
    folder = new_study(plan, tmp_path_factory.mktemp("studies"))
    run_study(folder)
    return folder


@pytest.fixture(scope="module")
def page(study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_studies([study], tmp_path_factory.mktemp("out"))


def test_every_point_of_the_grid_was_trained_to_the_end(study: StudyFolder) -> None:
    records = study.records()
    assert {(r.architecture, r.config.seed) for r in records} == {
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


def test_test_images_stay_where_they_are_mapped(study: StudyFolder, toys: Galaxies) -> None:
    record = best_by_architecture(study.records())["simple_cnn"]
    held_out = held_out_galaxies(study, record, toys, name="three/1")
    rows = study.split_rows().test
    assert held_out.label == "simple_cnn, trial three/1"
    assert isinstance(held_out.images, ImageRows)
    assert np.shares_memory(held_out.images.images, toys.images)
    assert held_out.images.shape == (len(rows), 64, 64, 3)
    for place in (0, slice(1, 4), [2, 0], np.array([3])):
        np.testing.assert_array_equal(held_out.images[place], toys.images[rows][place])


def test_what_was_found_lies_beside_the_page(page: Path) -> None:
    told = (page.parent / "findings.txt").read_text().splitlines()
    assert told[0] == "6 trials ended: 6 complete."
    assert all(line.endswith(".") for line in told)


def test_a_grid_is_no_search_that_gained(study: StudyFolder, page: Path) -> None:
    assert len(outcome_lines(study)) == 1
    assert "published config among the trials" not in page.read_text()


@pytest.fixture(scope="module")
def crippled(
    study: StudyFolder, page: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The report of the study without two networks' weights and one's predictions; its steps."""
    storage, steps = tmp_path_factory.mktemp("crippled"), list[str]()
    shutil.copytree(study.path, storage / study.name)
    copy = open_folder(storage, study.name)
    best = best_by_architecture(copy.records())
    for name in ("simple_cnn", "vision_transformer"):
        shutil.rmtree(copy.checkpoint_folder(best[name].id))
    lost = best["vision_transformer"].id
    (copy.report / "test_predictions" / f"{lost}.npy").unlink()
    return report_studies([copy], storage / "out", on_step=steps.append), steps


def test_lost_weights_cost_the_heat_maps_alone(crippled: tuple[Path, list[str]]) -> None:
    page, steps = crippled
    text = page.read_text()
    assert "compared by its kept predictions and has no heat maps" in text
    assert any(step.startswith("note: The network of simple_cnn") for step in steps)
    assert not (page.parent / "explanation_simple_cnn.png").exists()
    assert (page.parent / "explanation_timm_test_resnet.png").exists()
    assert "simple_cnn" in text[text.index("Paired differences") :]


def test_without_weights_and_predictions_an_architecture_is_left_out(
    crippled: tuple[Path, list[str]],
) -> None:
    page, steps = crippled
    text = page.read_text()
    assert "left out of the comparison (the weights of trial" in text
    assert any(step.startswith("note: The network of vision_transformer") for step in steps)
    assert "vision_transformer" not in text[text.index("Paired differences") :]
    assert (page.parent / "preprocessing.png").exists()


@pytest.mark.parametrize("wrong", ["out", "below", "images", "empty"])
def test_arguments_are_checked_before_anything_is_predicted(
    study: StudyFolder, tmp_path: Path, wrong: str
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    (tmp_path / "empty").mkdir()
    out = {"out": file, "below": file / "out"}.get(wrong, tmp_path / "out")
    images = {"images": tmp_path / "none", "empty": tmp_path / "empty"}.get(wrong)
    steps: list[str] = []
    with pytest.raises(InvalidInput, match="is a file|no file or folder|holds no"):
        report_studies([study], out, images, on_step=steps.append)
    assert steps == [] and not (tmp_path / "out").exists()


def test_a_survey_image_that_cannot_be_read_is_named_first(
    study: StudyFolder, toys: Galaxies, tmp_path: Path
) -> None:
    name = toys.ids[study.split_rows().test[0]]
    (tmp_path / f"{name}.jpg").write_bytes(b"no picture")
    steps: list[str] = []
    with pytest.raises(InvalidInput, match=f"--images: {name} cannot be read"):
        report_studies([study], tmp_path / "out", tmp_path, on_step=steps.append)
    assert steps == []


def test_trials_of_several_studies_bear_their_studys_name(
    study: StudyFolder, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(study.path, tmp_path / "again")
    labels: list[str] = []

    def look(results: StudyResults, out: Path, **_: object) -> Path:
        labels.extend(best.tested.label for best in results.best.values())
        assert set(results.studies) == {"three", "again"}
        return out

    monkeypatch.setattr("galaxytune.models.study_report.write_report", look)
    report_studies([study, open_folder(tmp_path, "again")], tmp_path / "out")
    assert len(labels) == 3
    assert all("trial three/" in label or "trial again/" in label for label in labels)


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


def test_the_export_predicts_and_explains(
    study: StudyFolder,
    toy_npz: Path,
    toys: Galaxies,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    storage = ["--storage", study.path.parent]
    assert run_main("export", study.name, tmp_path / "best", *storage) == 0
    assert run_main("predict", tmp_path / "best", toy_npz, tmp_path / "p.csv") == 0
    assert pd.read_csv(tmp_path / "p.csv").shape == (200, 38)
    Image.fromarray(np.asarray(toys.images[0])).save(tmp_path / "one.png")
    asked = ["--question", "spiral"]
    picture = tmp_path / "why.png"
    assert run_main("explain", tmp_path / "best", tmp_path / "one.png", picture, *asked) == 0
    assert "question 4, spiral arms" in capfd.readouterr().err and picture.stat().st_size > 10_000


def test_studies_of_other_galaxies_are_not_reported_together(
    study: StudyFolder, toy_npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan({"name": "other", "architectures": ["simple_cnn"], "data": str(toy_npz),
                      "trials": 1, "epochs": 1, "split": "seed"})  # fmt: skip
    new_study(plan, study.path.parent)
    other = open_folder(study.path.parent, "other")
    with pytest.raises(InvalidInput, match="cannot be compared; report them one at a time"):
        report_studies([study, other], tmp_path)
    with pytest.raises(InvalidInput, match="no trial of other has ended yet"):
        report_studies([other], tmp_path)
    storage = ["--storage", study.path.parent]
    assert run_main("report", "other", tmp_path, *storage) == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
