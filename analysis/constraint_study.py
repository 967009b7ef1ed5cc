"""The constraints study: what one coefficient for all questions does to RMSE and tree residual.

The student project tried six values on one seed and scored them on its test part; here every
number is of validation galaxies, 0 is among the values, and seeds are repeated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.intervals import holm_adjusted, mean_interval, paired_p_value
from analysis.trial_record import TrialRecord, differ_only_in
from trainables.files import write_atomically

TREE_NAMES = {"true": "the true tree", "as_published": "the published tree"}
_SIGNIFICANT = 0.05
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class CoefficientResult:
    """The seeds of one coefficient by one tree.

    rmse and residual: means over seeds of validation RMSE and mean tree residual (by the true
    tree) at the best epoch, with Student's 95 % intervals. difference: mean over common seeds
    of RMSE less that of coefficient 0, with its interval and Holm-adjusted p-value.
    """

    tree: str
    coefficient: float
    num_seeds: int
    rmse: float
    rmse_interval: Interval
    residual: float
    residual_interval: Interval
    difference: float | None = None
    difference_interval: Interval = None
    p_value: float | None = None


def constraint_trials(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Trials that differ in one shared coefficient, tree and seed alone, else none.

    In a search that draws other values too, a coefficient's effect is not to be told apart.
    """
    found = [r for r in records if r.config["coefficient_sharing"] == "shared"]
    several = len({r.config["constraint_coefficient"] for r in found}) > 1
    comparable = differ_only_in(found, "constraint_coefficient", "tree", "seed")
    return found if several and comparable else []


def trial_table(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """One row a trial: tree, coefficient, seed and what it reached on validation."""
    rows = [
        {
            "trial": r.id,
            "architecture": r.architecture,
            "tree": r.config["tree"],
            "coefficient": r.config["constraint_coefficient"],
            "seed": r.config["seed"],
            "status": r.status,
            "val_rmse": r.val_rmse,
            "tree_residual": r.tree_residual,
            "best_epoch": r.best_epoch,
            "epochs": r.epochs,
        }
        for r in records
    ]
    return pd.DataFrame(rows).sort_values(["tree", "coefficient", "seed"], ignore_index=True)


def coefficient_results(table: pd.DataFrame) -> list[CoefficientResult]:
    """Means, intervals and comparisons with coefficient 0, by tree and coefficient."""
    complete = table[table["status"] == "complete"]
    results = []
    for tree in sorted(complete["tree"].unique()):
        of_tree = complete[complete["tree"] == tree]
        reference = of_tree[of_tree["coefficient"] == 0]
        at_zero = dict(zip(reference["seed"], reference["val_rmse"]))
        for coefficient in sorted(of_tree["coefficient"].unique()):
            group = of_tree[of_tree["coefficient"] == coefficient]
            results.append(_result(tree, coefficient, group, at_zero))
    return _adjusted(results)


def _result(
    tree: str, coefficient: float, group: pd.DataFrame, at_zero: dict[int, float]
) -> CoefficientResult:
    pairs = zip(group["seed"], group["val_rmse"])
    differences = [value - at_zero[seed] for seed, value in pairs if seed in at_zero]
    compared = bool(differences) and coefficient > 0
    return CoefficientResult(
        tree=tree,
        coefficient=float(coefficient),
        num_seeds=len(group),
        rmse=float(group["val_rmse"].mean()),
        rmse_interval=mean_interval(list(group["val_rmse"])),
        residual=float(group["tree_residual"].mean()),
        residual_interval=mean_interval(list(group["tree_residual"])),
        difference=float(np.mean(differences)) if compared else None,
        difference_interval=mean_interval(differences) if compared else None,
        p_value=paired_p_value(differences) if compared else None,
    )


def _adjusted(results: Sequence[CoefficientResult]) -> list[CoefficientResult]:
    tested = [r for r in results if r.p_value is not None]
    by_result = dict(zip(map(id, tested), holm_adjusted([r.p_value or 0.0 for r in tested])))
    return [CoefficientResult(**{**r.__dict__, "p_value": by_result.get(id(r))}) for r in results]


def _listed(results: Sequence[CoefficientResult]) -> str:
    return ", ".join(f"{r.coefficient:g}" for r in results)


def supported_sentence(results: Sequence[CoefficientResult]) -> str:
    """What the data support on the coefficients of each tree, in words."""
    return " ".join(
        _of_tree(tree, [r for r in results if r.tree == tree])
        for tree in sorted({r.tree for r in results}, reverse=True)
    )


def _of_tree(tree: str, results: Sequence[CoefficientResult]) -> str:
    name = TREE_NAMES[tree]
    compared = [r for r in results if r.difference is not None]
    seeds = min(r.num_seeds for r in results)
    if not compared:
        return f"By {name} nothing can be said: no trial of coefficient 0 is there to compare."
    if any(r.p_value is None for r in compared):
        return f"By {name} one seed a coefficient supports no claim; repeat it with several."
    sure = [r for r in compared if r.p_value is not None and r.p_value < _SIGNIFICANT]
    worse = [r for r in sure if r.difference is not None and r.difference > 0]
    better = [r for r in sure if r.difference is not None and r.difference < 0]
    open_ = [r for r in compared if r not in sure]
    parts = []
    if better:
        parts.append(f"coefficient {_listed(better)} lowers it against 0")
    if worse:
        most = max(r.difference or 0.0 for r in worse)
        parts.append(f"coefficient {_listed(worse)} raises it against 0, by up to {most:.4f}")
    if open_:
        most = max(abs(r.difference or 0.0) for r in open_)
        parts.append(
            f"{_listed(open_)} cannot be told from 0, though the means differ by up to {most:.4f}"
        )
    return f"By {name}, over {seeds} seeds and on validation RMSE: {'; '.join(parts)}."


def save_tables(table: pd.DataFrame, results: Sequence[CoefficientResult], folder: Path) -> Path:
    """Write constraint_coefficient.csv, a row a trial, and its _summary.csv; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "constraint_coefficient.csv"
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))
    summary = pd.DataFrame([_flat(r) for r in results])
    write_atomically(
        folder / "constraint_coefficient_summary.csv",
        lambda temporary: summary.to_csv(temporary, index=False),
    )
    return path


def _flat(result: CoefficientResult) -> dict[str, object]:
    values = dict(result.__dict__)
    for name in ("rmse", "residual", "difference"):
        low, high = values.pop(f"{name}_interval") or (None, None)
        values |= {f"{name}_low": low, f"{name}_high": high}
    return values
