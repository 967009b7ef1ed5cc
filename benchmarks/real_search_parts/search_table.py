"""Tables of whole searches: the time to the target by each clock, and the best RMSE by when."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.real_search_parts.asked_search import METHODS, OURS, RANDOM
from benchmarks.real_search_parts.kept_searches import CLOCKS, Course
from benchmarks.replay.comparison import Times, median_of, ratio_of

Courses = Mapping[str, Mapping[int, Course]]  # by method, then by seed
_NUM_TIMES = 6  # columns of the table of courses, each time twice the one before


def target_of(courses: Courses) -> float:
    """Return the RMSE with which random search with ASHA ends, the median over the seeds.

    KeyError is raised if the courses have no such search.
    """
    return float(np.median([course.best[-1] for course in courses[RANDOM].values()]))


def times_to_target(courses: Courses, target: float, clock: str) -> dict[str, Times]:
    """Return each search's time to the target by method, then by seed; infinite if never."""
    return {
        method: {seed: course.time_to(target, clock) for seed, course in found.items()}
        for method, found in courses.items()
    }


def ratios(courses: Courses, target: float, clock: str) -> dict[str, tuple[float, float, float]]:
    """Return how many times as long each other method takes as galaxytune, with 95 % intervals.

    The ratio is that of the medians over the seeds. A search of another method that does not reach
    the target counts with all the time that it has spent, which is less than it would need; one of
    galaxytune counts as infinite. The result is empty without searches of galaxytune.
    """
    times = times_to_target(courses, target, clock)
    ours = times.pop(OURS, None)
    if ours is None:
        return {}
    spent = {
        method: {seed: min(time, courses[method][seed].spent(clock)) for seed, time in own.items()}
        for method, own in times.items()
    }
    return {method: ratio_of(own, ours, num_landscapes=1) for method, own in spent.items()}


def target_table(courses: Courses, target: float) -> Iterator[str]:
    """Yield the lines of a table: for each method the median time to the target by each clock.

    Brackets hold the bootstrapped 95 % interval of a median over the seeds. The last columns are
    how often the target was reached, and the median RMSE, trials and device-seconds at the end.
    """
    ends = "reached | RMSE at the end | trials | device-seconds in all"
    yield f"| method | {' | '.join(f'{clock} to the target' for clock in CLOCKS)} | {ends} |"
    yield "|---" * (len(CLOCKS) + 5) + "|"
    times = [times_to_target(courses, target, clock) for clock in CLOCKS]
    for method, found in courses.items():
        cells = [METHODS[method], *(_number_cell(*median_of(own[method], 1)) for own in times)]
        reached = sum(np.isfinite(course.time_to(target, CLOCKS[0])) for course in found.values())
        cells += [
            f"{reached}/{len(found)}",
            f"{_median([course.best[-1] for course in found.values()]):.4f}",
            f"{_median([course.num_trials for course in found.values()]):.0f}",
            f"{_median([course.spent(CLOCKS[1]) for course in found.values()]):.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


def ratio_table(courses: Courses, target: float) -> Iterator[str]:
    """Yield the lines of a table of `ratios` by each clock; nothing without galaxytune."""
    by_clock = {clock: ratios(courses, target, clock) for clock in CLOCKS}
    others = list(by_clock[CLOCKS[0]])
    if not others:
        return
    yield f"| takes so many times as long as galaxytune | {' | '.join(CLOCKS)} |"
    yield "|---" * (len(CLOCKS) + 1) + "|"
    for method in others:
        cells = [_ratio_cell(*by_clock[clock][method]) for clock in CLOCKS]
        yield f"| {METHODS[method]} | {' | '.join(cells)} |"


def course_table(courses: Courses) -> Iterator[str]:
    """Yield the lines of a table: the median of the best RMSE after so many device-seconds.

    The last time is the longest median end of a method. A search that has ended before keeps its
    last value. A dash stands where half of the searches have no report yet.
    """
    clock = CLOCKS[1]
    end = max(_median([c.spent(clock) for c in found.values()]) for found in courses.values())
    times = [end / 2**n for n in reversed(range(_NUM_TIMES))]
    yield f"| best RMSE after device-seconds | {' | '.join(f'{t:.0f}' for t in times)} |"
    yield "|---" * (_NUM_TIMES + 1) + "|"
    for method, found in courses.items():
        best = [_median([c.best_at(time, clock) for c in found.values()]) for time in times]
        cells = [f"{value:.4f}" if np.isfinite(value) else "—" for value in best]
        yield f"| {METHODS[method]} | {' | '.join(cells)} |"


def _median(values: Sequence[float]) -> float:
    """Return the median, the upper of two in the middle: infinite values have no mean."""
    return float(sorted(values)[len(values) // 2])


def _number_cell(median: float, low: float, high: float) -> str:
    """Return a median with its interval, without digits after the point."""
    return f"{median:.0f} [{low:.0f}, {high:.0f}]"


def _ratio_cell(ratio: float, low: float, high: float) -> str:
    """Return a ratio with its interval."""
    return f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
