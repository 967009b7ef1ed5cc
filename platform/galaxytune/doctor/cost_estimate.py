"""The estimated cost of a plan, from a few measured training steps of each of its networks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import ceil

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from galaxytune.doctor.health_check import gibibytes
from galaxytune.doctor.training_checks import Measured
from galaxytune.halving import Rungs, first_grace, num_hopeful
from galaxytune.plan import StudyPlan
from galaxytune.racing import MOST_LEADERS, most_seed_trials, num_seed_trials


@dataclass(frozen=True, config=ConfigDict(use_attribute_docstrings=True))
class CostEstimate:
    """An estimate of what a plan will cost, with the assumptions behind the estimate."""

    device: str
    """`GPU`, or `CPU` if the trials have no GPU. A device-hour is one hour of one such device."""
    num_trials: int
    """Number of trials of the plan."""
    num_at_once: int
    """Number of trials that run at the same time, at most the number of trials."""
    epochs_per_trial: float
    """Mean number of epochs of a trial, with halving."""
    epochs_whole: float
    """Mean number of epochs of a trial that is trained to its last epoch."""
    device_hours: float
    """Device-hours of all trials, with halving; at most the plan's `max_device_hours`."""
    device_hours_without_halving: float
    """Device-hours of all trials if every trial were trained to its last epoch."""
    wall_hours: float
    """Hours by the clock, with halving; at most the plan's `max_hours`."""
    wall_hours_without_halving: float
    """Hours by the clock if every trial were trained to its last epoch."""
    disk_bytes: int
    """Bytes that the checkpoints of all trials, running trials included, will take on disk."""
    memory_bytes_per_trial: int
    """Bytes of main memory that one trial of the plan's largest network needs."""
    assumptions: tuple[str, ...]
    """The assumptions behind the estimate, as sentences."""

    def lines(self) -> list[str]:
        """Return the estimate in words, as lines of text."""
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
    """Return hours by the clock as text, such as `2.5 hours by the clock`; minutes below 1 h."""
    if hours < 1:
        return f"{60 * hours:.2g} minutes by the clock"
    return f"{hours:.3g} hours by the clock"


def halved_epochs(plan: StudyPlan, epochs: int, num_trials: int) -> float:
    """Return the mean number of epochs of trials that halving may pause.

    epochs: epochs of a trial that is trained to its last epoch. num_trials: number of trials that
    start, at least 1. If the plan sets no grace period, the grace period before any measurement is
    used. Without halving the result is `epochs`.
    """
    trained, before = 0, 0
    for epoch, num_left in _arrivals(plan, epochs, num_trials):
        trained += num_left * (epoch - before)
        before = epoch
    return trained / num_trials


