"""YAML that a person writes: what is no YAML, or names a key twice, is told in one line."""

import os
from pathlib import Path

import pytest

from search_spaces.declaration.errors import InvalidInput
from search_spaces.declaration.yaml_text import read_yaml, yaml_value

INF = float("inf")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- 1", "must hold keys and values, it holds list"),
        ("", "must hold keys and values, it holds nothing"),
        ("a: [", "is not YAML"),
        ("a: 2026-13-01", "is not YAML: month must be in 1..12"),  # a date, for YAML
        ("a: 2026-01-01 25:00:00", "is not YAML: hour must be in 0..23"),
        ("[" * 1000, "is not YAML"),
        ("name: café".encode("latin-1"), "is not YAML: its text is not UTF-8; save the file"),
        ("name: a".encode("utf-16-le"), "is not YAML: it holds the control character 0x00"),
        ("epochs: 1\n\ttrials: 2", "is not YAML: line 2: .*: a tab stands where only spaces may"),
        ("epochs: [1,\n", "is not YAML: line 2: .*: the file ends too early"),
        ("name: 'a", "is not YAML: line 1: .*: the file ends too early"),
        ("a: 1\n\na: 2", "plan.yaml: 'a' stands twice, in lines 1 and 3$"),
        ("b: {c: {a: 1}}\nset: [{a: 1, a: 2}]", "'a' stands twice, in line 2$"),
        ("grid:\n  - 1: x\n    1: x", "'1' stands twice, in lines 2 and 3$"),
        (
            "a: 1\nb: 010",
            "plan.yaml: line 2: 010 stands for another number in YAML; write it without",
        ),
        ("max_hours: 1:30", "line 1: 1:30 stands for another number in YAML; write it without a"),
        (None, "no file"),
    ],
)
def test_an_unusable_yaml_file_is_named_in_one_line(
    text: str | bytes | None, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput, match=told) as error:
        read_yaml(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_folder_is_no_yaml_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: .*directory"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("10", 10), ("-7", -7), ("1_000", 1000), ("0.5", 0.5), ("0x1f", 31), (".inf", INF)],
)
def test_numbers_are_read_as_a_person_means_them(text: str, value: float) -> None:
    assert yaml_value(text) == value


@pytest.mark.parametrize("text", ["[", "2026-13-01", "a: b: c", "1:30", "010", "-07", "1:30.5"])
def test_a_text_that_is_no_yaml_is_no_value(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a value") as error:
        yaml_value(text)
    assert repr(text) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["!!bool x", "!!timestamp x", "!!int ''", "[1, !!float x]"])
def test_a_value_that_does_not_fit_its_tag_is_refused_in_one_line(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="is not a value"):
        yaml_value(text)
    (tmp_path / "plan.yaml").write_text(f"epochs: {text}")
    with pytest.raises(InvalidInput, match="plan.yaml is not YAML"):
        read_yaml(tmp_path / "plan.yaml")


def test_a_key_twice_in_a_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'a' stands twice, in line 1"):
        yaml_value("{a: 1, b: 2, a: 3}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plan_is_read_as_windows_saves_it(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_bytes("data: é.npz\r\nepochs: 3\r\n".encode(encoding))
    assert read_yaml(tmp_path / "plan.yaml") == {"data": "é.npz", "epochs": 3}


def test_a_merged_key_may_be_overridden(tmp_path: Path) -> None:
    text = "base: &base {a: 1, b: 2}\nset: {<<: *base, a: 3}\nmore: {<<: *base}\n"
    (tmp_path / "plan.yaml").write_text(text)
    assert read_yaml(tmp_path / "plan.yaml")["set"] == {"a": 3, "b": 2}


def test_a_plan_file_that_is_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.yaml")
    with pytest.raises(InvalidInput, match="plan.yaml is no regular file"):
        read_yaml(tmp_path / "plan.yaml")
