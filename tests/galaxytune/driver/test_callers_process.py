"""A search in a program of the caller's leaves the program as it was, and prints nothing."""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

import matplotlib
import optuna
import pytest
from ray._private.authentication.authentication_utils import is_token_auth_enabled

import galaxytune
from galaxytune.cluster.connection import ClusterAddress
from galaxytune.driver.run import run_study
from galaxytune.plan.study_plan import StudyPlan
from tests.support import misbehaving
from tests.support.observers import Looking
from tests.support.rays import Rays
from tests.support.studies import BeginStudy, assert_whole

pytestmark = pytest.mark.ray

OWN = ClusterAddress(local_cpus=1)


def state_of_this_process() -> dict[str, Any]:
    """What a search must leave as it finds it."""
    return {
        "environment": dict(os.environ),
        "standard output": (sys.stdout, sys.stderr),
        "working folder": Path.cwd(),
        "garbage collection": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        "Optuna's verbosity": optuna.logging.get_verbosity(),
        "signal handlers": {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)},
        "matplotlib's settings": dict(matplotlib.rcParams),
        "Ray's authentication": is_token_auth_enabled(),
    }


EVENTS = {"study_started", "trial_started", "epoch_reported", "trial_finished"}


@pytest.fixture
def no_ray(rays: Rays) -> None:
    rays.end()


def test_a_search_changes_nothing_and_prints_nothing(
    no_ray: None,
    toy_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With a Ray of its own, which changes more than a Ray that runs already."""
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "60")  # the caller's, which a search overrides
    optuna.logging.set_verbosity(optuna.logging.INFO)
    plan = StudyPlan(
        name="s",
        architectures=("simple_cnn",),
        data=str(toy_npz),
        trials=2,
        epochs=1,
        set={"width": 0.1, "batch_size": 32},
        wandb="disabled",
    )
    before = state_of_this_process()
    looking = Looking(lambda: (sys.stdout, sys.stderr, optuna.logging.get_verbosity()))
    study = galaxytune.search(plan, storage=tmp_path, cluster=OWN, observers=[looking])
    after = state_of_this_process()
    for what, found in before.items():
        assert after[what] == found, what
    assert looking.seen == dict.fromkeys(EVENTS, (sys.stdout, sys.stderr, optuna.logging.INFO))
    assert capfd.readouterr() == ("", "")
    assert study.status().counts["complete"] == 2


def test_trials_that_fail_are_not_printed_either(
    no_ray: None, begin_study: BeginStudy, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = begin_study(trials=6, max_retries=0)
    run_study(folder, OWN, trainable=misbehaving.fails_in_turn)
    assert_whole(folder)
    assert {record.status for record in folder.records()} == {"complete", "failed"}
    assert capfd.readouterr() == ("", "")
