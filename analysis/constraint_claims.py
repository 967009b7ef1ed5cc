"""The constraints study in words: what its seeds support, what they leave open, and why."""

from collections.abc import Iterable, Sequence

from analysis.constraint_study import TREE_NAMES, Change, CoefficientResult
from analysis.intervals import least_detectable

_SIGNIFICANT = 0.05
_FEW_PAIRS = 5  # up to so many, the reader is told what they cannot show


def supported_sentences(results: Sequence[CoefficientResult]) -> list[str]:
    """What the data support on the coefficients of each tree, a sentence each, and their limit."""
    trees = sorted({r.tree for r in results}, reverse=True)
    sentences = [_of_tree(tree, [r for r in results if r.tree == tree]) for tree in trees]
    return sentences + _power_limit(results)


def _tested(results: Iterable[CoefficientResult]) -> list[CoefficientResult]:
    """The results that have two pairs of seeds or more."""
    return [r for r in results if r.rmse_change and r.rmse_change.num_pairs > 1]


def _of_tree(tree: str, results: Sequence[CoefficientResult]) -> str:
    name = TREE_NAMES[tree]
    others = [r for r in results if r.coefficient > 0]
    if len(others) == len(results):
        return f"By {name} nothing can be said: no trial of coefficient 0 is there to compare."
    if not others:
        return f"By {name} nothing can be said: no trial but those of 0 is complete."
    tested = _tested(others)
    if not tested:
        return f"By {name} one seed a coefficient supports no claim; repeat it with several."
    rmse = [(r.coefficient, r.rmse_change) for r in tested if r.rmse_change]
    residual = [(r.coefficient, r.residual_change) for r in tested if r.residual_change]
    return (
        f"By {name}, over {_pair_counts(tested)} pairs of seeds, on validation RMSE: "
        f"{_judged(rmse)}; on the mean tree residual: {_judged(residual)}"
        f"{_untested(others)}."
    )


def _pair_counts(tested: Sequence[CoefficientResult]) -> str:
    counts = sorted({r.rmse_change.num_pairs for r in tested if r.rmse_change})
    return " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _judged(changes: Sequence[tuple[float, Change]]) -> str:
    """Which coefficients lower or raise a value against 0, and which cannot be told from 0."""
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
    return ", ".join(f"{coefficient:g}" for coefficient, _ in changes)


def _most(changes: Iterable[tuple[float, Change]]) -> str:
    return f"{max(abs(change.mean) for _, change in changes):.4f}"


def _untested(others: Iterable[CoefficientResult]) -> str:
    """The coefficients that are not judged, and why."""
    told = ""
    for result in others:
        if result.rmse_change is None:
            told += f"; {result.coefficient:g} has no seed in common with 0"
        elif result.rmse_change.num_pairs == 1:
            common = "" if result.num_seeds == 1 else " in common with 0"
            told += f"; {result.coefficient:g} has a single seed{common}"
    return told


def _power_limit(results: Sequence[CoefficientResult]) -> list[str]:
    """What so few seeds cannot show; [] where they are many or nothing was judged."""
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
