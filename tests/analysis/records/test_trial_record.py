"""Records on disk: typed when read, the same JSON when written, and a wrong line named."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from analysis.records.trial_record import TrialRecord, differ_only_in, read_records
from search_spaces.declaration import InvalidInput, config_class
from search_spaces.simple_cnn import Config as SimpleCNN
from tests.support.architectures import drawn, every_architecture, space_of
from tests.support.records import record
from trainables.files import append_line, read_json_lines

# Eight records of all architectures, written by galaxytune 0.1.0 (commit c4ec6b0).
OLDER = Path(__file__).with_name("trials_0_1_0.jsonl")
RECORDS = [
    record(0, None, status="failed"),
    record(1, 0.09, status="pruned"),
    record(2, 0.12, published=True),
    record(3, 0.10, architecture="timm:resnet18", pooling="avg"),
]


def write(path: Path, records: list[TrialRecord]) -> str:
    for each in records:
        append_line(path, each.model_dump(mode="json"))
    return path.read_text()


def test_records_are_read_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "trials.jsonl", RECORDS)
    assert read_records(tmp_path / "trials.jsonl") == RECORDS
    assert read_records(tmp_path / "none.jsonl") == []


@every_architecture
def test_a_config_is_read_back_as_its_own_frozen_type(architecture: str) -> None:
    for _, config in drawn(space_of(architecture), 5):
        made = record(0, 0.1).model_copy(update={"architecture": architecture, "config": config})
        read = TrialRecord.model_validate_json(made.model_dump_json())
        assert read.config == config and type(read.config) is config_class(architecture)


def test_records_of_an_older_version_are_typed_and_dump_to_what_they_were() -> None:
    records = read_records(OLDER)
    architectures = {r.architecture for r in records}
    assert len(records) == 8 and len(architectures) == 6
    assert all(type(r.config) is config_class(r.architecture) for r in records)
    for record_read, values in zip(records, read_json_lines(OLDER), strict=True):
        dumped = record_read.model_dump(mode="json")
        config, defaults = dumped.pop("config"), type(record_read.config).model_fields
        old = values.pop("config")
        assert dumped.pop("origin") is None
        assert dumped.pop("further_seed") is False
        assert dumped == values
        assert {name: config[name] for name in old} == old
        assert all(config[name] == defaults[name].default for name in config.keys() - old.keys())


def test_keys_that_an_older_record_lacks_have_their_defaults() -> None:
    values = read_json_lines(OLDER)[0]
    later = ("retries", "config_failed", "feasible", "micro_batch")
    read = TrialRecord.model_validate({k: v for k, v in values.items() if k not in later})
    assert (read.retries, read.config_failed) == (0, False)
    assert (read.feasible, read.micro_batch) == (None, None)


def test_a_record_is_made_of_a_config_or_of_its_values() -> None:
    config = SimpleCNN(dropout=0.2)
    values = record(0, 0.1).model_dump() | {"config": config.model_dump(mode="json")}
    assert (
        TrialRecord(**values).config == config == TrialRecord(**values | {"config": config}).config
    )


def test_a_record_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECORDS[2].status = "failed"


@pytest.mark.parametrize("cut", [1, 2, 50, 200])
def test_a_last_line_cut_short_is_left_out(cut: int, tmp_path: Path) -> None:
    text = write(tmp_path / "trials.jsonl", RECORDS)
    (tmp_path / "trials.jsonl").write_text(text[:-cut])
    kept = RECORDS if cut == 1 else RECORDS[:-1]  # 1: only the line's end is missing
    assert read_records(tmp_path / "trials.jsonl") == kept


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    lines = write(path, RECORDS).splitlines()
    lines[2] = lines[2][:30]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput, match=r"trials\.jsonl line 3 is not JSON"):
        read_records(path)


def test_a_line_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text('{"id": "00000"}\n')
    assert read_json_lines(path) == [{"id": "00000"}]
    with pytest.raises(InvalidInput, match=r"trials\.jsonl line 1 is no trial record: \w+: "):
        read_records(path)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"architecture": "maxout"}, "no architecture 'maxout'"),
        ({"seed": 0}, "does not name its architecture"),
        ({"architecture": "simple_cnn", "dropout": 2}, "dropout: .*less than 1, got 2"),
        ({"architecture": "simple_cnn", "drop": 0}, "unknown key 'drop'"),
    ],
)
def test_a_record_of_an_impossible_config_is_refused_in_one_line(
    config: dict, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "trials.jsonl"
    good = RECORDS[2].model_dump(mode="json")
    path.write_text(f"{json.dumps(good)}\n{json.dumps(good | {'config': config})}\n")
    with pytest.raises(InvalidInput, match=rf"line 2 is no trial record: .*{told}") as error:
        read_records(path)
    assert "\n" not in str(error.value)


def test_trials_are_compared_by_the_fields_that_are_left() -> None:
    trials = [record(0, 0.1, seed=0), record(1, 0.2, seed=1), record(2, 0.3, seed=2, dropout=0.1)]
    assert differ_only_in(trials[:2], "seed") and not differ_only_in(trials, "seed")
    assert differ_only_in(trials, "seed", "dropout")
    assert trials[0].config_without("seed") == trials[1].config_without("seed")
    assert set(trials[0].config_without("seed", "dropout")) == (
        set(SimpleCNN.model_fields) - {"seed", "dropout"}
    )


def test_a_config_of_no_architecture_is_no_config() -> None:
    values = record(0, 0.1).model_dump()
    for config in (None, "simple_cnn", 3):
        with pytest.raises(ValidationError):
            TrialRecord(**values | {"config": config})