def _arrivals(plan: StudyPlan, epochs: int, num_trials: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of an epoch and the number of trials that come to this epoch.

    The epochs are those of the rungs, then the last epoch; without halving only the last epoch.
    epochs: last epoch of a trial. num_trials: number of trials that start.
    """
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
    """Return the number of trials that halving never stops.

    With halving these are the trials with a published config, one for each architecture, if the
    plan has so many trials, and the trials that train the best configs with further seeds. Without
    halving these are all trials of the plan.
    """
    if not plan.stops_early:
        return plan.trials
    num_published = min(plan.trials, len(plan.architectures))
    halved = halved_epochs(plan, plan.longest_epochs, max(1, plan.trials - num_published))
    epochs = num_published * plan.longest_epochs + (plan.trials - num_published) * halved
    return min(plan.trials, num_published + num_seed_trials(plan, epochs))


def estimate(
    plan: StudyPlan,
    measured: Mapping[str, Measured],
    num_galaxies: Mapping[str, int],
    num_at_once: int,
) -> CostEstimate:
    """Return the estimated cost of a plan.

    measured: the measurement of each of the plan's architectures, by name; a missing name raises
    KeyError. num_galaxies: number of galaxies of each part, with the keys `training` and
    `validation`. num_at_once: number of trials that the cluster can run at the same time, at least
    1.
    """
    num_whole = whole_trials(plan)
    share_whole = num_whole / plan.trials
    halved = whole = mean = full = longest = 0.0
    for name, epochs, num_trials in _trials_of_each_kind(plan):
        epoch_hours = _seconds_per_epoch(measured[name], num_galaxies) / 3600
        halved_mean = halved_epochs(plan, epochs, max(1, plan.trials - num_whole))
        used = share_whole * epochs + (1 - share_whole) * halved_mean
        halved += num_trials * used * epoch_hours
        whole += num_trials * epochs * epoch_hours
        longest = max(longest, epochs * epoch_hours)
        mean += num_trials * used / plan.trials
        full += num_trials * epochs / plan.trials
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


def _trials_of_each_kind(plan: StudyPlan) -> list[tuple[str, int, float]]:
    """Return the architectures and epochs of the plan's trials, with the number of such trials.

    An item is a name, the epochs of a trial that is trained to its last epoch, and the number of
    trials, which may be a fraction: without a grid the trials are spread evenly over the
    architectures, and the epochs are those of the published config.
    """
    if plan.grid:
        points = Counter((c.architecture, c.epochs) for _, c in plan.grid_configs())
        return [(name, epochs, count) for (name, epochs), count in points.items()]
    each = plan.trials / len(plan.architectures)
    return [(name, space.published.epochs, each) for name, space in plan.spaces.items()]


def _seconds_per_epoch(measured: Measured, num_galaxies: Mapping[str, int]) -> float:
    """Return the seconds of one epoch: its training steps and its validation.

    measured: the measurement of the architecture. num_galaxies: see `estimate`.
    """
    steps = ceil(num_galaxies["training"] / measured.batch_size)
    validating = num_galaxies["validation"] * measured.seconds_per_validated
    return steps * measured.seconds_per_step + validating


def _disk_bytes(plan: StudyPlan, measured: Mapping[str, Measured], at_once: int) -> int:
    """Return the bytes of all checkpoints on disk, each as large as those of the largest network.

    The checkpoints are the weights of the kept trials, the states of the paused trials, both
    together at most the plan's quota, the states of the running trials, and the frozen weights of
    each architecture. measured: the measurement of each architecture, by name. at_once: number of
    trials that run at the same time.
    """
    weights = max(m.weight_bytes for m in measured.values())
    state = max(m.weight_bytes + m.state_bytes for m in measured.values())
    *rungs, _ = _arrivals(plan, plan.longest_epochs, plan.trials)
    num_paused = sum(num_hopeful(num_come) for _, num_come in rungs)
    num_best = plan.keep_checkpoints + len(plan.architectures)
    if most_seed_trials(plan):  # the leaders before the race, and the best trial of each after it
        num_best = max(num_best, MOST_LEADERS + len(plan.architectures)) + MOST_LEADERS
    kept = min(num_best, plan.trials) * weights
    kept += num_paused * state
    if plan.checkpoint_quota_gb is not None:
        kept = min(kept, int(plan.checkpoint_quota_gb * 1e9))
    return kept + at_once * state + sum(m.frozen_bytes for m in measured.values())


def _assumptions(plan: StudyPlan) -> list[str]:
    """Return the assumptions behind the estimate of a plan, as sentences."""
    told = [
        "every trial takes as long a galaxy as its architecture's published config",
        "no trial stops early by itself",
        "trials that run at once do not slow each other",
    ]
    if not plan.grid and len(plan.architectures) > 1:
        told.append("the trials are spread evenly over the architectures")
    if plan.stops_early:
        told.append(
            f"at each rung the best 1 in {plan.reduction_factor} goes on, and trials with a "
            "published config are trained whole"
        )
        if most_seed_trials(plan):
            told[-1] += ", as are the further seeds of the best configs"
        if plan.grace_epochs is None:
            told.append("the grace period, which the search measures, stays a 27th of the epochs")
    if plan.max_hours is not None or plan.max_device_hours is not None:
        told.append("the plan's own limits end the search where it would take longer")
    return told
