"""The most memory that one trial takes on a processor, and where its bytes are.

    python benchmarks/memory_of_a_trial.py [--network parallel_cnn] [--batch 128] [--epochs 2]
        [--threads 1 2] [--precision float32 bfloat16] [--share 1]

Each line is a training in a process of its own, on simulated galaxies of 64 pixels: two steps an
epoch, and 80 validation galaxies. The peak is that of the whole process (ru_maxrss); the saved
activations are those that PyTorch keeps for the backward pass. --share is the part of the
machine's memory that the trial may take, as for one of several trials side by side: a smaller
share shows the bound on the micro-batch.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

GIB = 2**30
NUM_TRAINED, NUM_VALIDATED = 256, 80


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """Train a task in this process; return its sizes in bytes and its results by name."""
    import numpy as np
    import torch

    from benchmarks.packing import made_galaxies
    from search_spaces.declaration import config_from_values
    from trainables.galaxies import Split
    from trainables.training import TrainingRun

    torch.set_num_threads(task["threads"])
    galaxies = made_galaxies(NUM_TRAINED + NUM_VALIDATED)
    rows = np.arange(len(galaxies))
    trained = np.resize(rows[:NUM_TRAINED], 2 * task["batch"])
    split = Split(trained, rows[NUM_TRAINED:], rows[:0])
    values = {"architecture": task["network"], "batch_size": task["batch"]}
    config = config_from_values({**values, "precision": task["precision"]})
    before = resident()
    cpu = torch.device("cpu")
    run = TrainingRun(config, galaxies, split, cpu, memory_share=task["share"])
    reports = [run.run_epoch() for _ in range(task["epochs"])]
    return {
        "before": before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "at_the_end": resident(),
        "saved": saved(run, task["precision"]) * task["batch"],
        "micro_batch": run.micro_batch,
        "seconds": min(report.seconds for report in reports),
        "rmse": reports[-1].val_rmse,
    }


def saved(run: Any, precision: str) -> float:
    """Return the bytes of saved activations for each galaxy of a run."""
    import torch

    from trainables.training.activation_memory import saved_bytes

    first, dtype = run._batches.first(), getattr(torch, precision)
    few, more = (saved_bytes(run.network, first.part(slice(0, n)), dtype) for n in (2, 4))
    return (more - few) / 2


def line(task: dict[str, Any]) -> str:
    """Train a task in a process of its own; return its line."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(task["threads"]), "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--task", json.dumps(task)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return (
        f"| {task['network']} | {task['precision']} | {task['threads']} | {task['share']:g} | "
        f"{found['before'] / GIB:.2f} | {found['saved'] / GIB:.2f} | {found['peak'] / GIB:.2f} | "
        f"{found['micro_batch']} | {found['seconds']:.0f} | {found['rmse']:.4f} |"
    )


def main() -> None:
    """Print a table with a line for each number of threads, precision and share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="parallel_cnn")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--share", type=float, nargs="+", default=[1.0])
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        return print(json.dumps(measured(json.loads(arguments.task))))
    told = f"batch of {arguments.batch}, {os.cpu_count()} CPUs; sizes in GiB"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {told}")
    columns = "network precision threads share before saved peak micro-batch s RMSE".split()
    print("|", " | ".join(columns), "|")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for precision in arguments.precision:
        for threads in arguments.threads:
            for share in arguments.share:
                own = {"network": arguments.network, "batch": arguments.batch, "share": share}
                others = {"epochs": arguments.epochs, "threads": threads, "precision": precision}
                print(line({**own, **others}), flush=True)


if __name__ == "__main__":
    main()
