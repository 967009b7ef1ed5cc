"""The constraints study: what one coefficient for all questions does to RMSE and tree residual.

The student project tried six values on one seed and scored them on its test part; here every
number is of validation galaxies, 0 is among the values, and seeds are repeated.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.intervals import holm_adjusted, mean_interval, paired_p_value
from analysis.trial_record import TrialRecord, differ_only_in
from trainables.files import write_atomically

TREE_NAMES = {"true": "the true tree", "as_published": "the published tree"}
_FEW_VALUES = 12  # coefficients; more that do not repeat were drawn by a search
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Change:
    """Mean over seeds of a value less that of coefficient 0 with the same seed.

    interval: Student's 95 % interval; p_value: Holm-adjusted over the coefficients of one tree.
    Both are None where there is a single pair.
    """

    mean: float
    num_pairs: int
    interval: Interval
    p_value: float | None


@dataclass(frozen=True)
class CoefficientResult:
    """The seeds of one coefficient by one tree.

    rmse and residual: means over seeds of validation RMSE and mean tree residual (by the true
    tree) at the best epoch, with Student's 95 % intervals. rmse_change and residual_change:
    against coefficient 0; None for 0 itself and where no seed is common.
    """

    tree: str
    coefficient: float
    num_seeds: int
    rmse: float
    rmse_interval: Interval
    residual: float
    residual_interval: Interval
    rmse_change: Change | None = None
    residual_change: Change | None = None


def constraint_trials(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """All trials of one architecture if they are a study of one shared coefficient, else none.

    They must differ in coefficient, tree and seed alone: where other values differ too, a
    coefficient's effect is not to be told apart. And the coefficients must be few and compared
    with each other, by repeated seeds or by 0: what a search has drawn is no such study.
    """
    found = list(records)
    if not differ_only_in(found, "constraint_coefficient", "tree", "seed"):
        return []
    shared = all(r.config["coefficient_sharing"] == "shared" for r in found)
    return found if shared and _are_compared(found) else []


def _are_compared(records: Sequence[TrialRecord]) -> bool:
    seeds: dict[tuple[str, float], set[int]] = {}
    for r in records:
        key = (r.config["tree"], r.config["constraint_coefficient"])
        seeds.setdefault(key, set()).add(r.config["seed"])
    values = {coefficient for _, coefficient in seeds}
    few = len(values) <= max(_FEW_VALUES, len(records) / 2)
    repeated = any(len(those) > 1 for those in seeds.values())
    return len(values) > 1 and few and (repeated or (0 in values and len(values) <= _FEW_VALUES))


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
    """Means, intervals and comparisons with coefficient 0, by tree and coefficient.

    Coefficient 0 is the same by either tree: its trials are the reference of both. A seed that
    was trained twice counts once.
    """
    complete = table[table["status"] == "complete"]
    complete = complete.drop_duplicates(["tree", "coefficient", "seed"])
    at_zero = complete[complete["coefficient"] == 0].drop_duplicates("seed")
    others = complete[complete["coefficient"] > 0]
    results = []
    for tree in sorted((complete if others.empty else others)["tree"].unique()):
        of_tree = others[others["tree"] == tree]
        groups = [(0.0, at_zero)] if len(at_zero) else []
        groups += [(float(c), group) for c, group in of_tree.groupby("coefficient")]
        found = [_result(tree, coefficient, group, at_zero) for coefficient, group in groups]
        results += _adjusted(found)
    return results


def _result(
    tree: str, coefficient: float, group: pd.DataFrame, at_zero: pd.DataFrame
) -> CoefficientResult:
    return CoefficientResult(
        tree=tree,
        coefficient=coefficient,
        num_seeds=len(group),
        rmse=float(group["val_rmse"].mean()),
        rmse_interval=mean_interval(list(group["val_rmse"])),
        residual=float(group["tree_residual"].mean()),
        residual_interval=mean_interval(list(group["tree_residual"])),
        rmse_change=_change(group, at_zero, "val_rmse") if coefficient else None,
        residual_change=_change(group, at_zero, "tree_residual") if coefficient else None,
    )


def _change(group: pd.DataFrame, at_zero: pd.DataFrame, column: str) -> Change | None:
    pairs = group.merge(at_zero, on="seed", suffixes=("", "_at_zero"))
    if pairs.empty:
        return None
    changes = list(pairs[column] - pairs[f"{column}_at_zero"])
    mean = float(sum(changes) / len(changes))
    return Change(mean, len(changes), mean_interval(changes), paired_p_value(changes))


def _adjusted(results: Sequence[CoefficientResult]) -> list[CoefficientResult]:
    """The results of one tree, which are one family: p-values of each measure adjusted."""
    rmse = _adjusted_changes([r.rmse_change for r in results])
    residual = _adjusted_changes([r.residual_change for r in results])
    return [
        replace(result, rmse_change=a, residual_change=b)
        for result, a, b in zip(results, rmse, residual)
    ]


def _adjusted_changes(changes: Sequence[Change | None]) -> list[Change | None]:
    p_values = [c.p_value for c in changes if c is not None and c.p_value is not None]
    adjusted = iter(holm_adjusted(p_values))
    return [
        c if c is None or c.p_value is None else replace(c, p_value=next(adjusted))
        for c in changes
    ]


def save_tables(
    table: pd.DataFrame,
    results: Sequence[CoefficientResult],
    folder: Path,
    stem: str = "constraint_coefficient",
) -> Path:
    """Write STEM.csv, a row a trial, and STEM_summary.csv; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.csv"
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))
    summary = pd.DataFrame([_flat(r) for r in results])
    write_atomically(
        folder / f"{stem}_summary.csv",
        lambda temporary: summary.to_csv(temporary, index=False),
    )
    return path


def _flat(result: CoefficientResult) -> dict[str, object]:
    values = dict(result.__dict__)
    for name in ("rmse", "residual"):
        low, high = values.pop(f"{name}_interval") or (None, None)
        values |= {f"{name}_low": low, f"{name}_high": high}
        change = values.pop(f"{name}_change") or Change(math.nan, 0, None, None)
        low, high = change.interval or (None, None)
        values |= {
            "num_pairs": change.num_pairs,
            f"{name}_change": change.mean,
            f"{name}_change_low": low,
            f"{name}_change_high": high,
            f"{name}_change_p": change.p_value,
        }
    return values
