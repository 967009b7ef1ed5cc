"""Halving that pauses: who goes on, who is given up, and that a pause costs no trial an epoch."""

import json
from dataclasses import replace

import pytest
from ray.tune.experiment import Trial

from galaxytune.plan.stored_plan import write_plan
from galaxytune.sampling.failure_aware_sampler import FailureAwareSampler
from galaxytune.study.status import study_status
from tests.support.driver import HALVED, ONE_HEAD, Driver
from tests.support.misbehaving import report_of
from tests.support.records import curve
from tests.support.studies import BeginStudy, assert_whole
from trainables.trial.task import PackTask


# report_of: levels of trials 0 to 9 are 0, 2, 4, 1, 3, 0, 2, 4, 1, 3; the lower the better
def test_a_study_of_one_worker_pauses_and_promotes(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=7, **HALVED))
    assert driver.run() == [
        "00000:9",  # published: trained whole, in nobody's place
        "00001:1",
        "00002:1",
        "00003:3",  # the best of three; alone at epoch 3
        "00004:1",
        "00005:3",  # the best of five; of two at epoch 3 a third is none
        "00006:1",
        "00005:9",  # no trial is left to begin, and it is the best at epoch 3
    ]
    assert driver.queue.is_over
    ends = {r.id: (r.status, r.epochs, r.reason) for r in driver.ledger.records.values()}
    assert [ends.pop(i)[:2] for i in ("00000", "00005")] == [("complete", 9)] * 2
    assert ends.pop("00003") == ("pruned", 3, "the study ended while it paused after epoch 3")
    assert set(ends.values()) == {("pruned", 1, "stopped by halving at epoch 1")}
    assert_whole(driver.ledger.folder)
    assert not driver.ledger.folder.paused_file.exists()


def test_the_smallest_search_trains_one_of_its_own_whole(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=3, **HALVED))
    driver.run()
    epochs = {r.id: r.epochs for r in driver.ledger.records.values()}
    assert epochs == {"00000": 9, "00001": 9, "00002": 1}


@pytest.mark.slow
def test_a_paused_trial_goes_on_before_a_new_one_begins(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=30, **HALVED))
    done = driver.run()
    again = [trial.split(":")[0] for trial in done]
    promoted = [i for i in set(again) if again.count(i) > 1]
    assert promoted, done
    for trial_id in promoted:
        epochs = [int(trial.split(":")[1]) for trial in done if trial.startswith(trial_id)]
        assert epochs == sorted(set(epochs)) and set(epochs) <= {1, 3, 9}
    assert_whole(driver.ledger.folder)


def test_who_goes_on_is_not_asked_again_about_epochs_that_are_known(
    begin_study: BeginStudy,
) -> None:
    driver = Driver(begin_study(trials=30, **HALVED))
    driver.run(limit=3)
    driver.promotion.rungs.enter("90", curve([0.9]))
    (begun,) = driver.begin()
    assert driver.ledger.running[begun] == 1  # it had paused
    driver.promotion.rungs.enter("91", curve([0.1]))  # and would not pass any more
    assert driver.train(begun) == f"{begun}:3"


def test_the_sampler_sees_a_paused_trial_as_pruned(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=30, **HALVED))
    driver.run(limit=3)
    study = driver.ledger._journal.study
    sampler = study.sampler
    assert isinstance(sampler, FailureAwareSampler)
    drawn = driver.ledger.draw()
    assert drawn is not None
    seen = sampler._seen(study, driver.ledger._journal.frozen(drawn))._get_trials()
    assert [t.state.name for t in seen[:3]] == ["COMPLETE", "PRUNED", "PRUNED"]
    stored = driver.ledger._journal.trials()
    assert [t.state.name for t in stored[:3]] == ["COMPLETE", "RUNNING", "RUNNING"]


@pytest.mark.slow
def test_status_and_a_resume_know_who_pauses(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=30, **HALVED)
    driver = Driver(folder)
    driver.run(limit=4)
    paused = {"00001": 1, "00002": 1, "00003": 3}
    assert json.loads(folder.paused_file.read_text()) == paused
    assert study_status(folder).counts["paused"] == 3
    (begun,) = driver.begin()
    folder.paused_file.unlink()  # which is for `status` alone
    resumed = Driver(folder)
    assert resumed.promotion.rungs.paused == paused
    assert resumed.ledger.unfinished == (begun,)
    assert resumed.run()[0].startswith(begun)
    assert_whole(folder)


