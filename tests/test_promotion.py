"""Halving that pauses: who goes on, who is given up, and that a pause costs no trial an epoch."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from galaxytune.halving import Rungs
from galaxytune.ledger import Ledger
from galaxytune.penalising_sampler import PenalisingSampler
from galaxytune.promotion import Promotion
from galaxytune.scheduler import StudyScheduler
from galaxytune.search import run_study
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import write_plan
from galaxytune.tables import study_status
from galaxytune.trial_queue import TrialQueue
from tests import misbehaving
from tests.misbehaving import report_of
from tests.test_study import GALAXYTUNE, assert_mirrored, assert_whole, clean_environment, wait_for
from trainables.trial_task import PackTask, TrialTask

BeginStudy = Callable[..., StudyFolder]
HALVED = {"halving": True, "grace_epochs": 1, "epochs": 9}


def curve(*values: float) -> list[dict[str, float]]:
    return [{"val_rmse": value} for value in values]


def entered(values: dict[str, float], *, max_epochs: int = 9) -> Rungs:
    """Rungs at 1 and 3 where so many have come to the first, and pause there."""
    rungs = Rungs(grace_epochs=1, reduction_factor=3, max_epochs=max_epochs)
    for trial_id, value in values.items():
        rungs.enter(trial_id, curve(value))
        rungs.paused[trial_id] = 1
    return rungs


def test_the_best_third_of_those_who_came_goes_on() -> None:
    rungs = entered({"a": 0.30, "b": 0.20})
    assert list(rungs.counts) == [1, 3]
    assert rungs.promotable() == []  # a third of two is none
    rungs.enter("c", curve(0.25))
    rungs.paused["c"] = 1
    assert rungs.promotable() == ["b"]
    for trial_id, value in {"d": 0.10, "e": 0.40, "f": 0.35}.items():
        rungs.enter(trial_id, curve(value))
    assert rungs.may_pass("d", 1) and rungs.promotable() == ["b"]  # "d" has not paused
    assert not rungs.may_pass("c", 1) and rungs.may_pass("c", 2)  # no rung at epoch 2


def test_whoever_came_furthest_goes_on_first() -> None:
    rungs = entered({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5, "f": 0.6})
    for trial_id, value in {"x": 0.3, "y": 0.2, "z": 0.25}.items():
        rungs.enter(trial_id, curve(value, value, value))
    rungs.paused |= {"x": 3, "y": 3}
    assert rungs.promotable() == ["y", "a", "b"]  # of nine at the first rung y is third


def test_a_rung_asks_for_the_lowest_value_up_to_its_epoch() -> None:
    rungs = Rungs(grace_epochs=3, reduction_factor=2, max_epochs=5)
    rungs.enter("a", curve(0.1, 0.3, 0.4, 0.5))
    rungs.enter("b", curve(0.3, 0.2, 0.2))
    assert rungs.may_pass("a", 3) and not rungs.may_pass("b", 3)


def test_the_best_of_a_rung_goes_on_at_last_however_few_came() -> None:
    rungs = entered({"a": 0.3, "b": 0.2})
    assert rungs.promotable(is_last_call=True) == ["b"]


def test_who_has_hardly_a_chance_is_given_up() -> None:
    rungs = entered({f"{i:02d}": i / 100 for i in range(30)})
    assert rungs.hopeless(1000) == [f"{i:02d}" for i in range(10 + 6, 30)]  # 30 / 3 + sqrt(30)
    assert rungs.hopeless(33) == [f"{i:02d}" for i in range(11, 30)]  # 33 / 3 at the very most
    del rungs.paused["20"]
    assert "20" not in rungs.hopeless(1000)


def test_who_pauses_where_no_rung_is_any_more_may_go_on() -> None:
    rungs = Rungs(grace_epochs=9, reduction_factor=3, max_epochs=9)
    rungs.enter("a", curve(0.3))
    rungs.paused["a"] = 1
    assert rungs.promotable() == ["a"] and rungs.hopeless(100) == []


class Driver:
    """What Tune does with a study, one trial at a time and without its processes."""

    def __init__(self, folder: StudyFolder, pack: int = 1) -> None:
        self.ledger = Ledger(folder)
        self.promotion = Promotion(self.ledger)
        self.queue = TrialQueue(self.ledger, self.promotion, {"simple_cnn": pack}, places=1)
        self.scheduler = StudyScheduler(self.ledger, self.promotion)

    def begin(self) -> list[str]:
        return [trial_id for trial_id, _ in self.queue.next_pack()]

    def train(self, trial_id: str, epochs: int = 9) -> str:
        """Train until it is to stop, from the first epoch as after a lost checkpoint."""
        task = self.task(trial_id)
        trial = SimpleNamespace(trial_id=trial_id, config={"task": task}, status="RUNNING")
        for epoch in range(1, epochs + 1):
            ends = {"finished": "all epochs trained"} if epoch == 9 else {}
            report = {**report_of(trial_id, epoch), **ends}
            told = self.scheduler.on_trial_result(None, trial, report)  # type: ignore[arg-type]
            if told != "CONTINUE":
                break
        return f"{trial_id}:{len(self.ledger.curves[trial_id])}"

    def task(self, trial_id: str) -> TrialTask:
        folder = str(self.ledger.folder.checkpoint_folder(trial_id))
        known = self.ledger.running[trial_id]
        return TrialTask(trial_id, {}, "", "", folder, 1, False, known)

    def run(self, limit: int = 100) -> list[str]:
        """Each trial, as often as it is begun, with the epochs that it has then."""
        done: list[str] = []
        while len(done) < limit and (begun := self.begin()):
            done.append(self.train(begun[0]))
        return done


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
    driver.promotion.rungs.enter("90", curve(0.9))
    (begun,) = driver.begin()
    assert driver.ledger.running[begun] == 1  # it had paused
    driver.promotion.rungs.enter("91", curve(0.1))  # and would not pass any more
    assert driver.train(begun) == f"{begun}:3"


def test_the_sampler_sees_a_paused_trial_as_pruned(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=30, **HALVED))
    driver.run(limit=3)
    study = driver.ledger.journal.study
    sampler = study.sampler
    assert isinstance(sampler, PenalisingSampler)
    drawn = driver.ledger.draw()
    assert drawn is not None
    seen = sampler._seen(study, driver.ledger.journal.frozen(drawn))._get_trials()
    assert [t.state.name for t in seen[:3]] == ["COMPLETE", "PRUNED", "PRUNED"]
    stored = driver.ledger.journal.trials()
    assert [t.state.name for t in stored[:3]] == ["COMPLETE", "RUNNING", "RUNNING"]


def test_status_and_a_resume_know_who_pauses(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=30, **HALVED)
    driver = Driver(folder)
    driver.run(limit=4)
    paused = {"00001": 1, "00002": 1, "00003": 3}
    assert json.loads(folder.paused_file.read_text()) == paused
    assert study_status(folder)["counts"]["paused"] == 3
    (begun,) = driver.begin()
    folder.paused_file.unlink()  # which is for `status` alone
    resumed = Driver(folder)
    assert resumed.promotion.rungs.paused == paused
    assert resumed.ledger.unfinished == [begun]
    assert resumed.run()[0].startswith(begun)
    assert_whole(folder)


def test_who_is_to_go_on_and_was_not_yet_does_so_after_a_resume(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    driver = Driver(folder)
    driver.run(limit=3)
    (begun,) = driver.begin()
    driver.ledger.record_epoch(begun, {**report_of(begun, 1), "val_rmse": 0.01})  # then it dies
    resumed = Driver(folder)
    assert resumed.ledger.unfinished == [begun]
    assert begun not in resumed.promotion.rungs.paused


def test_a_member_that_goes_on_elsewhere_is_no_longer_its_packs(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=9, pack=3, **HALVED), pack=3)
    pack = PackTask(tuple(driver.task(i) for i in driver.begin()))
    trial = SimpleNamespace(trial_id="x", config={"task": pack}, status="RUNNING")
    members = [(m.trial_id, report_of(m.trial_id, 1)) for m in pack.members]
    driver.scheduler.on_trial_result(None, trial, {"members": members})  # type: ignore[arg-type]
    assert list(driver.promotion.rungs.paused) == ["00001", "00002"]
    driver.promotion.rungs.enter("90", curve(0.9))  # now a third of three goes on
    assert driver.begin()[0] == "00001"
    driver.scheduler.on_trial_complete(None, trial, {})  # type: ignore[arg-type]
    assert "00001" in driver.ledger.running and "00001" not in driver.ledger.records
    assert [r.id for r in driver.ledger.records.values()] == ["00000"]  # it alone was the pack's


def test_a_pack_comes_to_its_rung_together(begin_study: BeginStudy) -> None:
    driver = Driver(begin_study(trials=9, **HALVED), pack=4)
    pack = PackTask(tuple(driver.task(i) for i in driver.begin()))
    trial = SimpleNamespace(trial_id="x", config={"task": pack}, status="RUNNING")
    values = {"00000": 0.5, "00001": 0.1, "00002": 0.2, "00003": 0.3}
    members = [(i, {**report_of(i, 1), "val_rmse": value}) for i, value in values.items()]
    driver.scheduler.on_trial_result(None, trial, {"members": members})  # type: ignore[arg-type]
    assert list(driver.ledger.running) == ["00000", "00001"]  # published; the best of three


def test_what_was_measured_against_the_end_is_measured_anew(begin_study: BeginStudy) -> None:
    """As earlier versions did, which ended the halving of many studies for nothing."""
    folder = begin_study(trials=60, halving=True, epochs=9)
    chosen = {"num_whole": 30, "correlations": {"1": -0.2}, "grace_epochs": None, "sentence": ""}
    folder.halving_file.write_text(json.dumps(chosen))
    driver = Driver(folder)
    assert list(driver.promotion.rungs.counts) == [1, 3]
    assert json.loads(folder.halving_file.read_text())["grace_epochs"] == 1
    written = json.loads(folder.halving_file.read_text()) | chosen
    folder.halving_file.write_text(json.dumps(written))
    assert not Driver(folder).promotion.rungs.counts  # its own word it takes


@pytest.mark.usefixtures("small_ray")
def test_pauses_cost_no_epoch(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=20, halving=True)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    epochs = [record.epochs for record in folder.records()]
    assert set(epochs) == {1, 3, 4} and epochs.count(4) >= 2


def test_a_driver_that_is_killed_while_trials_pause_leaves_them_whole(
    begin_study: BeginStudy, tmp_path: Path
) -> None:
    """Two processes of their own, whose Ray ends with them."""
    changes = {"trials": 12, "halving": True, "epochs": 4, "wandb": "offline", "seed": 3}
    folder = begin_study(**changes, set={"width": 0.1, "batch_size": 32})
    storage = str(folder.path.parent)
    command = [GALAXYTUNE, "resume", "s", "--storage", storage, "--local-cpus", "1"]
    environment = clean_environment()
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd=tmp_path, env=environment
    ) as driver:
        wait_for(lambda: len(folder.paused_ids()) >= 3, 90)
        os.kill(driver.pid, signal.SIGKILL)
    wait_for(lambda: folder.state() == "interrupted", 10)
    before = {i: folder.curve(i) for i in folder.trial_ids_with_curve()}
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert_whole(folder)
    assert_mirrored(folder)
    for trial_id, epochs in before.items():
        assert folder.curve(trial_id)[: len(epochs)] == epochs


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


@pytest.mark.usefixtures("small_ray")
def test_a_resume_that_finds_only_paused_trials_ends_the_study(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=7, **HALVED)
    driver = Driver(folder)
    driver.run(limit=8)  # what it would do next is to end who pauses
    paused = sorted(driver.promotion.rungs.paused)
    assert paused and sorted(driver.ledger.unfinished) == [] and driver.ledger.num_left > 0
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    records = Ledger(folder).records
    assert all("while it paused" in records[trial_id].reason for trial_id in paused)
    assert not folder.paused_file.exists()


def test_a_resume_leaves_a_finished_trial_to_say_so(begin_study: BeginStudy) -> None:
    patient = {"early_stopping_patience": 2}
    folder = begin_study(trials=30, set=patient, **HALVED)
    driver = Driver(folder)
    driver.run(limit=4)
    (begun,) = driver.begin()
    for epoch, value in enumerate((0.9, 0.95, 0.95), start=1):
        driver.ledger.record_epoch(begun, {**report_of(begun, epoch), "val_rmse": value})
    resumed = Driver(folder)  # the driver died before it wrote the record
    assert resumed.ledger.unfinished == [begun]
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
    assert study_status(folder)["counts"]["interrupted"] == 1
