"""Studies whose last trials train the best configs with further seeds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml

from analysis.records import TrialRecord, best_trial, key_without_seed
from galaxytune.driver.ledger import Ledger
from galaxytune.study.creation import change_plan
from galaxytune.study.folder import StudyFolder
from galaxytune.study.results import outcome_lines
from search_spaces.declaration import TrainingProtocol
from tests.support.driver import HALVED, ONE_HEAD, Driver
from tests.support.studies import BeginStudy, assert_whole, optuna_trials
from trainables.training import EpochReport

Value = Callable[[TrainingProtocol], float]
WHOLE = {"trials": 20, "epochs": 9}
"""The keys of a plan of 16 trials of a search and 4 further seeds."""


def scattered(config: TrainingProtocol) -> float:
    """An RMSE that the learning rate decides a little, and chance by 1 %."""
    drawn = [config.seed, int(1e9 * config.learning_rate)]
    luck = np.random.default_rng(drawn).standard_normal()
    return float(0.1 + 0.001 * abs(math.log10(config.learning_rate) + 3) + 0.001 * luck)


def in_order(step: float) -> Value:
    """RMSEs without scatter: each config is worse than the one before, by `step`."""
    known: dict[str, int] = {}

    def value(config: TrainingProtocol) -> float:
        return 0.1 + step * known.setdefault(key_without_seed(config), len(known))

    return value


class Noted:
    """An observer that keeps the sentences about the study."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def __getattr__(self, event: str) -> Callable[..., None]:
        if event.startswith("__"):
            raise AttributeError(event)
        return lambda *_, **__: None

    def study_noted(self, sentence: str) -> None:
        self.sentences.append(sentence)


class Trainer(Driver):
    """A driver whose trials come to an RMSE that their config decides."""

    def __init__(self, folder: StudyFolder, value: Value = scattered, pack: int = 1) -> None:
        self.noted, self.value = Noted(), value
        super().__init__(folder, pack, [self.noted])

    def report(self, trial_id: str, epoch: int) -> EpochReport:
        value = self.value(self.ledger.config(trial_id)) + 0.01 * (9 - epoch)
        return replace(super().report(trial_id, epoch), val_rmse=value)

    def train_all(self, begun: Sequence[str]) -> None:
        for trial_id in begun:
            self.train(trial_id)


def further(folder: StudyFolder) -> list[tuple[str, int]]:
    """The configs and seeds of the trials with a further seed, in the order of their ends."""
    return [
        (key_without_seed(r.config), r.config.seed) for r in folder.records() if r.further_seed
    ]


def leaders(folder: StudyFolder) -> list[TrialRecord]:
    searched = [r for r in folder.records() if not r.further_seed and r.status == "complete"]
    return sorted(searched, key=lambda r: r.val_rmse or 1.0)


