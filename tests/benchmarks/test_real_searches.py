"""benchmarks/real_searches.py: its quick form, the searches that it keeps, and its tables."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.real_search_parts.asked_search import (
    METHODS,
    OPTUNA,
    OPTUNA_LIST,
    OURS,
    RANDOM,
    AskedSearch,
)
from benchmarks.real_search_parts.kept_searches import Course, kept_course
from benchmarks.real_search_parts.search_table import (
    course_table,
    ratios,
    target_of,
    target_table,
)
from search_spaces.declaration import InvalidInput

ROOT = Path(__file__).parents[2]
SMALL = {"width": 0.1, "batch_size": 32}


def asked(data: Path, method: str = RANDOM, **changes: Any) -> AskedSearch:
    """A small search of simple CNNs."""
    values: dict[str, Any] = {
        "seed": 0,
        "architecture": "simple_cnn",
        "num_galaxies": 120,
        "epochs": 2,
        "trials": 3,
        "workers": 2,
        "fixed": SMALL,
    }
    return AskedSearch(method=method, data=str(data), **{**values, **changes})


def course(*reports: tuple[float, float]) -> Course:
    """The course of a search whose reports have an RMSE and the seconds of their epoch."""
    rows = [
        [10.0 * number, number, 1, rmse, seconds] for number, (rmse, seconds) in enumerate(reports)
    ]
    return Course.of({"reports": rows, "seconds": 10.0 * len(rows)})


def run_quick(data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the quick form with two CPUs and the simple CNN."""
    script = str(ROOT / "benchmarks" / "real_searches.py")
    options = ["--quick", "--architecture", "simple_cnn", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, script, str(data), *options],
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.ray
@pytest.mark.slow
def test_the_quick_form_runs_every_method_and_keeps_what_it_has_run(
    toy_npz: Path, tmp_path: Path
) -> None:
    done = run_quick(toy_npz, tmp_path)
    assert done.returncode == 0, done.stderr
    for words in METHODS.values():
        assert f"| {words} |" in done.stdout
    found = {m: json.loads((tmp_path / f"{m}-seed-0.json").read_text()) for m in METHODS}
    for method, kept in found.items():
        search = asked(toy_npz, method)
        first = [config.model_dump(mode="json") for config in search.first_configs()]
        assert [kept["configs"][str(number)] for number in range(len(first))] == first
        assert list(sorted(kept["configs"])) == ["0", "1", "2"]
        assert all(0 < rmse < 1 for _, _, _, rmse, _ in kept["reports"])
    assert len(found[OURS]["first_configs"]) == len(found[OPTUNA_LIST]["first_configs"]) > 1
    assert found[OPTUNA]["configs"]["1"] not in found[OPTUNA_LIST]["first_configs"]
    # the published config is trained from the same beginning by every method
    firsts = [next(r for r in kept["reports"] if r[1:3] == [0, 1])[3] for kept in found.values()]
    assert firsts == pytest.approx([firsts[0]] * 4, rel=1e-5)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = run_quick(toy_npz, tmp_path)
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_kept_search_of_another_kind_is_refused(toy_npz: Path, tmp_path: Path) -> None:
    search = asked(toy_npz)
    kept = {**search.described(), "reports": [[5.0, 0, 1, 0.25, 2.0]], "seconds": 6.0}
    (tmp_path / "random_asha-seed-0.json").write_text(json.dumps(kept))
    assert kept_course(search, tmp_path).best.tolist() == [0.25]
    with pytest.raises(InvalidInput, match="a search with another epochs and first_configs"):
        kept_course(asked(toy_npz, epochs=3), tmp_path)


def test_the_device_seconds_are_those_of_all_reports_so_far() -> None:
    found = course((0.3, 4.0), (0.4, 1.0), (0.2, 2.0))
    assert found.best.tolist() == [0.3, 0.3, 0.2]
    assert found.time_to(0.25, "device-seconds") == 7.0
    assert found.time_to(0.25, "wall seconds") == 20.0
    assert found.time_to(0.25, "epochs") == 3
    assert found.time_to(0.1, "epochs") == math.inf
    assert found.best_at(6.9, "device-seconds") == 0.3
    assert found.best_at(3.9, "device-seconds") == math.inf


def test_a_search_without_the_target_counts_with_what_it_has_spent() -> None:
    """Our three searches take 4 device-seconds each; those of random ones 8, and twice 12."""
    ours = {seed: course((0.15, 4.0), (0.3, 4.0)) for seed in range(3)}
    there = course((0.4, 4.0), (0.2, 4.0), (0.2, 4.0))
    not_there = course((0.4, 4.0), (0.3, 4.0), (0.25, 4.0))
    courses = {OURS: ours, RANDOM: {0: there, 1: not_there, 2: not_there}}
    assert target_of(courses) == 0.25
    ratio, low, high = ratios(courses, 0.2, "device-seconds")[RANDOM]
    assert ratio == 3.0
    assert (low, high) == (2.0, 3.0)
    rows = list(target_table(courses, 0.2))
    assert "| 4 [4, 4] |" in rows[2] and "| 3/3 |" in rows[2]
    assert "| inf [8, inf] |" in rows[3] and "| 1/3 | 0.2500 |" in rows[3]
    assert ratios({RANDOM: courses[RANDOM]}, 0.2, "epochs") == {}


def test_the_course_is_the_median_over_the_seeds() -> None:
    courses = {RANDOM: {s: course((0.3 + s / 10, 4.0), (0.2 + s / 10, 4.0)) for s in range(3)}}
    head, _, row = course_table(courses)
    assert head.endswith("| 0 | 0 | 1 | 2 | 4 | 8 |")
    assert row == "| random + ASHA | — | — | — | — | 0.4000 | 0.3000 |"


def test_wrong_arguments_are_refused_before_the_first_search(toy_npz: Path) -> None:
    script = str(ROOT / "benchmarks" / "real_searches.py")
    done = subprocess.run(
        [sys.executable, script, str(toy_npz), "--num-galaxies", "1000"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert np.all([word in done.stderr for word in ("10..200", "1000")])
