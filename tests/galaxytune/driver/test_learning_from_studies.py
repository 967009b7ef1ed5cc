"""A study that learns from earlier studies: what comes first, and what is said."""

from pathlib import Path
from typing import Any

import pytest

from galaxytune.driver.ledger import Ledger
from galaxytune.study import StudyFolder
from search_spaces.simple_cnn import Config as SimpleCnn
from tests.support.misbehaving import report_of
from tests.support.observers import Notes
from tests.support.records import record
from tests.support.studies import BeginStudy, small_study
from trainables.files import append_line


@pytest.fixture
def learning(
    begin_study: BeginStudy, toy_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> StudyFolder:
    """A study of 20 trials that learns from a study of two, with two recommended configs."""
    monkeypatch.setattr(SimpleCnn, "RECOMMENDED", ({"dropout": 0.2}, {"dropout": 0.3}))
    old = begin_study(name="old")
    for number, rmse, rate in ((0, 0.1, 1e-3), (1, 0.08, 4e-3)):
        trial = record(number, rmse, epochs=4, learning_rate=rate, published=number == 0)
        append_line(old.records_file, trial.model_dump(mode="json"))
        values = report_of(trial.id, 1).as_values() | {"val_rmse": rmse}
        append_line(old.curve_file(trial.id), values)
    return small_study(toy_npz, old.path.parent, name="new", trials=20, learn_from=["old"])


def draw(ledger: Ledger, count: int) -> list[tuple[Any, ...]]:
    """Hand out and end `count` trials; return their origin, learning rate and dropout."""
    found = []
    for _ in range(count):
        trial_id = ledger.draw()
        assert trial_id is not None
        ledger.hand_out(trial_id)
        ledger.record_epoch(trial_id, report_of(trial_id, 1))
        ledger.finish(trial_id, "complete", "all epochs trained")
        kept = ledger.records[trial_id]
        config: Any = kept.config
        found.append((kept.origin, config.learning_rate, config.dropout))
    return found


EXPECTED = [
    ("published", 1e-3, 0.0),
    ("learned", pytest.approx(4e-3), 0.0),
    ("learned", pytest.approx(1e-3), 0.0),  # the published config, but with votes as first bias
    ("recommended", 1e-3, 0.2),
    ("recommended", 1e-3, 0.3),
]


def test_published_learned_and_recommended_configs_come_first(
    learning: StudyFolder,
) -> None:
    found = draw(Ledger(learning), 7)
    assert found[:5] == EXPECTED
    assert {origin for origin, *_ in found[5:]} == {"drawn"}


def test_a_resumed_study_goes_on_in_the_order_in_which_it_began(
    learning: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert draw(Ledger(learning), 2) == EXPECTED[:2]
    monkeypatch.setattr(SimpleCnn, "RECOMMENDED", ({"dropout": 0.4},))  # a later version
    assert draw(Ledger(learning), 3) == EXPECTED[2:]


def test_what_carries_over_is_said_once(learning: StudyFolder) -> None:
    first: Any = Notes()
    second: Any = Notes()
    Ledger(learning, [first])
    Ledger(learning, [second])
    (sentence,) = first.sentences
    assert sentence.startswith("simple_cnn learns from 2 trials of study old (simple_cnn): ")
    assert second.sentences == []


def test_a_damaged_journal_is_written_again_with_the_same_order(learning: StudyFolder) -> None:
    draw(Ledger(learning), 2)
    learning.journal_file.write_text("damage\n")
    again = Ledger(learning)
    assert draw(again, 3) == EXPECTED[2:]
    assert [r.origin for r in again.records.values()][:2] == ["published", "learned"]
