"""Effects of one coefficient for all questions on the RMSE and the tree residual.

The student project tried six coefficients with one seed and scored the networks on its test part.
Here every number is of validation galaxies, and each coefficient is compared with coefficient 0
over all seeds that both coefficients have.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.records import TrialRecord, differ_only_in
from analysis.statistics.intervals import holm_adjusted, mean_interval, paired_p_value
from trainables.files import write_atomically

TREE_NAMES = {"true": "the true tree", "as_published": "the published tree"}
_FEW_VALUES = 12  # more coefficients than this without repeats come from a search
Interval = tuple[float, float] | None  # lower end, upper end; None for too few values


@dataclass(frozen=True)
class Change:
    """A change of a measure between coefficient 0 and another coefficient, paired by seed.

    The measure is the validation RMSE or the mean tree residual.

    mean: mean over seeds of the value at the coefficient minus the value at coefficient 0 with the
    same seed. A positive mean says that the coefficient raises the measure.
    num_pairs: number of seeds that both coefficients have, at least 1.
    interval: Student's 95 % interval of the mean, None for a single pair.
    p_value: p-value of Student's paired test that the mean is 0, adjusted by Holm's method over
    the coefficients of one tree. None for a single pair.
    """

    mean: float
    num_pairs: int
    interval: Interval
    p_value: float | None


@dataclass(frozen=True)
class CoefficientResult:
    """A set of results for one coefficient with one tree, over seeds.

    Both measures are taken on validation galaxies at a trial's best epoch.

    tree: tree of the constraint term, "true" or "as_published". The results of coefficient 0 are
    the same for both trees.
    coefficient: the constraint coefficient, at least 0.
    num_seeds: number of seeds with a complete trial, at least 1.
    rmse: mean validation RMSE over seeds.
    rmse_interval: Student's 95 % interval of `rmse`, None for a single seed.
    residual: mean over seeds of the mean tree residual, which is always measured by the true tree.
    residual_interval: Student's 95 % interval of `residual`, None for a single seed.
    rmse_change, residual_change: changes against coefficient 0. None for coefficient 0 itself, and
    if no seed is in common with coefficient 0.
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
    """Return all the trials if they are a study of one shared coefficient, otherwise [].

    records: finished trials of one architecture, whatever their status. The trials are such a
    study under three conditions. First, all use one coefficient for all questions. Second, the
    configs differ only in coefficient, tree and seed: otherwise the effect of the coefficient
    could not be separated from other effects. Third, the coefficients are few, at least two, and
    are compared with each other by repeated seeds or by a coefficient 0 (see `_are_compared`). A
    search that draws coefficients is therefore not such a study.
    """
    found = list(records)
    if not differ_only_in(found, "constraint_coefficient", "tree", "seed"):
        return []
    shared = all(r.config.coefficient_sharing == "shared" for r in found)
    return found if shared and _are_compared(found) else []


def _are_compared(records: Sequence[TrialRecord]) -> bool:
    """Return whether the trials have few coefficients that are compared with each other.

    Few means at least 2 different coefficients and at most 12, or at most half as many as trials
    if this number is larger. Coefficients are compared if trials of one coefficient and tree have
    two different seeds, or if there are at most 12 coefficients and 0 is among the coefficients.
    The further seeds of a search do not count.
    """
    seeds: dict[tuple[str, float], set[int]] = {}
    for r in records:
        if not r.further_seed:
            key = (r.config.tree, r.config.constraint_coefficient)
            seeds.setdefault(key, set()).add(r.config.seed)
    values = {coefficient for _, coefficient in seeds}
    few = len(values) <= max(_FEW_VALUES, len(records) / 2)
    repeated = any(len(those) > 1 for those in seeds.values())
    return len(values) > 1 and few and (repeated or (0 in values and len(values) <= _FEW_VALUES))


def trial_table(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Return a table with one row per trial, sorted by tree, coefficient and seed.

    records: at least one trial, otherwise KeyError is raised; all trials have one coefficient for
    all questions. The columns are trial (the id), architecture, tree, coefficient, seed, status,
    val_rmse, tree_residual, best_epoch and epochs. The metrics val_rmse and tree_residual are
    those of validation galaxies at the best epoch, and missing for a trial without an epoch.
    """
    rows = [
        {
            "trial": r.id,
            "architecture": r.architecture,
            "tree": r.config.tree,
            "coefficient": r.config.constraint_coefficient,
            "seed": r.config.seed,
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
    """Return means, intervals and comparisons with coefficient 0 for each tree and coefficient.

    table: a table from `trial_table`. Only complete trials count; the list is empty if no trial is
    complete. The results are sorted by tree and then by coefficient, from 0 upwards. With
    coefficient 0 the tree has no influence, so the trials of coefficient 0, whatever their tree,
    give a result for each tree that has another coefficient, or for each tree if no trial has
    another coefficient. If several trials have the same tree, coefficient and seed, the first row
    counts; of coefficient 0, the first row of a seed counts, whatever its tree.
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
    """Return the result of one coefficient, with p-values that are not yet adjusted.

    group: the rows of the coefficient in the trial table, one per seed. at_zero: the rows of
    coefficient 0, one per seed; may be empty. The changes are None for coefficient 0.
    """
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
    """Return the change of a column against coefficient 0 over common seeds, or None.

    group, at_zero: rows of the trial table for the coefficient and for coefficient 0, one per
    seed. column: "val_rmse" or "tree_residual". The p-value is not adjusted. None means that no
    seed is in common.
    """
    pairs = group.merge(at_zero, on="seed", suffixes=("", "_at_zero"))
    if pairs.empty:
        return None
    changes = list(pairs[column] - pairs[f"{column}_at_zero"])
    mean = float(sum(changes) / len(changes))
    return Change(mean, len(changes), mean_interval(changes), paired_p_value(changes))


def _adjusted(results: Sequence[CoefficientResult]) -> list[CoefficientResult]:
    """Return the results of one tree with p-values adjusted by Holm's method.

    The coefficients of one tree are one family of tests, separately for each of the two measures.
    """
    rmse = _adjusted_changes([r.rmse_change for r in results])
    residual = _adjusted_changes([r.residual_change for r in results])
    return [
        replace(result, rmse_change=a, residual_change=b)
        for result, a, b in zip(results, rmse, residual)
    ]


def _adjusted_changes(changes: Sequence[Change | None]) -> list[Change | None]:
    """Return the changes of one measure, in order, with p-values adjusted by Holm's method.

    None, and changes whose p-value is None, stay as they are.
    """
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
    """Write STEM.csv and STEM_summary.csv into `folder`; return the path of STEM.csv.

    table: a table from `trial_table`, written to STEM.csv with one row per trial. results: results
    from `coefficient_results`, written to STEM_summary.csv with one row per tree and coefficient.
    folder: the output folder, which is made if it does not exist. stem: the value of STEM. Files
    of the same names are replaced. OSError is raised if a file cannot be written.
    """
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
    """Return a result as a row of the summary table: scalars or None by column name.

    The columns are tree, coefficient, num_seeds and num_pairs, and for each MEASURE (rmse and
    residual) the columns MEASURE, MEASURE_low, MEASURE_high, MEASURE_change, MEASURE_change_low,
    MEASURE_change_high and MEASURE_change_p. The names with low and high are the ends of the 95 %
    intervals, and None if there is no interval; MEASURE_change_p is the p-value, or None. Without
    a change against coefficient 0 the number of pairs is 0 and each mean change is NaN.
    """
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
