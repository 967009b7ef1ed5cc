"""Syne Tune's ASHA, MOBSTER and HyperTune, each search in a process of another environment."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from benchmarks.replay.recorded_curves import distributions
from benchmarks.replay.search_plan import search_space
from benchmarks.replay.simulation import Job, Method

_SERVER = Path(__file__).with_name("syne_tune_server.py")


class SyneTuneMethod(Method):
    """A scheduler of Syne Tune that pauses trials at its rungs and promotes them later.

    Its spaces know no conditions: it is asked for every value, and those not in use are dropped.
    """

    def __init__(
        self, python: Path, method: str, architecture: str, num_epochs: int, *, seed: int
    ) -> None:
        """Start the process; `python` is of an environment with Syne Tune 0.13."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
        self._complaints = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(python), str(_SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._architecture = architecture
        self._configs: dict[int, dict[str, Any]] = {}
        self._epochs: dict[int, int] = {}
        space = {
            name: json.loads(distribution_to_json(distribution))["attributes"]
            for name, distribution in distributions(architecture).items()
        }
        self._ask(do="start", method=method, space=space, num_epochs=num_epochs, seed=seed)

    def next_job(self) -> Job:
        """A new trial, or a paused one from where it was."""
        answer = self._ask(do="suggest")
        trial = int(answer["trial"])
        if "config" in answer:
            self._configs[trial] = in_use(self._architecture, answer["config"])
            self._epochs[trial] = 0
        return Job(trial, self._configs[trial], self._epochs[trial] + 1)

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """Ask."""
        self._epochs[trial] = epoch
        return bool(self._ask(do="report", trial=trial, epoch=epoch, rmse=rmse)["goes_on"])

    def failed(self, trial: int) -> None:
        """Tell."""
        self._ask(do="fail", trial=trial)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def _ask(self, **asked: Any) -> dict[str, Any]:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, json.JSONDecodeError):
            process.kill()
            process.wait()
            self._complaints.seek(0)
            said = self._complaints.read().strip().splitlines() or ["nothing said"]
            raise RuntimeError(f"Syne Tune's process ended: {said[-1]}") from None
        return answer


def in_use(architecture: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the values that the other values leave in use."""
    fields = search_space(architecture).hyperparameters
    given = {field.name: values.get(field.name) for field in fields}
    return {
        entry: values[entry]
        for field in fields
        if field.in_use(given)
        for entry in field.entries()
    }


@dataclass(frozen=True)
class SyneTune:
    """A maker of searches by one of Syne Tune's methods."""

    python: Path
    method: str

    def __call__(self, architecture: str, num_epochs: int, seed: int) -> SyneTuneMethod:
        """Start one."""
        return SyneTuneMethod(self.python, self.method, architecture, num_epochs, seed=seed)
