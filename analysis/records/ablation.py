"""Ablations: what each change on the path from the published config to the best config gave."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from analysis.records.json_document import JsonDocument

if TYPE_CHECKING:
    import pandas as pd

NOT_USED = "not used"
_MOST_SHOWN = 3  # entries of a tuple that a short text shows


class FieldChange(JsonDocument):
    """A change of one field of a config."""

    field: str
    """Name of the field."""
    old: Any
    """Value before the step; null if the config before the step does not use the field."""
    new: Any
    """Value after the step."""

    def text(self) -> str:
        """Return the change as a text, such as `learning_rate: 0.001 → 0.0032`.

        Numbers have four significant digits. A field that was not in use has "not used" for its
        old value. Of a tuple with more than three entries only the number of entries is told.
        """
        old = NOT_USED if self.old is None else _shown(self.old)
        return f"{self.field}: {old} → {_shown(self.new)}"


def _shown(value: Any) -> str:
    """Return the value of a field as a short text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        many = len(value) > _MOST_SHOWN
        return f"({len(value)} values)" if many else f"({', '.join(map(_shown, value))})"
    return str(value)


class AblationStep(JsonDocument):
    """A config on the path from the published config to the best config."""

    changes: tuple[FieldChange, ...]
    """What the step changes in the config before; empty for the published config."""
    val_rmse: float | None
    """Validation RMSE of the config; the mean over its seeds. Null if no training was completed.

    A predicted RMSE is the median of the prediction.
    """
    interval_95: tuple[float, float] | None
    """Student's 95 % interval of the mean, or that of the prediction; null with a single seed."""
    val_rmse_by_seed: tuple[float, ...]
    """Validation RMSE of each training that was completed; empty for a prediction."""
    num_failed: int
    """Number of trainings that were not completed."""
    gain_percent: float | None
    """Fall of the RMSE since the last config with an RMSE, in percent of the published RMSE.

    Negative if the step raises the RMSE. Null for the published config and if an RMSE is missing.
    """

    def text(self) -> str:
        """Return the changes of the step as a text; "" for the first config."""
        return "; ".join(change.text() for change in self.changes)


