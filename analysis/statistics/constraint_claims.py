"""Sentences on a study of one constraint coefficient: what the seeds support, and the limits."""

from collections.abc import Iterable, Sequence

from analysis.statistics.constraint_study import TREE_NAMES, Change, CoefficientResult
from analysis.statistics.intervals import least_detectable

_SIGNIFICANT = 0.05  # a p-value below this value is significant
_FEW_PAIRS = 5  # with at most this many pairs, a sentence gives the limit of the test


def supported_sentences(results: Sequence[CoefficientResult]) -> list[str]:
    """Return one sentence for each tree on the effects of the coefficients with this tree.

    results: the result of `coefficient_results`, for one tree or for both trees. A last sentence
    gives the smallest difference that so few seeds can show, if a coefficient has from 2 to 5
    pairs of seeds. The list is empty if `results` is empty.
    """
    trees = sorted({r.tree for r in results}, reverse=True)
    sentences = [_of_tree(tree, [r for r in results if r.tree == tree]) for tree in trees]
    return sentences + _power_limit(results)


def _tested(results: Iterable[CoefficientResult]) -> list[CoefficientResult]:
    """Return the results that have at least two pairs of seeds in common with coefficient 0."""
    return [r for r in results if r.rmse_change and r.rmse_change.num_pairs > 1]


def _of_tree(tree: str, results: Sequence[CoefficientResult]) -> str:
    """Return the sentence on the coefficients of one tree.

    tree: "true" or "as_published". results: results of this tree alone, at least one. The sentence
    says that no conclusion is possible if no trial has coefficient 0, if all trials have
    coefficient 0, or if no coefficient has two seeds in common with coefficient 0.
    """
    name = TREE_NAMES[tree]
    others = [r for r in results if r.coefficient > 0]
    if len(others) == len(results):
        return f"By {name} no conclusion is possible: no trial has coefficient 0 to compare with."
    if not others:
        return f"By {name} no conclusion is possible: only trials of coefficient 0 are complete."
    tested = _tested(others)
    if not tested:
        return (
            f"By {name} no conclusion is possible: no coefficient has two seeds in common with "
            "coefficient 0; repeat the study with several seeds."
        )
    rmse = [(r.coefficient, r.rmse_change) for r in tested if r.rmse_change]
    residual = [(r.coefficient, r.residual_change) for r in tested if r.residual_change]
    return (
        f"By {name}, over {_pair_counts(tested)} pairs of seeds, on validation RMSE: "
        f"{_judged(rmse)}; on the mean tree residual: {_judged(residual)}"
        f"{_untested(others)}."
    )


def _pair_counts(tested: Sequence[CoefficientResult]) -> str:
    """Return the smallest and largest number of pairs as a text, for example "3 to 5" or "3".

    tested: results with a change of the RMSE, at least one.
    """
    counts = sorted({r.rmse_change.num_pairs for r in tested if r.rmse_change})
    return " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _judged(changes: Sequence[tuple[float, Change]]) -> str:
    """Return a phrase on which coefficients lower or raise a measure against coefficient 0.

    changes: each coefficient with its change of the measure. A change counts if its p-value is
    below 0.05. The phrase also names the coefficients whose change does not count.
    """
    sure = [(c, d) for c, d in changes if d.p_value is not None and d.p_value < _SIGNIFICANT]
    worse, better = [x for x in sure if x[1].mean > 0], [x for x in sure if x[1].mean < 0]
    open_ = [x for x in changes if x not in sure]
    parts = []
    if better:
        parts.append(
            f"coefficient {_listed(better)} lowers it against 0, by up to {_most(better)}"
        )
    if worse:
        parts.append(f"coefficient {_listed(worse)} raises it against 0, by up to {_most(worse)}")
    if open_:
        parts.append(
            f"{_listed(open_)} cannot be told from 0, though the means differ by up to "
            f"{_most(open_)}"
        )
    return ", ".join(parts)


def _listed(changes: Iterable[tuple[float, Change]]) -> str:
    """Return the coefficients as a text, separated by commas."""
    return ", ".join(f"{coefficient:g}" for coefficient, _ in changes)


def _most(changes: Iterable[tuple[float, Change]]) -> str:
    """Return the largest absolute mean change as a text; `changes` must not be empty."""
    return f"{max(abs(change.mean) for _, change in changes):.4f}"


def _untested(others: Iterable[CoefficientResult]) -> str:
    """Return phrases on the coefficients with fewer than two pairs of seeds, with the reasons.

    others: results of coefficients above 0. Each phrase begins with "; ". The text is empty if
    every coefficient has at least two pairs of seeds.
    """
    told = ""
    for result in others:
        if result.rmse_change is None:
            told += f"; {result.coefficient:g} has no seed in common with 0"
        elif result.rmse_change.num_pairs == 1:
            common = "" if result.num_seeds == 1 else " in common with 0"
            told += f"; {result.coefficient:g} has a single seed{common}"
    return told


def _power_limit(results: Sequence[CoefficientResult]) -> list[str]:
    """Return a list with one sentence on the smallest difference that so few seeds can show.

    results: results of one tree or of both trees. A coefficient is tested if it has at least two
    pairs of seeds. The list is empty if every tested coefficient has more than 5 pairs, or if no
    coefficient is tested.
    """
    tested = _tested(results)
    fewest = min((r.rmse_change.num_pairs for r in tested if r.rmse_change), default=None)
    if fewest is None or fewest > _FEW_PAIRS:
        return []
    family = max(len([r for r in tested if r.tree == tree]) for tree in TREE_NAMES)
    limit = least_detectable(fewest, family)
    return [
        f"Seeds are few: with {fewest} pairs and {family} coefficients a tree, only a mean "
        f"difference above {limit:.1f} standard deviations of its pairs is sure to pass, so what "
        "is not told from 0 may differ from it all the same."
    ]