def test_who_is_to_go_on_and_was_not_yet_does_so_after_a_resume(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    driver = Driver(folder)
    driver.run(limit=3)
    (begun,) = driver.begin()
    driver.ledger.record_epoch(begun, replace(report_of(begun, 1), val_rmse=0.01))  # then it dies
    resumed = Driver(folder)
    assert resumed.ledger.unfinished == (begun,)
    assert begun not in resumed.promotion.rungs.paused


def test_a_member_that_goes_on_elsewhere_is_no_longer_its_packs(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=9, pack=3, set=ONE_HEAD, **HALVED), pack=3)
    pack = PackTask(tuple(driver.task(i) for i in driver.begin()))
    trial = Trial("x", config={"task": pack}, stub=True)
    members = [(m.trial_id, report_of(m.trial_id, 1).as_values()) for m in pack.members]
    driver.scheduler.on_trial_result(None, trial, {"members": members})
    assert list(driver.promotion.rungs.paused) == ["00001", "00002"]
    driver.promotion.rungs.enter("90", curve([0.9]))  # now a third of three goes on
    assert driver.begin()[0] == "00001"
    driver.scheduler.on_trial_complete(None, trial, {})
    assert "00001" in driver.ledger.running and "00001" not in driver.ledger.records
    assert [r.id for r in driver.ledger.records.values()] == ["00000"]  # it alone was the pack's


def test_a_pack_comes_to_its_rung_together(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=9, set=ONE_HEAD, **HALVED), pack=4)
    pack = PackTask(tuple(driver.task(i) for i in driver.begin()))
    trial = Trial("x", config={"task": pack}, stub=True)
    values = {"00000": 0.5, "00001": 0.1, "00002": 0.2, "00003": 0.3}
    members = [
        (i, report_of(i, 1).as_values() | {"val_rmse": value}) for i, value in values.items()
    ]
    driver.scheduler.on_trial_result(None, trial, {"members": members})
    assert list(driver.ledger.running) == ["00000", "00001"]  # published; the best of three


def test_what_was_measured_against_the_end_is_measured_anew(begin_study: BeginStudy) -> None:
    """Earlier versions measured so, which ended the halving of many studies for nothing."""
    folder = begin_study(trials=60, halving=True, epochs=9)
    chosen = {"num_whole": 30, "correlations": {"1": -0.2}, "grace_epochs": None, "sentence": ""}
    folder.halving_file.write_text(json.dumps(chosen))
    driver = Driver(folder)
    assert list(driver.promotion.rungs.counts) == [1, 3]
    assert json.loads(folder.halving_file.read_text())["grace_epochs"] == 1
    written = json.loads(folder.halving_file.read_text()) | chosen
    folder.halving_file.write_text(json.dumps(written))
    assert not Driver(folder).promotion.rungs.counts  # its own word it takes


def test_over_the_quota_the_last_of_a_rung_end(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=30, checkpoint_quota_gb=2.5e-6, **HALVED))
    driver.train(driver.begin()[0])
    for _ in range(3):
        (begun,) = driver.begin()
        folder = driver.ledger.folder.checkpoint_folder(begun)
        folder.mkdir(parents=True)
        (folder / "last.pt").write_bytes(bytes(1000))
        driver.train(begun)
    assert list(driver.promotion.rungs.paused) == ["00001", "00003"]
    assert driver.ledger.records["00002"].reason == "checkpoints filled their quota after epoch 1"


def test_a_trial_that_pauses_gives_its_room_before_the_best_weights_do(
    begin_study: BeginStudy,
) -> None:
    driver = Driver(begin_study(trials=30, checkpoint_quota_gb=4.5e-6, **HALVED))
    folders = driver.ledger.folder.checkpoint_folder
    begun = [driver.begin()[0] for _ in range(4)]
    for trial_id in begun:
        folders(trial_id).mkdir(parents=True)
        (folders(trial_id) / "last.pt").write_bytes(bytes(1000))
    driver.train("00001")
    driver.train("00002")
    for trial_id in ("00000", "00003"):
        (folders(trial_id) / "best.safetensors").write_bytes(bytes(1000))
    driver.train("00000")  # its end frees a kilobyte, which is one too few
    assert list(driver.promotion.rungs.paused) == ["00001"]
    assert (folders("00000") / "best.safetensors").exists()


def test_a_resume_leaves_a_finished_trial_to_say_so(begin_study: BeginStudy) -> None:
    patient = {"early_stopping_patience": 2}
    folder = begin_study(trials=30, set=patient, **HALVED)
    driver = Driver(folder)
    driver.run(limit=4)
    (begun,) = driver.begin()
    for epoch, value in enumerate((0.9, 0.95, 0.95), start=1):
        driver.ledger.record_epoch(begun, replace(report_of(begun, epoch), val_rmse=value))
    resumed = Driver(folder)  # the driver died before it wrote the record
    assert resumed.ledger.unfinished == (begun,)
    assert begun not in resumed.promotion.rungs.paused


def test_a_study_that_goes_on_counts_nobody_whom_its_end_stopped(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    Driver(folder).run()
    write_plan(folder.plan.model_copy(update={"trials": 30}), folder.plan_file)
    assert Driver(folder).promotion.rungs.counts == {1: 5, 3: 1}


def test_a_paused_file_that_a_power_cut_emptied_stops_no_status(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    Driver(folder).run(limit=2)
    folder.paused_file.write_text("")
    assert study_status(folder).counts["interrupted"] == 1
