"""Memory that is freed stays with the process, so that steps map no pages anew."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median_low

import pytest

from galaxytune.cluster.connection import ENVIRONMENT as SET_FOR_WORKERS

PROGRAM = """
import resource, sys, threading
from pathlib import Path
import numpy as np
import torch
from search_spaces.declaration import config_from_values
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.split import Split
from trainables.training.training_run import TrainingRun

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def train():
    # 100 MB of activations after the first convolution
    values = {"architecture": "simple_cnn", "batch_size": 200, "precision": "float32"}
    rows = np.arange(200)
    split = Split(rows, rows[:8], rows[:8])
    galaxies = open_galaxies(Path(sys.argv[1]))
    run = TrainingRun(config_from_values(values), galaxies, split, torch.device("cpu"))
    for _ in range(5):
        before = faults()
        run.run_epoch()
        print(faults() - before)

torch.set_num_threads(1)
if "in a thread" in sys.argv:
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
else:
    train()
"""
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")


def faults(*arguments: object, **environment: str) -> list[int]:
    """Pages that each of five epochs maps."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    return [int(line) for line in done.stdout.split()]


def settles(epochs: list[int]) -> bool:
    """Return whether the first epoch maps the pages and half of the later epochs reuse them.

    Not every later one: where a tensor finds no gap of its size, the heap grows once more, and the
    system may take pages back that were not used for a while. Without the setting every epoch maps
    about as many pages as the first.
    """
    first, *later = epochs
    return first > 50_000 and median_low(later) < first / 10


@pytest.mark.slow
def test_steps_map_no_pages_that_earlier_ones_had(toy_npz: Path) -> None:
    assert settles(faults(toy_npz))


@pytest.mark.slow
def test_nor_do_they_in_a_thread_of_a_worker_where_trials_are(toy_npz: Path) -> None:
    arenas = {name: value for name, value in SET_FOR_WORKERS.items() if "MALLOC" in name}
    assert settles(faults(toy_npz, "in a thread", **arenas))
