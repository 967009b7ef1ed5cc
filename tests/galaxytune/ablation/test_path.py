"""The path from one config to another: single changes, in the order of the predicted gain."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from galaxytune.ablation.path import (
    AblationPath,
    ablation_path,
    changes_between,
    greedy_path,
    single_changes,
    store_path,
)
from search_spaces.declaration import InvalidInput, TrainingProtocol
from search_spaces.simple_cnn import Config
from tests.support.records import made_up_records, record
from tests.support.studies import BeginStudy

START = Config()
END = Config(learning_rate=0.004, dropout=0.25, optimizer="adamw", weight_decay=0.02, seed=3)


def predicted(configs: Sequence[TrainingProtocol]) -> list[float]:
    """Return RMSEs in which dropout alone harms, and helps a little once the rate is high.

    The learning rate gains .02, AdamW gains .01.
    """
    rmses = []
    for config in configs:
        assert isinstance(config, Config)
        rmse = 0.1 - 0.02 * (config.learning_rate > 0.001) - 0.01 * (config.optimizer == "adamw")
        if config.dropout:
            rmse += -0.015 if config.learning_rate > 0.001 else 0.005
        rmses.append(rmse)
    return rmses


def test_fields_that_only_mean_something_together_are_one_step() -> None:
    assert set(single_changes(START, END)) == {
        ("learning_rate",),
        ("optimizer", "weight_decay"),
        ("dropout",),
    }
    tree = Config(head="tree_softmax", schedule="cosine", warmup_epochs=3)
    assert single_changes(START, tree) == [
        ("schedule", "warmup_epochs"),
        ("head", "coefficient_sharing", "constraint_coefficient"),
    ]


def test_a_switched_field_alone_is_a_step_where_the_switch_is_the_same() -> None:
    one, other = (Config(optimizer="adamw", weight_decay=value) for value in (0.01, 0.02))
    assert single_changes(one, other) == [("weight_decay",)]


def test_values_that_have_no_effect_are_no_step() -> None:
    assert single_changes(START, Config(weight_decay=0.05, warmup_epochs=3, seed=9)) == []


def test_each_step_takes_the_change_with_the_largest_predicted_gain() -> None:
    path = greedy_path(START, END, predicted)
    steps = [
        [change.field for change in changes_between(before, after)]
        for before, after in zip(path, path[1:])
    ]
    # first .08 (rate), .09 (AdamW) or .105 (dropout); then .07 (AdamW) or .065 (dropout)
    assert steps == [["learning_rate"], ["dropout"], ["optimizer", "weight_decay"]]
    assert path[0] == START.model_copy(update={"seed": 3}) and path[-1] == END
    assert predicted(path) == pytest.approx([0.1, 0.08, 0.065, 0.055])


def test_without_a_model_the_changes_are_in_the_order_of_declaration() -> None:
    path = greedy_path(START, END, None)
    order = list(Config.model_fields)
    firsts = [changes_between(a, b)[0].field for a, b in zip(path, path[1:])]
    assert firsts == sorted(firsts, key=order.index) and len(firsts) == 3


def test_a_change_tells_the_old_value_only_if_it_was_in_use() -> None:
    changes = {change.field: (change.old, change.new) for change in changes_between(START, END)}
    assert changes["optimizer"] == ("adam", "adamw") and changes["weight_decay"] == (None, 0.02)
    back = changes_between(END, START)
    assert "weight_decay" not in [change.field for change in back]


def test_the_path_of_a_study_leads_from_its_published_config_to_its_best(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study()
    trials = made_up_records(20, epochs=4)
    published = trials[0].config.model_copy(update={"learning_rate": 0.009})
    trials[0] = trials[0].model_copy(update={"config": published})
    folder.records_file.write_text("".join(f"{t.model_dump_json()}\n" for t in trials))
    path = ablation_path(folder)
    best = min(trials, key=lambda t: t.val_rmse or 1)
    assert path.by_model and path.trial == best.id
    assert path.configs[0] == published and path.configs[-1] == best.config
    assert path.changes()[1][0].field == "learning_rate"  # all that the made-up RMSE depends on


def test_without_a_published_trial_the_path_begins_at_the_plans_published_config(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study()
    trial = record(3, 0.1, epochs=4, learning_rate=0.004, seed=5)
    folder.records_file.write_text(f"{trial.model_dump_json()}\n")
    path = ablation_path(folder)
    assert path.configs == (Config(epochs=4, seed=5), trial.config) and not path.by_model


def test_a_stored_path_is_kept_while_its_ends_are_the_same(begin_study: BeginStudy) -> None:
    folder = begin_study()
    trial = record(3, 0.1, epochs=4, learning_rate=0.004, dropout=0.25)
    folder.records_file.write_text(f"{trial.model_dump_json()}\n")
    path = ablation_path(folder)
    turned = Config(epochs=4, dropout=0.25)
    other = AblationPath("00003", True, (path.configs[0], turned, path.configs[-1]))
    assert other != path
    store_path(other, folder.ablation_file)
    assert ablation_path(folder) == other
    better = record(4, 0.05, epochs=4, dropout=0.5)
    with folder.records_file.open("a") as file:
        file.write(f"{better.model_dump_json()}\n")
    assert ablation_path(folder).trial == "00004"


@pytest.mark.parametrize("text", ["{", "[]", '{"configs": [{}]}', '{"configs": []}'])
def test_a_damaged_path_is_named(text: str, begin_study: BeginStudy) -> None:
    folder = begin_study()
    trial = record(3, 0.1, epochs=4, learning_rate=0.004)
    folder.records_file.write_text(f"{trial.model_dump_json()}\n")
    folder.ablation_file.write_text(text)
    with pytest.raises(InvalidInput, match="ablation.json is damaged; remove it"):
        ablation_path(folder)


def test_nothing_is_to_ablate_where_the_best_is_the_published_config(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study()
    folder.records_file.write_text(f"{record(0, 0.1, epochs=4).model_dump_json()}\n")
    with pytest.raises(InvalidInput, match="00000, has the published config .* nothing to ablate"):
        ablation_path(folder)


def test_a_study_without_a_complete_trial_has_no_path(begin_study: BeginStudy) -> None:
    with pytest.raises(InvalidInput, match="no trial of this study is complete"):
        ablation_path(begin_study())


def test_a_stored_path_can_be_read_by_people(tmp_path: Path) -> None:
    file = tmp_path / "ablation.json"
    store_path(AblationPath("00003", False, (START, END)), file)
    assert json.loads(file.read_text())["configs"][1]["learning_rate"] == 0.004
