"""The report's section that compares architectures with each other and with published results."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.report.page import Cell, Column, Section, Table
from analysis.report.study_results import BestNetwork, StudyResults
from analysis.statistics import (
    PUBLISHED,
    PairedDifference,
    mean_interval,
    paired_differences,
    ranking_sentences,
    rmse_interval,
    seeds_of,
)
from trainables.layers import count_parameters
from trainables.training import mean_vector_rmse, rmse

_COLUMNS = (
    Column("architecture"),
    Column("trial"),
    Column("test RMSE", "number", 4, "of the trial with the lowest validation RMSE"),
    Column("low", "number", 4, "95 % bootstrap interval over test galaxies"),
    Column("high", "number", 4),
    Column("seeds", "number", None, "complete trials that differ from it in the seed alone"),
    Column("val RMSE", "number", 4, "mean over those seeds"),
    Column("±", "number", 4, "half of Student's 95 % interval over seeds"),
    Column("parameters", "number", 0, "as Keras counts them"),
    Column("trainable", "number", 0),
    Column("epochs", "number", None, "trained, of that trial"),
    Column(
        "device-seconds",
        "number",
        0,
        "training of that trial; computing cached features of a frozen backbone is not in it",
    ),
    Column("published RMSE", "number", 4, "table 1 of the student report, its own split, one run"),
    Column("published epochs", "number"),
)


def comparison_section(results: StudyResults) -> tuple[Section, list[str]] | None:
    """Return the section that compares architectures, with its sentences for the summary.

    results: the results to report. The sentences say which rankings of architectures the data
    support; there are none for a single architecture. None is returned if `results.best` is empty,
    because then no network has predictions. ValueError is raised if two networks were tested on
    different galaxies.
    """
    if not results.best:
        return None
    seeds = {name: seeds_of(b.record, results.records) for name, b in results.best.items()}
    tested = {name: best.tested for name, best in results.best.items()}
    differences = paired_differences(tested, seeds) if len(tested) > 1 else []
    sentences = ranking_sentences(differences)
    tables = [_table(results.best, seeds)]
    if differences:
        tables.append(_pairs(differences))
    section = Section(
        title="Architectures compared",
        paragraphs=(*sentences, _what_is_compared(results)),
        tables=tuple(tables),
    )
    return section, sentences


def _what_is_compared(results: StudyResults) -> str:
    """Return two sentences on the test galaxies, their mean vector's RMSE, and the noise floor.

    results: the results to report, with at least one network in `best`.
    """
    best = next(iter(results.best.values()))
    constant = mean_vector_rmse(best.tested.voted)
    return (
        f"Scored on {len(best.tested)} test galaxies that chose nothing: neither the trial nor "
        f"its epoch. Predicting their mean vector for each gives {constant:.4f}; the noise floor "
        f"of the votes is {results.noise_floor:.4f}."
    )


def _row(name: str, best: BestNetwork, seeds: Sequence[float]) -> list[Cell]:
    """Return the cells of one architecture, in the order of `_COLUMNS`.

    name: name of the architecture. best: the architecture's best network. seeds: validation RMSE
    of each seed of the best network's config, at least one. A cell is None if its value is
    unknown: the numbers of parameters without the network's weights, the half interval of a single
    seed, and the published values of an architecture without a published result.
    """
    low, high = rmse_interval(best.tested.predicted, best.tested.voted)
    network = best.network
    total, trainable = (None, None) if network is None else count_parameters(network)
    interval = mean_interval(seeds)
    published = PUBLISHED.get(name)
    return [
        name,
        best.record.id,
        rmse(best.tested.predicted, best.tested.voted),
        low,
        high,
        len(seeds),
        float(np.mean(seeds)),
        None if interval is None else (interval[1] - interval[0]) / 2,
        total,
        trainable,
        best.record.epochs,
        best.record.device_seconds,
        None if published is None else published.rmse,
        None if published is None else published.epochs,
    ]


def _table(best: Mapping[str, BestNetwork], seeds: Mapping[str, Sequence[float]]) -> Table:
    """Return the table with one row per architecture, in the order of `best`.

    best: the best network of each architecture, by the architecture's name. seeds: validation RMSE
    of each seed of the best network's config, by the same names.
    """
    return Table(
        title="Each architecture at its best",
        caption="Best by validation first. Published values are of another split, so they "
        "say what to expect, not who wins.",
        columns=_COLUMNS,
        rows=[_row(name, network, seeds[name]) for name, network in best.items()],
    )


def _pairs(differences: Sequence[PairedDifference]) -> Table:
    """Return the table with one row per pair of architectures, in the given order."""
    return Table(
        title="Paired differences",
        caption="Test RMSE of the first less that of the second on the same galaxies. Marked: "
        "supported by the galaxies, and in the same direction by the seeds.",
        columns=(
            Column("first"),
            Column("second"),
            Column("difference", "number", 4),
            Column("low", "number", 4, "interval over galaxies; all pairs hold together at 95 %"),
            Column("high", "number", 4),
            Column("over seeds", "number", 4, "mean validation RMSE, first less second"),
            Column("p over seeds", "number", 3, "Welch's test on validation RMSE, Bonferroni"),
            Column("supported"),
        ),
        rows=[
            [d.first, d.second, d.difference, d.low, d.high, d.seed_difference,
             d.seed_p_value, "yes" if d.supported else "no"]
            for d in differences
        ],
        marked={i for i, d in enumerate(differences) if d.supported},
    )  # fmt: skip
