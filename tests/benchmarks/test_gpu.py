"""benchmarks/gpu.py in its tiny form, and what it does with parts that fail or take too long."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.gpu import LIMITS
from benchmarks.gpu_parts.note import GOALS, note
from benchmarks.gpu_parts.setting import Rows, or_failure

ROOT = Path(__file__).parents[2]


def measured(data: Path, out: Path, *options: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """Run the tiny form; return the exit code and the parts of the JSON document."""
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), str(data), "--out", str(out)]
    command += ["--tiny", "--device", "cpu", *options]
    environment = {**os.environ, **variables, "OMP_NUM_THREADS": "1"}
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert process.returncode in (0, 1), process.stderr
    return process.returncode, json.loads((out / "gpu.json").read_text())["parts"]


@pytest.mark.ray
@pytest.mark.slow
def test_the_tiny_form_measures_every_part(toy_npz: Path, tmp_path: Path) -> None:
    code, parts = measured(toy_npz, tmp_path)
    assert code == 0 and list(parts) == list(LIMITS)
    assert {part["outcome"] for part in parts.values()} == {"done"}
    rows = [row for part in parts.values() for row in part["rows"]]
    assert not [row for row in rows if "failure" in row]
    assert {row["way"] for row in parts["speed"]["rows"]} == {"galaxytune", "usual"}
    assert parts["whole_search"]["rows"][0]["complete"] == 2
    (text,) = [path.read_text() for path in tmp_path.glob("*-gpu.md")]
    assert "tiny form" in text and "| one at a time |" in text
    assert (tmp_path / "gpu_simple_cnn.parquet").is_file()


@pytest.mark.slow
def test_a_failed_part_tells_its_reason_and_the_next_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "damaged.npz"
    data.write_text("no galaxies")
    code, parts = measured(data, tmp_path, "--parts", "agreement", "card")
    assert code == 1
    assert parts["agreement"]["outcome"] == "failed"
    assert "damaged.npz" in parts["agreement"]["reason"]
    assert parts["card"]["outcome"] == "done"


@pytest.mark.slow
def test_a_part_at_its_limit_is_stopped_with_all_that_it_started(
    toy_npz: Path, tmp_path: Path
) -> None:
    options = ("--parts", "speed", "card", "--seconds", "6")
    _, parts = measured(toy_npz, tmp_path, *options, GALAXYTUNE_TEST=str(tmp_path))
    assert parts["speed"]["outcome"] == "stopped at its limit"
    assert parts["card"]["outcome"] == "no time left"
    left = [p for p in psutil.process_iter() if environment_of(p) == str(tmp_path)]
    assert not left


def environment_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("GALAXYTUNE_TEST")
    except psutil.Error:
        return None


def document(**parts: list[dict[str, Any]]) -> dict[str, Any]:
    whole = {n: {"outcome": "done", "seconds": 1.0, "rows": rows} for n, rows in parts.items()}
    began = "2026-01-02T03:04:05+00:00"
    return {"began": began, "command": "c", "seconds": 1.0, "tiny": False, "parts": whole}


def test_the_note_says_which_goals_are_reached() -> None:
    ways = {"galaxytune": 1000.0, "usual": 90.0, "careful": 600.0}
    own = {"network": "parallel_cnn", "side": 64, "share_of_matrix_rate": 0.41}
    speed = [{**own, "way": way, "images_a_second": rate} for way, rate in ways.items()]
    packing = [
        {"way": "stacked", "configs": 8, "network": name, "times_in_turn": gain}
        for name, gain in (("simple_cnn", 5.0), ("parallel_cnn", 2.0))
    ]
    text = note(document(speed=speed, packing=packing))
    assert "| parallel CNN, times the usual way | at least 10 | 11.1 | yes |" in text
    assert "| parallel CNN, times the careful way | at least 2 | 1.67 | **no** |" in text
    assert "| ViT, times the usual way | at least 10 | not measured | unknown |" in text
    assert "| packs of 8, least gain over in turn | at least 3 | 2 | **no** |" in text
    assert text.count("| unknown |") == len(GOALS) - 4


def test_an_error_becomes_the_last_row() -> None:
    def rows() -> Rows:
        yield {"a": 1}
        raise ValueError("too large")

    assert list(or_failure(rows(), network="n")) == [
        {"a": 1},
        {"network": "n", "failure": "ValueError: too large"},
    ]
    text = note(document(packing=[{"network": "n", "failure": "too large"}]))
    assert "- network n: too large" in text