def test_the_last_fifth_trains_the_two_best_with_the_same_two_seeds(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(**WHOLE, seed=3)
    driver = Trainer(folder)
    driver.run()
    assert_whole(folder)
    records = folder.records()
    assert [r.config.seed for r in records] == [3] * 16 + [503, 503, 504, 504]
    assert [r.further_seed for r in records] == [False] * 16 + [True] * 4
    first, second = (key_without_seed(r.config) for r in leaders(folder)[:2])
    assert further(folder) == [(first, 503), (second, 503), (first, 504), (second, 504)]
    assert {r.epochs for r in records} == {9}
    names = " and ".join(r.id for r in leaders(folder)[:2])
    assert driver.noted.sentences == [
        f"the configs of trials {names} are trained with further seeds, to see which is best"
    ]
    rates = {t.number: t.params["simple_cnn.learning_rate"] for t in optuna_trials(folder)}
    assert rates == {int(r.id): r.config.learning_rate for r in records}  # what a sampler sees


def test_the_best_trial_is_that_of_the_best_mean_and_the_outcome_says_how_sure(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(**WHOLE)

    ordered = in_order(0.0005)

    def lucky_once(config: TrainingProtocol) -> float:
        """The published config, which comes first, is lucky with the seed of the search."""
        if ordered(config) > 0.1:
            return ordered(config) + 1e-4 * (config.seed % 2)
        return 0.0990 if config.seed == 0 else 0.1030

    Trainer(folder, lucky_once).run()
    assert leaders(folder)[0].id == "00000"
    best = best_trial(folder.records())
    assert best.id != "00000" and (best.val_rmse or 0) > 0.0990
    first, sure, gain = outcome_lines(folder)
    assert first.startswith(f"best: trial {best.id}, ")
    assert sure.startswith("its config has a mean validation RMSE of 0.1005 over 3 seeds; the ")
    assert gain.startswith("published simple_cnn: 0.0990; the search gained -1")


def test_a_clear_winner_costs_no_seeds(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE)
    driver = Trainer(folder, in_order(0.0051))  # above 5 % of the best
    driver.run()
    assert_whole(folder)
    assert further(folder) == []
    assert driver.noted.sentences == [
        "no config is near enough to the best to need further seeds; the search goes on with the "
        "trials that were kept for these"
    ]


def test_a_race_that_is_decided_gives_its_trials_back_to_the_search(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(**WHOLE)
    driver = Trainer(folder, in_order(0.001))
    driver.run()
    assert_whole(folder)
    seeds = [r.config.seed for r in folder.records()]
    assert seeds == [0] * 16 + [500, 500, 0, 0]  # one seed of each has shown the difference
    assert driver.noted.sentences[-1].startswith("further seeds have shown that the config of ")
    assert best_trial(folder.records()).id == "00000"


def test_a_resumed_study_continues_its_race(begin_study: BeginStudy) -> None:
    whole = begin_study(**WHOLE)
    Trainer(whole).run()
    cut = begin_study(**WHOLE, name="cut")
    driver = Trainer(cut)
    driver.run(limit=17)
    (begun,) = driver.begin()
    driver.ledger.record_epoch(begun, driver.report(begun, 1))  # then the driver dies
    resumed = Trainer(cut)
    assert resumed.ledger.unfinished == (begun,) and resumed.ledger.drawn.is_further_seed(begun)
    assert resumed.ledger.drawn.further_seeds == ["00016", "00017"]
    resumed.run()
    assert_whole(cut)
    assert further(cut) == further(whole) and len(further(cut)) == 4


def test_a_seed_that_was_queued_when_the_driver_died_is_trained(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE)
    driver = Trainer(folder)
    driver.run(limit=16)
    config = driver.ledger.config("00000")
    driver.ledger._journal.enqueue_again(config, published=True, seed=500)
    resumed = Trainer(folder)
    assert resumed.begin() == ["00016"]
    assert resumed.ledger.config("00016") == config.model_copy(update={"seed": 500})
    assert resumed.ledger.drawn.further_seeds == ["00016"]


def test_a_race_goes_on_after_its_journal_was_damaged(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE)
    driver = Trainer(folder)
    driver.run(limit=18)
    driver.begin()
    with folder.journal_file.open("r+b") as journal:
        journal.write(b"{damaged")
    resumed = Trainer(folder)
    assert folder.journal_file.with_name("optuna.journal.damaged-1").exists()
    assert resumed.ledger.drawn.further_seeds == ["00016", "00017"]
    resumed.run()
    assert_whole(folder)
    assert [seed for _, seed in further(folder)] == [500, 500, 501, 501]
    assert {t.user_attrs["config"]["seed"] for t in optuna_trials(folder)[16:]} == {500, 501}


def test_a_study_whose_plan_has_no_such_key_goes_on_without_further_seeds(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(**WHOLE)
    values = yaml.safe_load(folder.plan_file.read_text())
    assert values.pop("seed_share") == 0.2
    folder.plan_file.write_text(yaml.safe_dump(values))
    assert folder.plan.seed_share == 0
    Trainer(folder).run()
    assert_whole(folder)
    assert further(folder) == []


def test_a_study_that_gets_more_trials_races_anew(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE)
    Trainer(folder).run()
    change_plan(folder, {"trials": 40})
    Trainer(folder).run()
    assert_whole(folder)
    found = [r.further_seed for r in folder.records()]
    assert sum(found) == 8 and found[-4:] == [True] * 4 and not any(found[20:36])


def test_a_halved_study_promotes_its_best_first_and_trains_seeds_whole(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(trials=30, **HALVED)
    driver = Trainer(folder)
    driver.run()
    assert_whole(folder)
    seeds = [r for r in folder.records() if r.further_seed]
    assert len(seeds) == 4  # a fifth of the epochs is less, a fifth of the trials is more
    assert {(r.status, r.epochs) for r in seeds} == {("complete", 9)}
    ended = [r.id for r in folder.records()]
    before = ended.index(seeds[0].id)
    whole = [r for r in folder.records()[:before] if r.status == "complete"]
    assert len(whole) >= 2 and not any(r.further_seed for r in whole)
    rungs = driver.promotion.rungs
    assert rungs.counts[1] == 30 - 4 - 1  # neither seeds nor the published config
    cut_off = sum(r.reason.startswith("the study ended") for r in folder.records())
    assert Trainer(folder).promotion.rungs.counts[1] == rungs.counts[1] - cut_off


def test_seeds_are_trained_in_packs_with_all_others(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE, pack=3, set={"batch_size": 64, **ONE_HEAD})
    driver = Trainer(folder, pack=3)
    packs = []
    while pack := driver.begin():
        packs.append(pack)
        driver.train_all(pack)
    assert_whole(folder)
    assert sum(map(len, packs)) == 20
    assert len(further(folder)) == 4


def test_the_race_begins_when_all_device_hours_but_its_share_are_spent(
    begin_study: BeginStudy,
) -> None:
    trial_hours = 9 * 0.01 / 3600  # nine epochs of .01 s on one CPU
    folder = begin_study(trials=200, epochs=9, max_device_hours=24.9 * trial_hours)
    Trainer(folder).run()
    ends = [r.further_seed for r in folder.records()]
    assert ends == [False] * 20 + [True] * 5  # the race may have a fourth of what was spent
    assert folder.plan.trials == 200 and len(ends) == 25


def test_no_trial_begins_while_fewer_than_two_are_complete_and_some_run(
    begin_study: BeginStudy,
) -> None:
    driver = Trainer(begin_study(**WHOLE))
    begun = [driver.begin()[0] for _ in range(16)]
    assert driver.begin() == [] and not driver.queue.is_over
    driver.train(begun[0])
    assert driver.begin() == []
    driver.train(begun[1])
    (seed,) = driver.begin()
    assert driver.ledger.drawn.is_further_seed(seed)


def test_a_seed_that_fails_is_not_trained_again(begin_study: BeginStudy) -> None:
    folder = begin_study(**WHOLE)
    driver = Trainer(folder)
    driver.run(limit=16)
    (begun,) = driver.begin()
    driver.ledger.finish(begun, "failed", "no luck", config_failed=True)
    driver.run()
    assert_whole(folder)
    assert len(set(further(folder))) == 4


@pytest.mark.parametrize("keep", [1, 5])
def test_the_weights_of_the_best_trial_are_there_whoever_wins(
    begin_study: BeginStudy, keep: int
) -> None:
    folder = begin_study(**WHOLE, keep_checkpoints=keep)

    class Writer(Trainer):
        def train(self, trial_id: str, epochs: int = 9) -> str:
            place = self.ledger.folder.checkpoint_folder(trial_id)
            place.mkdir(parents=True)
            (place / "best.safetensors").write_bytes(b"weights")
            return super().train(trial_id, epochs)

    ordered = in_order(0.0001)

    def turned(config: TrainingProtocol) -> float:
        """With further seeds the order of the search's trials is reversed."""
        return ordered(config) if config.seed == 0 else 0.2001 - ordered(config)

    driver = Writer(folder, turned)
    for _ in range(20):
        driver.run(limit=1)
        best = best_trial(driver.ledger.records.values())
        assert folder.checkpoint_folder(best.id).is_dir()
    assert Ledger(folder).folder.checkpoint_folder(best.id).is_dir()
    assert len(list(folder.checkpoints.glob("*/best.safetensors"))) <= max(keep, 4) + 2


def test_a_published_config_is_trained_again_as_it_was(begin_study: BeginStudy) -> None:
    names: dict[str, Any] = {"architectures": ["simple_cnn", "parallel_cnn"]}
    ledger = Ledger(begin_study(**WHOLE, **names))
    first = [ledger.draw() for _ in range(16)]
    again = ledger.draw_again(first[1] or "", 500)
    assert again == "00016" and ledger.is_published(again) and ledger.drawn.is_trained_whole(again)
    assert ledger.config(again) == ledger.config("00001").model_copy(update={"seed": 500})
    drawn = ledger.draw_again("00015", 501)
    assert ledger.config(drawn or "") == ledger.config("00015").model_copy(update={"seed": 501})
    assert not ledger.is_published(drawn or "")
