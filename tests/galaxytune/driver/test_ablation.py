"""An ablation with real trainings: what is missing is trained, and only once."""

import json
from pathlib import Path

import pytest

from galaxytune.api import open_study
from galaxytune.cluster.connection import ClusterAddress
from galaxytune.driver.ablation import ablate_study
from galaxytune.driver.run import run_study
from galaxytune.models.study_report import report_studies
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput
from tests.support.command_line import Cli, run_main
from tests.support.records import record
from tests.support.studies import small_study

SETTINGS = {"width": 0.1, "batch_size": 32}


@pytest.fixture(scope="module")
def study(small_ray: None, toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study whose best trial differs from its published config in at least two fields."""
    folder = small_study(
        toy_npz,
        tmp_path_factory.mktemp("studies"),
        trials=2,
        epochs=2,
        set=SETTINGS,
        search_only=["learning_rate", "dropout", "augmentation_strength"],
    )
    run_study(folder)
    first, last = sorted(folder.records(), key=lambda r: r.id)
    # a published trial that is worse than the other, whatever the two networks have learned
    metrics = {"validation": {**first.metrics["validation"], "rmse": 0.9}}
    worse = first.model_copy(update={"metrics": {**first.metrics, **metrics}})
    lines = [trial.model_dump_json() + "\n" for trial in (worse, last)]
    folder.records_file.write_text("".join(lines))
    return folder


@pytest.mark.ray
def test_every_config_of_the_path_is_trained_once(
    study: StudyFolder, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = ablate_study(study, num_seeds=1, where=ClusterAddress())
    published, best = sorted(study.records(), key=lambda r: r.id)
    assert found.steps[0].val_rmse == published.val_rmse == 0.9
    assert found.steps[-1].val_rmse == best.val_rmse and found.trial == best.id
    assert len(found.steps) >= 3 and all(step.num_failed == 0 for step in found.steps)
    trained = StudyFolder(study.path.parent / f"s-ablate-{best.id}-1")
    ended = {r.id: r for r in trained.records()}
    assert len(ended) == len(found.steps) - 2  # both ends had been trained by the study
    assert {r.epochs for r in ended.values()} == {2} and {
        r.config.seed for r in ended.values()
    } == {0}
    assert {s.val_rmse for s in found.steps[1:-1]} == {r.val_rmse for r in ended.values()}
    assert len(study.records()) == 2  # the trainings are no trials of the search

    before = trained.records_file.stat().st_mtime_ns
    assert ablate_study(study, num_seeds=1, where=ClusterAddress()) == found
    assert trained.records_file.stat().st_mtime_ns == before

    capfd.readouterr()
    assert run_main("ablate", "s", "--json", "--storage", study.path.parent) == 0
    assert json.loads(capfd.readouterr().out) == found.as_values()
    assert run_main("ablate", "s", "--storage", study.path.parent) == 0
    told = capfd.readouterr()
    assert "From published to best of s" in told.out and "published config" in told.out
    assert "was trained to its end with one seed" in told.err

    frame = open_study("s", storage=study.path.parent).ablate()
    assert frame["val_rmse"].tolist() == [step.val_rmse for step in found.steps]
    page = report_studies([study], tmp_path / "out").read_text()
    assert ">From published to best (trained)</h2>" in page
    assert (tmp_path / "out" / "ablation.png").exists()


@pytest.mark.ray
def test_an_interrupted_ablation_goes_on(study: StudyFolder) -> None:
    found = ablate_study(study, num_seeds=2, where=ClusterAddress())
    trained = StudyFolder(study.path.parent / f"s-ablate-{found.trial}-2")
    lines = trained.records_file.read_text().splitlines(keepends=True)
    trained.records_file.write_text("".join(lines[:-1]))  # as if the last had not ended
    again = ablate_study(study, num_seeds=2, where=ClusterAddress())
    assert again == found and len(trained.records()) == len(lines)
    assert all(len(step.val_rmse_by_seed) == 2 for step in found.steps)
    assert all(step.interval_95 is not None for step in found.steps)


def test_wrong_input_gets_one_line_and_nothing_is_written(
    cli: Cli, toy_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = small_study(toy_npz, Path("studies").resolve())
    capfd.readouterr()
    for arguments, told in (
        (["nowhere"], "no study 'nowhere'"),
        (["s"], "no trial of this study is complete yet"),
        (["s", "--seeds", "0"], "--seeds"),
    ):
        assert cli("ablate", *arguments) == 2
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and told in lines[0], lines
    folder.records_file.write_text(f"{record(0, 0.1, epochs=4).model_dump_json()}\n")
    assert cli("ablate", "s") == 2
    assert "has the published config of simple_cnn, so there is nothing" in capfd.readouterr().err
    assert [p.name for p in Path("studies").iterdir()] == ["s"]
    assert not folder.ablation_file.exists()


def test_a_number_of_seeds_below_one_is_refused(toy_npz: Path, tmp_path: Path) -> None:
    folder = small_study(toy_npz, tmp_path)
    with pytest.raises(InvalidInput, match="seeds"):
        ablate_study(folder, num_seeds=0, where=ClusterAddress())
