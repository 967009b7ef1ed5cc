"""The process that writes runs: each run is the study's own, whatever the environment says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from galaxytune.cluster import python_command
from tests.support.processes import clean_environment
from tests.support.wandb_file import read_run

LONG = "timm:" + "a_long_name_" * 10


def written(folder: Path, **variables: str) -> list[dict[str, Any]]:
    """Two runs that the process writes offline, with these variables in its environment."""
    (folder / "study" / "wandb").mkdir(parents=True)
    messages: list[dict[str, Any]] = []
    for trial in ("00000", "00001"):
        opening = {"run_id": f"abcd1234-{trial}", "config": {"width": 1}, "tags": [LONG]}
        messages.append({"do": "open", "trial": trial, **opening})
        messages.append({"do": "log", "trial": trial, "report": {"epoch": 1, "val_rmse": 0.1}})
        messages.append({"do": "close", "trial": trial, "summary": {"status": "complete"}})
    lines = "".join(json.dumps(message) + "\n" for message in [*messages, {"do": "end"}])
    arguments = ("study", "study/wandb/mirrored.jsonl", "s", "offline")
    answer = subprocess.run(
        python_command("galaxytune.tracking.wandb_process", *arguments),
        input=lines, capture_output=True, text=True, cwd=folder,
        env=clean_environment() | variables,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    files = sorted((folder / "study" / "wandb").glob("offline-run-*/run-*.wandb"))
    return [read_run(file) for file in files]


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WANDB_SWEEP_ID": "sw33p"},
        {"WANDB_RUN_ID": "abc123", "WANDB_SWEEP_ID": "sw33p", "WANDB_SWEEP_PARAM_PATH": "no.yaml"},
        {"WANDB_RUN_ID": "a/b", "WANDB_RESUME": "must", "WANDB_FORK_FROM": "x?_step=1"},
        {"WANDB_RUN_GROUP": "g", "WANDB_NAME": "n", "WANDB_DIR": "/proc/none"},
        {"WANDB_LAUNCH": "true", "WANDB_SERVICE": "2-1-tcp-localhost-5"},
        {"SM_TRAINING_ENV": "{}", "TRAINING_JOB_NAME": "job", "CURRENT_HOST": "h"},
        {"WANDB_MODE": "disabled", "WANDB_PROJECT": "a/b", "WANDB_API_KEY": " short"},
        {"WANDB_CACHE_DIR": "/proc/none", "WANDB_DATA_DIR": "/proc/none", "WANDB_MODE": ""},
    ],
    ids=str,
)
def test_each_trial_has_a_run_of_its_own(variables: dict[str, str], tmp_path: Path) -> None:
    runs = written(tmp_path, **variables)
    assert [run["id"] for run in runs] == ["abcd1234-00000", "abcd1234-00001"]
    assert {run["group"] for run in runs} == {"s"}
    assert all(run["history"][1]["val_rmse"] == 0.1 for run in runs)


@pytest.mark.slow
def test_settings_files_change_no_run(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    text = "[default]\nrun_id = x\nmode = disabled\nsweep_id = s\n"
    (tmp_path / "wandb/settings").write_text(text)
    assert [run["id"] for run in written(tmp_path)] == ["abcd1234-00000", "abcd1234-00001"]


@pytest.mark.slow
def test_the_users_tags_are_added_and_long_ones_are_cut(tmp_path: Path) -> None:
    (run, _) = written(tmp_path, WANDB_TAGS="mine,yours")
    assert set(run["tags"]) == {LONG[:64], "mine", "yours", "complete"}