class Ablation(JsonDocument):
    """A path of single changes from the published config to the best config of a study."""

    study: str
    """Name of the study."""
    trial: str
    """Id of the study's best trial, whose config is the last of the path."""
    architecture: str
    """Name of the best trial's architecture, whose published config is the first of the path."""
    start: Literal["published", "default"] = "published"
    """default: nobody published the architecture, so the path begins at the default config."""
    source: Literal["trained", "predicted"]
    """trained: each config was trained. predicted: a model of the study's trials was asked."""
    order: Literal["predicted gain", "declaration"]
    """predicted gain: the model chose the order. declaration: the fields' own order was taken."""
    num_seeds: int | None
    """Number of seeds with which each config was trained; null for a prediction."""
    num_modelled: int | None
    """Number of complete trials on which a prediction rests; null if the configs were trained."""
    steps: tuple[AblationStep, ...]
    """The configs of the path: the published config, and one config for each step."""

    def text_of(self, step: AblationStep) -> str:
        """Return the changes of a step as a text; "published config" for the first config.

        The first config is "default config" if nobody published the architecture.
        """
        return step.text() or f"{self.start} config"

    def sentences(self) -> list[str]:
        """Return sentences on what the path is, where its numbers come from, and what they give.

        The last sentence is on the gain of the whole path and on the largest step. It is left out
        if the RMSE of the first config, of the last config, or of all steps is missing.
        """
        return [*self._origin(), *self._outcome()]

    def _origin(self) -> list[str]:
        """Return sentences on where the numbers come from."""
        start = (
            f"The path begins at the {self.start} config of {self.architecture}, the architecture "
            f"of the best trial, {self.trial}, and ends at the config of this trial."
        )
        if self.source == "predicted":
            return [
                start,
                f"The RMSE of each config is predicted by the study's model, a Gaussian process "
                f"that rests on {self.num_modelled} complete trials; nothing was trained for it. "
                "The predicted RMSEs of the first and the last config differ from those that the "
                "trials reached. "
                f"`galaxytune ablate {self.study}` trains every config of the path.",
            ]
        seeds = "one seed" if self.num_seeds == 1 else f"{self.num_seeds} seeds"
        how = (
            "The model of the study's trials chose the order of the steps."
            if self.order == "predicted gain"
            else "Too few trials are complete for a model, so the steps are in the order in which "
            "the fields are declared."
        )
        luck = (
            "With one seed, a step that changes little may have its sign by chance. "
            if self.num_seeds == 1
            else ""
        )
        return [
            start,
            f"Every config of the path was trained to its end with {seeds}. {how}",
            f"{luck}The best trial was chosen for its validation RMSE, so its own RMSE is too low "
            "on average.",
        ]

    def _outcome(self) -> list[str]:
        """Return the sentence on the whole gain and on the largest step, in a list, or []."""
        first, last = self.steps[0].val_rmse, self.steps[-1].val_rmse
        known = [step for step in self.steps if step.gain_percent is not None]
        if not first or last is None or not known:
            return []
        largest = max(known, key=lambda step: step.gain_percent or 0.0)
        verb = "is predicted to go" if self.source == "predicted" else "goes"
        return [
            f"Along the path the validation RMSE {verb} from {first:.4f} to {last:.4f}, which is "
            f"a gain of {100 * (1 - last / first):.1f} %. The step with the largest gain, "
            f"{largest.gain_percent:.1f} %, is {largest.text()}."
        ]

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with one row per config of the path, the published config first.

        The columns are ``step`` (from 0), ``change``, ``val_rmse``, ``low``, ``high`` (ends of the
        95 % interval), ``gain_percent``, ``seeds`` (trainings that were completed) and ``failed``.
        A number that is None is NaN.
        """
        import pandas as pd  # here, because pandas takes half a second to load

        rows = [
            {
                "step": number,
                "change": self.text_of(step),
                "val_rmse": step.val_rmse,
                "low": step.interval_95[0] if step.interval_95 else None,
                "high": step.interval_95[1] if step.interval_95 else None,
                "gain_percent": step.gain_percent,
                "seeds": len(step.val_rmse_by_seed),
                "failed": step.num_failed,
            }
            for number, step in enumerate(self.steps)
        ]
        numbers = ["val_rmse", "low", "high", "gain_percent"]
        return pd.DataFrame(rows).astype({name: "float64" for name in numbers})


def gains(values: Sequence[float | None]) -> list[float | None]:
    """Return the gain of each config of a path, in percent of the first RMSE.

    values: the validation RMSE of each config of the path; None if it is unknown. A gain is the
    fall of the RMSE since the last config before with a known RMSE, so the gains of the path sum
    to the gain of the whole path. The gain is None for the first config, for a config without an
    RMSE, and for every config if the first RMSE is unknown.
    """
    if not values or not values[0]:
        return [None] * len(values)
    first = before = values[0]
    found: list[float | None] = [None]
    for value in values[1:]:
        found.append(None if value is None else 100 * (before - value) / first)
        before = before if value is None else value
    return found


def path_steps(
    changes: Sequence[tuple[FieldChange, ...]],
    values: Sequence[float | None],
    intervals: Iterable[tuple[float, float] | None],
    by_seed: Iterable[tuple[float, ...]],
    num_failed: Iterable[int],
) -> tuple[AblationStep, ...]:
    """Return the configs of a path with their RMSEs and their gains (see `gains`).

    Each argument has an entry for each config: what the step changes, the RMSE, the 95 % interval,
    the RMSEs of the trainings, and the number of trainings that were not completed.
    """
    columns = zip(changes, values, intervals, by_seed, num_failed, gains(values))
    return tuple(
        AblationStep(
            changes=change,
            val_rmse=value,
            interval_95=interval,
            val_rmse_by_seed=seeds,
            num_failed=failed,
            gain_percent=gain,
        )
        for change, value, interval, seeds, failed, gain in columns
    )
