"""What a plan will cost, estimated from a few measured steps of each of its networks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from galaxytune.grace_period import first_grace
from galaxytune.halving import Rungs, num_hopeful
from galaxytune.health_check import gibibytes
from galaxytune.study_plan import StudyPlan
from galaxytune.training_checks import Measured


@dataclass(frozen=True)
class CostEstimate:
    """An estimate, and what it takes for granted.

    Hours without halving are those of all trials trained whole. A device is a GPU, or where
    trials have none a CPU.
    """

    device: str
    num_trials: int
    num_at_once: int
    epochs_per_trial: float
    epochs_whole: float
    device_hours: float
    device_hours_without_halving: float
    wall_hours: float
    wall_hours_without_halving: float
    disk_bytes: int
    memory_bytes_per_trial: int
    assumptions: tuple[str, ...]

    def lines(self) -> list[str]:
        """The estimate in words."""
        text = [
            f"estimate, not a promise: {self.num_trials} trials, {self.num_at_once} at once",
            f"  {self.device_hours:.3g} {self.device}-hours, {_duration(self.wall_hours)} at "
            f"{self.epochs_per_trial:.3g} of {self.epochs_whole:.3g} epochs a trial",
        ]
        if self.device_hours < self.device_hours_without_halving:
            text.append(
                f"  all trials trained whole: {self.device_hours_without_halving:.3g} "
                f"{self.device}-hours, {_duration(self.wall_hours_without_halving)}"
            )
        text.append(
            f"  {gibibytes(self.disk_bytes)} of disk for checkpoints, "
            f"{gibibytes(self.memory_bytes_per_trial)} of memory a trial"
        )
        return [*text, *(f"  assumed: {assumption}" for assumption in self.assumptions)]


def _duration(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.2g} minutes by the clock"
    return f"{hours:.3g} hours by the clock"


def halved_epochs(plan: StudyPlan, epochs: int, num_trials: int) -> float:
    """Mean epochs of so many trials that may pause, of `epochs` in all.

    A grace period that the search is to measure is taken for the one that it begins with.
    """
    trained, before = 0, 0
    for epoch, num_left in _arrivals(plan, epochs, num_trials):
        trained += num_left * (epoch - before)
        before = epoch
    return trained / num_trials


def _arrivals(plan: StudyPlan, epochs: int, num_trials: int) -> Iterator[tuple[int, int]]:
    """The epoch of each rung, last of all the final one, and how many trials come there."""
    if plan.stops_early:
        rungs = Rungs(
            grace_epochs=plan.grace_epochs or first_grace(plan.longest_epochs),
            reduction_factor=plan.reduction_factor,
            max_epochs=epochs,
        )
        for epoch in rungs.counts:
            yield epoch, num_trials
            num_trials = max(1, num_trials // plan.reduction_factor)
    yield epochs, num_trials


def whole_trials(plan: StudyPlan) -> int:
    """How many trials are trained to their end whatever halving says: the published configs'."""
    return min(plan.trials, len(plan.architectures)) if plan.stops_early else plan.trials


def estimate(
    plan: StudyPlan,
    measured: Mapping[str, Measured],
    num_galaxies: Mapping[str, int],
    num_at_once: int,
) -> CostEstimate:
    """The cost of a plan whose networks were all measured.

    num_galaxies: how many each part has, as Split.parts names them.
    """
    num_whole = whole_trials(plan)
    share_whole = num_whole / plan.trials
    per_architecture = plan.trials / len(plan.architectures)
    halved = whole = mean = full = longest = 0.0
    for name in plan.architectures:
        epochs = plan.published_config(name).epochs
        epoch_hours = _seconds_per_epoch(measured[name], num_galaxies) / 3600
        halved_mean = halved_epochs(plan, epochs, max(1, plan.trials - num_whole))
        used = share_whole * epochs + (1 - share_whole) * halved_mean
        halved += per_architecture * used * epoch_hours
        whole += per_architecture * epochs * epoch_hours
        longest = max(longest, epochs * epoch_hours)
        mean += used / len(plan.architectures)
        full += epochs / len(plan.architectures)
    share = plan.gpus_per_trial or plan.cpus_per_trial
    at_once = min(num_at_once, plan.trials)
    return CostEstimate(
        device="GPU" if plan.gpus_per_trial else "CPU",
        num_trials=plan.trials,
        num_at_once=at_once,
        epochs_per_trial=mean,
        epochs_whole=full,
        device_hours=min(halved * share, plan.max_device_hours or float("inf")),
        device_hours_without_halving=whole * share,
        wall_hours=min(max(halved / at_once, longest), plan.max_hours or float("inf")),
        wall_hours_without_halving=max(whole / at_once, longest),
        disk_bytes=_disk_bytes(plan, measured, at_once),
        memory_bytes_per_trial=max(m.host_bytes for m in measured.values()),
        assumptions=tuple(_assumptions(plan)),
    )


def _seconds_per_epoch(measured: Measured, num_galaxies: Mapping[str, int]) -> float:
    steps = ceil(num_galaxies["training"] / measured.batch_size)
    validating = num_galaxies["validation"] * measured.seconds_per_validated
    return steps * measured.seconds_per_step + validating


def _disk_bytes(plan: StudyPlan, measured: Mapping[str, Measured], at_once: int) -> int:
    """Weights of the kept trials and what is frozen beneath them; states of those not ended."""
    weights = max(m.weight_bytes for m in measured.values())
    state = max(m.weight_bytes + m.state_bytes for m in measured.values())
    *rungs, _ = _arrivals(plan, plan.longest_epochs, plan.trials)
    num_paused = sum(num_hopeful(num_come) for _, num_come in rungs)
    kept = min(plan.keep_checkpoints + len(plan.architectures), plan.trials) * weights
    kept += num_paused * state
    if plan.checkpoint_quota_gb is not None:
        kept = min(kept, int(plan.checkpoint_quota_gb * 1e9))
    return kept + at_once * state + sum(m.frozen_bytes for m in measured.values())


def _assumptions(plan: StudyPlan) -> list[str]:
    told = [
        "every trial takes as long a galaxy as its architecture's published config",
        "the trials are spread evenly over the architectures, and none stops for want of progress",
        "trials that run at once do not slow each other",
    ]
    if plan.stops_early:
        told.append(
            f"at each rung the best 1 in {plan.reduction_factor} goes on, and trials with a "
            "published config are trained whole"
        )
        if plan.grace_epochs is None:
            told.append("the grace period, which the search measures, stays a 27th of the epochs")
    if plan.max_hours is not None or plan.max_device_hours is not None:
        told.append("the plan's own limits end the search where it would take longer")
    return told
