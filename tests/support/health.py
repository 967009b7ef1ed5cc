"""Plans to be examined by the doctor, and what their networks are taken to need."""

from pathlib import Path
from typing import Any

from galaxytune.doctor.training_checks import Measured
from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan


def small_plan(data: Path, **changes: Any) -> StudyPlan:
    """Return the plan of 20 trials of a narrow simple_cnn; changes: keys in place of its own."""
    values: dict[str, Any] = {
        "name": "toy",
        "architectures": ["simple_cnn"],
        "data": str(data),
        "trials": 20,
        "epochs": 9,
        "grace_epochs": 1,
        "seed_share": 0,
        "set": {"width": 0.1, "batch_size": 32},
        "wandb": "offline",
    }
    return make_plan(values | changes)


MEASURED = Measured(
    device="cpu",
    batch_size=32,
    micro_batch=32,
    seconds_per_step=2.0,
    seconds_per_validated=0.5,
    host_bytes=2**30,
    gpu_bytes=0,
    gpu_total_bytes=0,
    weight_bytes=100,
    frozen_bytes=10,
    state_bytes=400,
)
"""What a few steps of a network took, in round numbers."""
