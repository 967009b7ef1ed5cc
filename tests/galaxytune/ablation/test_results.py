"""The ablation that a report shows: trained if all is trained, else predicted, else a sentence."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from analysis.records import Ablation, TrialRecord
from galaxytune.ablation.path import ablation_path, store_path
from galaxytune.ablation.results import study_ablation, trained_ablation
from galaxytune.ablation.trainings import (
    ablation_name,
    ablation_plan,
    ablation_seeds,
    check_trains,
    missing_trainings,
)
from galaxytune.study.creation import new_study
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput
from tests.support.records import made_up_records, record
from tests.support.studies import BeginStudy, small_study


def write(folder: StudyFolder, trials: Sequence[TrialRecord]) -> None:
    folder.records_file.write_text("".join(f"{t.model_dump_json()}\n" for t in trials))


@pytest.fixture
def folder(begin_study: BeginStudy) -> StudyFolder:
    """A study with a published config and a best config that differ in two fields."""
    folder = begin_study()
    best = record(1, 0.07, epochs=4, learning_rate=0.004, dropout=0.25)
    write(folder, [record(0, 0.1, epochs=4, published=True), best])
    return folder


def ablations_study(folder: StudyFolder, num_seeds: int) -> StudyFolder:
    """Make the study of an ablation's trainings, none of which has begun."""
    path = ablation_path(folder)
    store_path(path, folder.ablation_file)
    missing = missing_trainings(folder, path, num_seeds)
    name = ablation_name(folder.name, path, num_seeds)
    return new_study(ablation_plan(folder.plan, name, missing), folder.path.parent)


def test_only_what_lies_between_the_ends_is_left_to_train(folder: StudyFolder) -> None:
    path = ablation_path(folder)
    assert missing_trainings(folder, path, 1) == [path.configs[1]]
    assert len(path.configs) == 3
    seeds = ablation_seeds(folder, path, 3)
    assert seeds == [0, 1000, 1001]
    assert [c.seed for c in missing_trainings(folder, path, 3)] == [1000, 1001, *seeds, 1000, 1001]


def test_the_best_trials_own_seed_is_not_taken_twice(begin_study: BeginStudy) -> None:
    folder = begin_study()
    write(folder, [record(1, 0.07, epochs=4, learning_rate=0.004, seed=1001)])
    assert ablation_seeds(folder, ablation_path(folder), 3) == [1001, 1000, 1002]


def test_the_trainings_are_a_grid_of_the_configs_that_are_missing(folder: StudyFolder) -> None:
    study = ablations_study(folder, 1)
    assert study.name == "s-ablate-00001-1" and study.plan.trials == 1
    ((_, config),) = study.plan.grid_configs()
    assert config == ablation_path(folder).configs[1]
    assert study.plan.data == folder.plan.data and not study.plan.stops_early


def test_the_gains_are_those_of_the_trainings(folder: StudyFolder) -> None:
    study = ablations_study(folder, 1)
    middle = ablation_path(folder).configs[1]
    write(study, [record(0, 0.08, **middle.model_dump())])
    found = study_ablation(folder)
    assert isinstance(found, Ablation) and found.source == "trained" and found.num_seeds == 1
    assert [step.val_rmse for step in found.steps] == [0.1, 0.08, 0.07]
    assert [step.gain_percent for step in found.steps][1:] == pytest.approx([20.0, 10.0])
    assert [step.changes[0].field for step in found.steps[1:]] == ["learning_rate", "dropout"]


def test_trainings_of_other_seeds_are_used_again(folder: StudyFolder) -> None:
    first = ablations_study(folder, 1)
    path = ablation_path(folder)
    write(first, [record(0, 0.08, **path.configs[1].model_dump())])
    assert len(missing_trainings(folder, path, 2)) == 3  # the second seed of each config
    second = ablations_study(folder, 2)
    trials = [
        record(i, 0.09 + i / 100, **config.model_dump())
        for i, (_, config) in enumerate(second.plan.grid_configs())
    ]
    write(second, trials)
    found = study_ablation(folder)
    assert isinstance(found, Ablation) and found.num_seeds == 2
    assert found.steps[1].val_rmse_by_seed == pytest.approx((0.08, 0.10))
    assert found.steps[1].val_rmse == pytest.approx(0.09)
    low, high = found.steps[1].interval_95 or (0, 0)
    # Student's t of one degree of freedom: .09 +- 12.7062 * .0141421 / sqrt(2)
    assert (low, high) == pytest.approx((0.09 - 0.127062, 0.09 + 0.127062), abs=1e-5)


def test_a_failed_training_is_told_and_not_trained_again(folder: StudyFolder) -> None:
    study = ablations_study(folder, 1)
    path = ablation_path(folder)
    write(study, [record(0, None, status="failed", **path.configs[1].model_dump())])
    assert missing_trainings(folder, path, 1) == []
    found = trained_ablation(folder, path, 1)
    assert [step.num_failed for step in found.steps] == [0, 1, 0]
    assert [step.gain_percent for step in found.steps] == [None, None, pytest.approx(30.0)]


def test_a_pruned_trial_of_the_study_does_not_count_as_trained(folder: StudyFolder) -> None:
    path = ablation_path(folder)
    pruned = record(2, 0.08, status="pruned", **path.configs[1].model_dump())
    write(folder, [*folder.records(), pruned])
    assert missing_trainings(folder, path, 1) == [path.configs[1]]


def test_a_study_with_other_galaxies_is_not_used(folder: StudyFolder) -> None:
    storage = folder.path.parent
    path = ablation_path(folder)
    data = Path(folder.plan.data)
    other = small_study(data, storage, name="s-ablate-mine", num_galaxies=100)
    write(other, [record(0, 0.08, **path.configs[1].model_dump())])
    assert missing_trainings(folder, path, 1) == [path.configs[1]]


def test_a_study_of_that_name_with_other_configs_is_refused(folder: StudyFolder) -> None:
    path = ablation_path(folder)
    data, grid = Path(folder.plan.data), {"learning_rate": [0.1]}
    other = small_study(data, folder.path.parent, name="other", grid=grid, trials=1)
    with pytest.raises(InvalidInput, match="other trains other configs than the ablation needs"):
        check_trains(other, missing_trainings(folder, path, 1))


def test_without_trainings_the_path_is_predicted(begin_study: BeginStudy) -> None:
    folder = begin_study()
    write(folder, made_up_records(12, epochs=4))
    found = study_ablation(folder)
    assert isinstance(found, Ablation) and found.source == "predicted"
    assert found.num_modelled == 12 and found.num_seeds is None
    assert all(step.val_rmse and step.interval_95 for step in found.steps)


def test_with_too_few_trials_a_sentence_says_how_to_train_the_path(folder: StudyFolder) -> None:
    told = study_ablation(folder)
    assert isinstance(told, str)
    assert "at least 10 complete trials of simple_cnn" in told and "galaxytune ablate s" in told


def test_without_a_path_a_sentence_says_why(begin_study: BeginStudy) -> None:
    folder = begin_study()
    assert study_ablation(folder) == (
        "There is no path to the best config: no trial of this study is complete yet."
    )
