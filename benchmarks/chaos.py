"""Kill drivers, workers and nodes of real studies at random moments, and count what is lost.

    python benchmarks/chaos.py [--driver-kills 50] [--worker-kills 20] [--node-kills 10]
        [--stock-kills 10]
    python benchmarks/chaos.py --quick

Only processes started here are killed, and only loopback is used. Galaxies are simulated, the
networks small, all else is real: Ray, Optuna's journal, offline W&B runs. The stock stack
(Ray's OptunaSearch on SQLite, ASHA, WandbLoggerCallback, Tuner.restore) is treated alike after
that, see benchmarks/chaos_stock.py. The last lines say what was lost.
"""

import argparse
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.chaos_stock import hurt_stock
from benchmarks.driven_studies import (
    COUNTED,
    Tally,
    descendants,
    end_driver,
    finish,
    galaxytune,
    inspect,
    kill_all,
    make_study,
    wait_at_random,
)


def kill_drivers(folder: Path, num_kills: int) -> list[dict[str, int]]:
    """SIGKILL drivers at random moments, resume each study to its end, until so many are killed.

    One kill in four comes while a driver starts, three while its trials train and end. A driver
    is no more killed once it has ended its study; then the next study begins.
    """
    counts: list[dict[str, int]] = []
    killed = 0
    while killed < num_kills:
        study = make_study(folder, f"driver-{len(counts)}", trials=24)
        tally, killed = Tally(study), killed + 1  # making the study was the first
        while killed < num_kills:
            driver = galaxytune("resume", study.name, "--local-cpus", 2, cwd=folder)
            wait_at_random(driver, study.curves_folder, "*.jsonl")
            if driver.poll() is not None:
                break
            end_driver(driver)
            killed += 1
            tally.look()
            print(
                f"{study.name}: kill {killed} of {num_kills}, {len(tally.seen)} ended", flush=True
            )
        counts.append(inspect(study, tally, finish(study, "--local-cpus", 2)))
        print(f"{study.name}: {counts[-1]}", flush=True)
    return counts


def trainers(parent: int) -> list[int]:
    """The processes below one in which Ray trains, not those that are still being made."""
    return [p for p, title in descendants(parent) if title.startswith("ray::ImplicitFunc.train")]


def wait_for_trainers(driver: subprocess.Popen, count: int) -> None:
    """Return when this process's cluster trains so many trials, or the driver has ended."""
    deadline = time.monotonic() + 60
    while len(trainers(os.getpid())) < count and driver.poll() is None:
        if time.monotonic() > deadline:
            return
        time.sleep(0.2)


def kill_workers(folder: Path, num_kills: int) -> list[dict[str, int]]:
    """SIGKILL training processes one after the other while studies run."""
    counts: list[dict[str, int]] = []
    killed = 0
    while killed < num_kills:
        study = make_study(folder, f"worker-{len(counts)}", trials=30)
        tally = Tally(study)
        driver = galaxytune("resume", study.name, "--local-cpus", 2, cwd=folder)
        while driver.poll() is None and killed < num_kills:
            time.sleep(random.uniform(0.5, 2.0))
            if found := trainers(driver.pid):
                kill_all([random.choice(found)])
                killed += 1
                tally.look()
        resumed = driver.wait(timeout=600) == 0
        retries = sum(r.retries for r in study.records())
        print(f"{study.name}: {killed} killed, {retries} retries recorded here", flush=True)
        counts.append(inspect(study, tally, resumed))
    return counts


def kill_nodes(folder: Path, num_kills: int) -> list[dict[str, int]]:
    """Kill the second node of a two-node cluster again and again while studies run on both."""
    from ray.cluster_utils import Cluster  # noqa: TID251

    counts: list[dict[str, int]] = []
    killed = 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    while killed < num_kills:
        study = make_study(folder, f"node-{len(counts)}", trials=40, epochs=27, halving=False)
        tally = Tally(study)
        driver = galaxytune("resume", study.name, "--address", cluster.address, cwd=folder)
        while driver.poll() is None and killed < num_kills:
            wait_for_trainers(driver, 2)  # one on each node
            time.sleep(random.uniform(0.0, 3.0))
            if driver.poll() is None:
                cluster.remove_node(node, allow_graceful=False)
                killed += 1
                tally.look()
                node = cluster.add_node(num_cpus=1)
        try:
            resumed = driver.wait(timeout=600) == 0
        except subprocess.TimeoutExpired:
            end_driver(driver)
            resumed = False
        retries = sum(r.retries for r in study.records())
        print(f"{study.name}: {killed} killed, {retries} retries recorded here", flush=True)
        counts.append(inspect(study, tally, resumed))
    cluster.shutdown()
    return counts


def main() -> None:
    """Run all three, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver-kills", type=int, default=50)
    parser.add_argument("--worker-kills", type=int, default=20)
    parser.add_argument("--node-kills", type=int, default=10)
    parser.add_argument("--stock-kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few kills of each")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.driver_kills = 4
        arguments.worker_kills, arguments.node_kills, arguments.stock_kills = 3, 1, 0
    random.seed(arguments.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = galaxytune("data", "simulate", "g.npz", "--num-galaxies", 300, cwd=folder)
        assert made.wait() == 0
        parts = {
            "drivers": kill_drivers(folder, arguments.driver_kills),
            "workers": kill_workers(folder, arguments.worker_kills),
            "nodes": kill_nodes(folder, arguments.node_kills) if arguments.node_kills else [],
        }
        for part, counts in parts.items():
            total = {name: sum(c[name] for c in counts) for name in COUNTED}
            print(
                f"{part}, {len(counts)} studies: "
                + ", ".join(f"{v} {k}" for k, v in total.items())
            )
        print(f"{time.monotonic() - started:.0f} s", flush=True)
        if arguments.stock_kills:
            hurt_stock(folder, arguments.stock_kills)


if __name__ == "__main__":
    main()
