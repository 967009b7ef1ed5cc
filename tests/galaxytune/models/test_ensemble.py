"""Ensembles of a study's trials: who may be a member, the folder, and what is told of the gain."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.records import Status
from galaxytune.api.study import Study
from galaxytune.models.ensemble import export_ensemble, export_study
from galaxytune.models.explanation import explain_image
from galaxytune.models.export import export_best
from galaxytune.models.export_folder import load_export
from galaxytune.models.export_sentences import gain_sentences
from galaxytune.models.kept_trials import KeptTrial, kept_trials, validation_predictions
from galaxytune.models.prediction import predict_images
from galaxytune.models.trained_network import held_out_galaxies, trained_network
from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput
from tests.support.command_line import Cli
from tests.support.ended_studies import end_trials
from tests.support.networks import noise
from tests.support.records import record
from tests.support.studies import BeginStudy
from trainables.architectures import build_network
from trainables.decision_tree import COLUMNS
from trainables.files import append_line, load_weights
from trainables.galaxies import Galaxies
from trainables.training import NumViews, predict, rmse

CPU = torch.device("cpu")
SIDES: list[dict[str, Any]] = [
    {"seed": 1},
    {"seed": 2},
    {
        "architecture": "residual_cnn",
        "depth": 1,
        "input_side": 32,
        "field_fraction": 0.75,
        "seed": 3,
    },
]
SINGLE = ["README.md", "config.yaml", "metrics.json", "model.safetensors", "provenance.json"]
ENSEMBLE = ["README.md", "ensemble.json", "members", "metrics.json", "provenance.json"]


@pytest.fixture
def study(begin_study: BeginStudy, toys: Galaxies) -> StudyFolder:
    """A study of three complete trials, two of which differ only in the seed."""
    folder = begin_study()
    end_trials(folder, toys, SIDES)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ids(trials: list[KeptTrial]) -> list[str]:
    return [f"{trial.study.name}/{trial.record.id}" for trial in trials]


def test_predictions_that_were_not_kept_are_computed_once(
    study: StudyFolder, toys: Galaxies
) -> None:
    trial = kept_trials(study)[0]
    rows = study.split_rows().validation
    found = validation_predictions(trial, toys)
    expected = predict(trained_network(study, trial.record), toys.images, CPU, rows)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4)
    kept = study.checkpoint_folder(trial.record.id) / "best_validation.npy"
    np.save(kept, np.full((len(rows), 37), 0.5, np.float16))
    assert (validation_predictions(trial, toys) == 0.5).all()


def test_members_are_complete_within_the_limit_and_have_weights(
    begin_study: BeginStudy, toys: Galaxies
) -> None:
    study = begin_study(max_tree_residual=0.02)
    end_trials(study, toys, [{"seed": seed} for seed in range(3)])
    others: list[tuple[int, Status, float]] = [
        (3, "pruned", 0.01),
        (4, "complete", 0.01),
        (5, "complete", 0.5),
    ]
    for number, status, residual in others:
        extra = record(number, 0.01, status=status, residual=residual)
        append_line(study.records_file, extra.model_dump(mode="json"))
        if number != 4:  # trial 4 has lost its weights
            end = study.checkpoint_folder("00000") / "best.safetensors"
            other = study.checkpoint_folder(extra.id)
            other.mkdir()
            (other / end.name).write_bytes(end.read_bytes())
    found = kept_trials(study)
    assert sorted(ids(found)) == ["s/00000", "s/00001", "s/00002"]
    errors = [trial.record.val_rmse or 0 for trial in found]
    assert errors == sorted(errors)


def test_seeds_of_confirm_may_be_members_if_they_saw_the_same_galaxies(
    study: StudyFolder, begin_study: BeginStudy, toys: Galaxies
) -> None:
    for name, changes in (
        ("s-confirm-2", {}),
        ("s-confirm-x", {}),
        ("t-confirm-2", {}),
        ("s-confirm-3", {"split": "seed"}),
    ):
        end_trials(begin_study(name=name, **changes), toys, [{"seed": 1000}])
    assert ids(kept_trials(study))[3:] == ["s-confirm-2/00000"]
    assert len(kept_trials(study)) == 4


def test_a_study_without_weights_has_no_ensemble(begin_study: BeginStudy) -> None:
    study = begin_study()
    append_line(study.records_file, record(0, 0.1).model_dump(mode="json"))
    with pytest.raises(InvalidInput, match="no trial of study 's' is complete and has its wei"):
        kept_trials(study)


def test_an_ensemble_is_used_like_one_model(
    study: StudyFolder, toys: Galaxies, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_ensemble(study, out, 5)
    assert names(out) == ENSEMBLE
    export = load_export(out)
    entries = [member.entry for member in export.members]
    assert sum(entry.picks for entry in entries) == 5
    assert [m.weight for m in export.members] == [e.picks / 5 for e in entries]
    assert entries == sorted(entries, key=lambda entry: -entry.picks)
    assert export.config == export.members[0].config

    kept = {trial.record.id: trial for trial in kept_trials(study)}
    pixels = np.asarray(toys.images[:3])
    for views in (1, 8):
        alone = [
            predict(trained_network(study, kept[e.trial].record), pixels, CPU, num_views=views)
            for e in entries
        ]
        expected = sum(m.weight * each for m, each in zip(export.members, alone))
        found = predict_images(export, pixels, num_views=views).table[list(COLUMNS)].to_numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)

    rows = study.split_rows().validation
    validation = export.metrics["validation"]
    named: list[tuple[NumViews, str]] = [(1, "rmse"), (8, "rmse_8_views")]
    for views, name in named:
        found = predict(export.network, toys.images, CPU, rows, num_views=views)
        assert validation[name] == pytest.approx(rmse(found, toys.target[rows]), abs=1e-6)
    assert "8 views " in (out / "README.md").read_text()


def test_the_gain_is_that_of_the_test_galaxies(
    study: StudyFolder, toys: Galaxies, tmp_path: Path
) -> None:
    export_ensemble(study, tmp_path / "out", 3)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    told = metrics["ensemble"]
    best = kept_trials(study)[0]
    alone = held_out_galaxies(study, best.record, toys)
    single = rmse(alone.predicted, alone.voted)
    assert told["over_best"]["rmse"] == pytest.approx(single)
    assert told["over_best"]["difference"] == pytest.approx(
        metrics["test"]["rmse"] - single, abs=1e-6
    )
    low, high = told["over_best"]["interval_95"]
    assert low <= told["over_best"]["difference"] <= high
    export = load_export(tmp_path / "out")
    tested = predict(export.network, toys.images, CPU, study.split_rows().test)
    assert metrics["test"]["rmse"] == pytest.approx(rmse(tested, alone.voted), abs=1e-6)

    seeds = told["over_seeds"]
    like = [t for t in kept_trials(study) if t.is_like(best.record)]
    assert len(like) == 2 <= len(export.members)
    mean = np.mean([held_out_galaxies(study, t.record, toys).predicted for t in like], axis=0)
    assert seeds["rmse"] == pytest.approx(rmse(mean, alone.voted), abs=1e-6)
    assert seeds["num_networks"] == 2 and seeds["than"].startswith("the mean of 2 seeds of trial")
    card = (tmp_path / "out" / "README.md").read_text()
    assert all(sentence in card for sentence in gain_sentences(metrics))
    assert f"| {export.members[0].entry.trial} |" in card
    export_ensemble(study, tmp_path / "alone", 1)  # as many seeds as members would be one
    assert load_export(tmp_path / "alone").metrics["ensemble"]["over_seeds"] is None


def test_the_sentences_say_who_is_better() -> None:
    def sentences(low: float, high: float, **others: Any) -> list[str]:
        gain = {"than": "trial 00007 alone", "rmse": 0.1, "difference": -0.01}
        told = {"over_best": {**gain, "interval_95": [low, high]}, "over_seeds": None}
        return gain_sentences({"ensemble": {**told, "rmse": 0.09}, **others})

    (better,), (worse,), (open_,) = (sentences(*ends) for ends in ((-2, -1), (1, 2), (-1, 1)))
    assert "0.0900 and trial 00007 alone 0.1000: the difference is -0.0100" in better
    assert better.endswith("the ensemble is better.") and worse.endswith("the ensemble is worse.")
    assert open_.endswith("the galaxies do not tell the two apart.")
    (refitted,) = sentences(-2, -1, refit={"rows": "not_test"})
    assert "the ensemble before the refit has an RMSE of 0.0900" in refitted
    assert gain_sentences({"validation": {}}) == []
    without = {"ensemble": {"over_best": None, "over_seeds": None}}
    assert gain_sentences(without) == [
        "Without test galaxies it is not known what the ensemble gains."
    ]


def test_an_export_of_the_other_kind_leaves_nothing_that_misleads(
    study: StudyFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_best(study, out)
    assert names(out) == SINGLE
    (out / "model.pt2").write_bytes(b"the single network")
    export_ensemble(study, out, 4)
    assert names(out) == ENSEMBLE
    before = names(out / "members")
    assert len(before) > 1
    export_ensemble(study, out, 1)
    assert len(load_export(out).members) == 1
    assert names(out / "members") == ["1"]
    (out / "members" / "notes.txt").write_text("of a person")
    export_best(study, out)
    assert names(out) == sorted([*SINGLE, "members"])
    assert names(out / "members") == ["notes.txt"]
    assert load_export(out).members == ()


def test_members_that_cannot_be_written_leave_the_single_network(
    study: StudyFolder, tmp_path: Path
) -> None:
    best = export_best(study, tmp_path / "out")
    (tmp_path / "out" / "members").write_text("of a person")
    with pytest.raises(InvalidInput, match="members"):
        Study(study).export(tmp_path / "out", ensemble=2)
    assert load_export(tmp_path / "out").config == best.config


def test_a_training_begins_from_a_member_not_from_an_ensemble(
    study: StudyFolder, tmp_path: Path
) -> None:
    export_ensemble(study, tmp_path / "out", 1)
    (member,) = load_export(tmp_path / "out").members
    begun = member.config.model_copy(update={"begin_from": str(tmp_path / "out" / "members/1")})
    found = build_network(begun).state_dict()
    weights = load_weights(tmp_path / "out" / "members/1" / "model.safetensors")
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    with pytest.raises(InvalidInput, match="out is an ensemble; give a member, such as .*/1$"):
        build_network(begun.model_copy(update={"begin_from": str(tmp_path / "out")}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read"),
        ("{}", "must hold a list of members"),
        ('{"members": []}', "must hold a list of members"),
        ('{"members": [{"picks": 0}]}', "describes no ensemble: picks: "),
    ],
)
def test_a_damaged_ensemble_is_named_in_one_line(
    content: str, reason: str, study: StudyFolder, tmp_path: Path
) -> None:
    export_ensemble(study, tmp_path / "out", 2)
    (tmp_path / "out" / "ensemble.json").write_text(content)
    with pytest.raises(InvalidInput, match=f"ensemble.json {reason}") as error:
        load_export(tmp_path / "out")
    assert "\n" not in str(error.value)


def test_an_ensemble_without_a_member_is_named(study: StudyFolder, tmp_path: Path) -> None:
    export_ensemble(study, tmp_path / "out", 2)
    (tmp_path / "out" / "members" / "1" / "model.safetensors").unlink()
    with pytest.raises(InvalidInput, match="members/1 is no export folder: it lacks model.saf"):
        load_export(tmp_path / "out")


def test_a_refit_keeps_the_figures_of_the_model_before(study: StudyFolder, tmp_path: Path) -> None:
    steps: list[str] = []
    plain, again = tmp_path / "plain", tmp_path / "again"
    export_best(study, plain)
    export_best(study, again, refit="all", on_step=steps.append)
    before, after = load_export(plain), load_export(again)
    refit = after.metrics.pop("refit")
    assert after.metrics == before.metrics
    (trial,) = refit["epochs_by_trial"]
    assert refit["rows"] == "all"
    assert refit["num_galaxies"] == 200 and refit["epochs_by_trial"][trial] == 2
    assert [step.partition(",")[0] for step in steps] == [
        f"refit of trial {trial}: epoch {epoch}/2" for epoch in (1, 2)
    ]
    weights = [export.network.state_dict() for export in (before, after)]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    card = (again / "README.md").read_text()
    assert "All figures are of the model before this refit" in card
    assert "refit" not in (plain / "README.md").read_text()


@pytest.mark.slow
def test_all_members_are_trained_again(study: StudyFolder, tmp_path: Path) -> None:
    export_study(study, tmp_path / "plain", 4)
    export_study(study, tmp_path / "again", 4, refit="not_test")
    before, after = (load_export(tmp_path / name) for name in ("plain", "again"))
    assert [m.entry for m in before.members] == [m.entry for m in after.members]
    trials = {member.entry.trial for member in after.members}
    assert set(after.metrics["refit"]["epochs_by_trial"]) == trials
    pixels = noise(2)
    found = [predict(export.network, pixels, CPU) for export in (before, after)]
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert after.metrics["ensemble"] == before.metrics["ensemble"]
    assert after.metrics["ensemble"]["rmse"] == before.metrics["test"]["rmse"]
    assert after.metrics["test"]["rmse"] != before.metrics["test"]["rmse"]


def test_a_refit_without_test_galaxies_is_scored_on_them(
    study: StudyFolder, toys: Galaxies, tmp_path: Path
) -> None:
    export_best(study, tmp_path / "plain")
    model = Study(study).export(tmp_path / "again", refit=True, refit_rows="not_test")
    before, told = load_export(tmp_path / "plain").metrics, model.metrics["refit"]
    rows = study.split_rows()
    assert told["num_galaxies"] == len(rows.training) + len(rows.validation) < 200
    assert told["metrics_are_of"] == {
        "validation": "the model before the refit",
        "test": "the refitted model",
    }
    assert model.metrics["validation"] == before["validation"]
    found = rmse(predict(model.network, toys.images, CPU, rows.test), toys.target[rows.test])
    assert model.metrics["test"]["rmse"] == pytest.approx(found, abs=1e-6)
    assert model.metrics["test"]["rmse"] != before["test"]["rmse"]
    assert "The test figures are of these weights." in (tmp_path / "again/README.md").read_text()
    export_best(study, tmp_path / "plain")  # the study keeps the figures of the trial
    assert load_export(tmp_path / "plain").metrics == before


def test_rows_of_a_refit_that_do_not_fit_are_refused(study: StudyFolder, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the refit rows not_test need a refit"):
        Study(study).export(tmp_path / "out", refit_rows="not_test")
    with pytest.raises(InvalidInput, match="the refit rows are all or not_test, not 'test'"):
        Study(study).export(tmp_path / "out", refit=True, refit_rows="test")  # type: ignore[arg-type]


def test_an_ensemble_is_explained(study: StudyFolder, tmp_path: Path) -> None:
    export_ensemble(study, tmp_path / "out", 4)
    export = load_export(tmp_path / "out")
    explanation = explain_image(export, noise(1)[0], "spiral arms")
    assert explanation.heat.shape == (64, 64) and explanation.heat.max() == 1
    assert explanation.method == "Grad-CAM"
    assert len(export.members) > 1
    assert explanation.label == f"ensemble of {len(export.members)} networks, an array"


@pytest.mark.slow
def test_an_ensemble_is_written_as_one_portable_file(study: StudyFolder, tmp_path: Path) -> None:
    export_ensemble(study, tmp_path / "out", 4, formats=["onnx", "torch"])
    assert {"model.onnx", "model.pt2"} <= set(names(tmp_path / "out"))
    differences = load_export(tmp_path / "out").provenance["largest_difference_by_file"]
    assert 0 < max(differences.values()) <= 1e-5
    assert "onnxruntime" in (tmp_path / "out" / "README.md").read_text()


def test_python_takes_an_ensemble_for_one_model(study: StudyFolder, tmp_path: Path) -> None:
    steps: list[str] = []
    model = Study(study).export(tmp_path / "out", ensemble="auto", on_step=steps.append)
    assert repr(model).startswith("<Model ensemble of ") and model.members
    assert steps[0].endswith("of 3 trials with weights were picked for the ensemble")
    assert model.provenance["study"] == "s" and model.provenance["trial"] is None
    assert model.predict(noise(2)).shape == (2, 38)
    for wrong in (0, 2.5, "best", True):
        with pytest.raises(InvalidInput, match="ensemble"):
            Study(study).export(tmp_path / "out", ensemble=wrong)  # type: ignore[arg-type]


def test_the_command_tells_what_an_ensemble_gains(
    study: StudyFolder, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ("export", "s", "out", "--storage", study.path.parent)
    assert cli(*given, "--ensemble", "3", "--refit", "--refit-rows", "not_test") == 0
    lines = capfd.readouterr().err.splitlines()
    assert any(line.startswith("ensemble of ") and "(3 picks, val" in line for line in lines)
    assert any("paired 95 % interval" in line for line in lines)
    assert any("The test figures are of these weights." in line for line in lines)
    assert cli(*given, "--refit-rows", "not_test") == 2
    assert "the refit rows not_test need a refit (--refit)" in capfd.readouterr().err
    assert cli(*given, "--ensemble", "many") == 2
    assert "--ensemble is auto or a number of picks from 1" in capfd.readouterr().err
