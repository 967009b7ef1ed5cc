"""Whole studies whose trials pause at rungs."""

import json

import pytest

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.run import run_study
from tests.support import misbehaving
from tests.support.driver import HALVED, Driver
from tests.support.processes import kill_a_driver_when
from tests.support.studies import BeginStudy, assert_mirrored, assert_whole

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.usefixtures("small_ray")]


def test_pauses_cost_no_epoch(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=20, halving=True)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    epochs = [record.epochs for record in folder.records()]
    assert set(epochs) == {1, 3, 4} and epochs.count(4) >= 2


def test_a_driver_that_is_killed_while_trials_pause_leaves_them_whole(
    begin_study: BeginStudy,
) -> None:
    changes = {"trials": 12, "halving": True, "epochs": 4, "wandb": "offline", "seed": 3}
    folder = begin_study(**changes, set={"width": 0.1, "batch_size": 32})
    kill_a_driver_when(lambda: len(folder.paused_ids()) >= 3, folder, cpus=1)
    before = {i: folder.curve(i) for i in folder.trial_ids_with_curve()}
    run_study(folder)
    assert_whole(folder)
    assert_mirrored(folder)
    for trial_id, epochs in before.items():
        assert folder.curve(trial_id)[: len(epochs)] == epochs


def test_a_resume_that_finds_only_paused_trials_ends_the_study(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    driver = Driver(folder)
    driver.run(limit=8)  # what it would do next is to end who pauses
    paused = sorted(driver.promotion.rungs.paused)
    assert paused and driver.ledger.unfinished == () and driver.ledger.num_left > 0
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    records = Ledger(folder).records
    assert all("while it paused" in records[trial_id].reason for trial_id in paused)
    assert not folder.paused_file.exists()


def test_the_grace_period_is_measured_on_the_trials_that_go_on(begin_study: BeginStudy) -> None:
    folder = begin_study(halving=True, trials=60)
    run_study(folder, trainable=misbehaving.behave)
    chosen = json.loads(folder.halving_file.read_text())
    assert (chosen["grace_epochs"], list(chosen["correlations"])) == (1, ["1", "3"])
    assert "trials may pause from epoch 1 on" in chosen["sentence"]
    ends = [record.status for record in folder.records() if not record.further_seed]
    assert ends.count("complete") == chosen["num_whole"] >= 5 and "pruned" in ends
    assert len(ends) < 60  # the last trials train further seeds, of which the choice knows nothing


def test_a_short_study_says_that_too_few_trials_were_measured(begin_study: BeginStudy) -> None:
    folder = begin_study(halving=True, trials=3)
    run_study(folder, trainable=misbehaving.behave)
    chosen = json.loads(folder.halving_file.read_text())
    assert chosen["sentence"] == (
        "too few trials have gone on from a rung to measure whether early ranks mislead; "
        "trials may pause from epoch 1 on"
    )


def test_where_early_ranks_mislead_every_later_trial_is_trained_whole(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(halving=True, trials=60)
    run_study(folder, trainable=misbehaving.crosses_over)
    chosen = json.loads(folder.halving_file.read_text())
    assert chosen["grace_epochs"] is None
    assert "every trial is trained whole" in chosen["sentence"]
    ends = [record.status for record in folder.records()]
    # at the last rung, before the end, five are compared
    fifth = [place for place, end in enumerate(ends) if end == "complete"][4]
    assert "pruned" in ends[:fifth] and set(ends[fifth:]) == {"complete"}
    assert len(ends[fifth:]) > 10  # those among them that had paused
