"""benchmarks/long_driver.py: its quick form, and the line through the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.long_driver import growth, summary, table
from benchmarks.long_driver_parts.watched_driver import Watch
from benchmarks.simulated_training import simulated_reports

ROOT = Path(__file__).parents[2]


def run(*options: object) -> subprocess.CompletedProcess[str]:
    """Run the benchmark with options."""
    command = [sys.executable, str(ROOT / "benchmarks" / "long_driver.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.ray
@pytest.mark.slow
def test_the_quick_form_watches_both_drivers(tmp_path: Path) -> None:
    done = run("--quick", "--out", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["galaxytune", "stock"]
    for noted in found.values():
        assert len(noted["seconds"]) == 60 and min(noted["seconds"]) > 0
        assert [trials for trials, _ in noted["memory"]] == [10, 20, 30, 40, 50, 60]
        assert all(50 < resident < 5000 for _, resident in noted["memory"])
    assert done.stdout.count("| galaxytune |") == 1 and "suggestion under 20 ms" in done.stdout


def test_the_growth_is_the_slope_after_the_first_trials() -> None:
    memory = [(250, 900.0), (500, 100.0), (750, 110.0), (1000, 120.0), (1250, 130.0)]
    assert growth(memory, 500) == pytest.approx(40.0)
    with pytest.raises(ValueError, match="two points"):
        growth(memory, 1250)


def test_the_summary_has_the_times_in_milliseconds() -> None:
    seconds = [0.001] * 16 + [0.003] * 4
    noted = {"seconds": seconds, "memory": [(10, 1.0), (20, 2.0)], "whole_seconds": 9.0}
    grown, middle, late, last = summary(noted, 10).values()
    assert (grown, middle, last) == pytest.approx((100.0, 1.0, 3.0))
    assert late == pytest.approx(3.0)
    rows = list(table({"stock": {**noted, "summary": summary(noted, 10)}}))
    assert rows[2] == "| stock | 100.0 | 1.0 ms | 3.0 ms | 3.0 ms | 9 s |"
    assert rows[-1] == "| 20 | 2 |"


def test_only_new_trials_are_noted() -> None:
    class Searcher:
        def suggest(self, trial_id: str) -> str | None:
            return None if trial_id == "paused" else trial_id

    watch = Watch(every=2)
    watch.suggestions_of(Searcher, lambda suggested: suggested is not None)
    own = Searcher()
    assert [own.suggest(trial) for trial in ("a", "paused", "b", "c")] == ["a", None, "b", "c"]
    assert len(watch.seconds) == 3
    assert [trials for trials, _ in watch.memory] == [2]


def test_few_trials_are_refused() -> None:
    done = run("--trials", 100)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --trials must be at least 1000, got 100; or give --quick"
    ]


def test_a_simulated_trial_reports_the_same_twice() -> None:
    first = list(simulated_reports("00001", 1e-3, 3))
    assert first == list(simulated_reports("00001", 1e-3, 3))
    worse = list(simulated_reports("00001", 1e-1, 3))
    assert len(first) == 3 and worse[2]["val_rmse"] > first[2]["val_rmse"]
    assert "finished" in first[2] and "finished" not in first[1]
