"""The text of the dated note: the measured rows as tables, and how far each goal is reached."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu_parts.setting import Row

Parts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A goal in words, and what was measured of it as a number, or None if it was not measured."""

    words: str
    wanted: float
    is_least: bool
    measured: Callable[[Parts], float | None]


def rows_of(parts: Parts, name: str, **wanted: Any) -> list[Row]:
    """Return the rows of a part that have these values."""
    rows = parts.get(name, {}).get("rows", [])
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


def _gain(network: str, over: str) -> Callable[[Parts], float | None]:
    """Return what finds galaxytune's images a second as a multiple of another way's."""

    def measured(parts: Parts) -> float | None:
        common = {"network": network, "side": 64}
        own = rows_of(parts, "speed", way="galaxytune", **common)
        other = rows_of(parts, "speed", way=over, **common)
        if not own or not other:
            return None
        return float(own[0]["images_a_second"] / other[0]["images_a_second"])

    return measured


def _matrix_share(parts: Parts) -> float | None:
    rows = rows_of(parts, "speed", network="parallel_cnn", side=64, way="galaxytune")
    return rows[0]["share_of_matrix_rate"] if rows else None


def _least_gain_of_packs(parts: Parts) -> float | None:
    rows = rows_of(parts, "packing", way="stacked", configs=8)
    return min((row["times_in_turn"] for row in rows if "times_in_turn" in row), default=None)


def _idle_share(parts: Parts) -> float | None:
    rows = rows_of(parts, "whole_search", search="one at a time")
    return rows[0]["idle_share"] if rows else None


GOALS = (
    Goal("parallel CNN, times the usual way", 10, True, _gain("parallel_cnn", "usual")),
    Goal("parallel CNN, times the careful way", 2, True, _gain("parallel_cnn", "careful")),
    Goal("ViT, times the usual way", 10, True, _gain("vision_transformer", "usual")),
    Goal("ViT, times the careful way", 2, True, _gain("vision_transformer", "careful")),
    Goal("parallel CNN, share of the matrix rate", 0.4, True, _matrix_share),
    Goal("packs of 8, least gain over in turn", 3, True, _least_gain_of_packs),
    Goal("idle share of the GPU in a search", 0.05, False, _idle_share),
)


def note(whole: Mapping[str, Any]) -> str:
    """Return the note in Markdown of the whole document that benchmarks/gpu.py writes."""
    return "\n".join([*_head(whole), *_goals(whole["parts"]), *_tables(whole["parts"])]) + "\n"


def _head(whole: Mapping[str, Any]) -> Iterator[str]:
    yield f"# One GPU, {whole['began'][:10]}"
    yield ""
    if whole["tiny"]:
        yield "**This is the tiny form: the numbers mean nothing.**"
        yield ""
    for row in rows_of(whole["parts"], "card"):
        if "machine" in row:
            told = [f"{k} {v}" for k, v in {**row["machine"], **row["versions"]}.items()]
            yield f"Machine: {', '.join(told)}."
    yield f"Command: `{whole['command']}`; {whole['seconds']:.0f} s in all."
    yield ""
    yield from _table(
        ("part", "outcome", "seconds", "rows"),
        (
            (name, part["outcome"], f"{part['seconds']:.0f}", str(len(part["rows"])))
            for name, part in whole["parts"].items()
        ),
    )


def _goals(parts: Parts) -> Iterator[str]:
    yield "## Goals"
    yield ""
    cells = []
    for goal in GOALS:
        found = goal.measured(parts)
        if found is None:
            told, is_reached = "not measured", "unknown"
        else:
            reached = found >= goal.wanted if goal.is_least else found < goal.wanted
            told, is_reached = f"{found:.3g}", "yes" if reached else "**no**"
        sign = "at least" if goal.is_least else "under"
        cells.append((goal.words, f"{sign} {goal.wanted:g}", told, is_reached))
    yield from _table(("goal", "wanted", "measured", "reached"), cells)


# The tables of the note: part, heading, a column that its rows have, and the columns shown.
TABLES = (
    ("card", "Rates of the card", "matrix_rate", ("matrix_rate", "operations_a_second")),
    ("card", "Copies in memory", "copied_bytes_a_second", ("copied_bytes_a_second",)),
    (
        *("speed", "Images a second", "images_a_second"),
        ("network", "side", "way", "images_a_second", "share_of_matrix_rate", "peak_gib"),
    ),
    ("step_time", "Busy share of the GPU", "profile", ("profile", "busy_share")),
    (
        *("step_time", "Kernels of a step of the parallel CNN", "kernel"),
        ("kernel", "share", "microseconds_a_step", "calls_a_step"),
    ),
    (
        *("step_time", "Ways of a step of the parallel CNN", "seconds_a_step"),
        ("way", "seconds_a_step", "times_as_fast"),
    ),
    (
        *("step_time", "Seconds before the first step", "seconds_before"),
        ("way", "seconds_before", "graph_refused"),
    ),
    (
        *("step_time", "Batch sizes", "batch_size"),
        ("network", "batch_size", "images_a_second"),
    ),
    (
        *("packing", "Several configs on one device", "galaxies_a_second"),
        ("network", "configs", "way", "galaxies_a_second", "times_in_turn"),
    ),
    (
        *("whole_search", "Whole searches", "search"),
        ("search", "seconds", "seconds_of_trials", "epochs_a_second", "overhead_a_trial")
        + ("idle_share", "micro_batches", "seconds_until_memory_is_free", "gib_freed")
        + ("complete", "failed", "retries"),
    ),
    (
        *("agreement", "GPU beside processor, float32", "agrees"),
        ("network", "tf32", "difference_of_val_rmse", "tolerance", "agrees"),
    ),
    ("agreement", "bfloat16 beside float32", "seed", ("seed", "float32", "bfloat16")),
    (
        *("agreement", "Mean difference", "bfloat16_less_float32"),
        ("bfloat16_less_float32", "standard_error", "seeds"),
    ),
    (
        *("recorded_curves", "Recorded curves", "configs_in_all"),
        ("network", "configs_in_all", "file"),
    ),
)


def _tables(parts: Parts) -> Iterator[str]:
    for part, heading, marker, columns in TABLES:
        rows = [row for row in rows_of(parts, part) if marker in row]
        if rows:
            yield f"## {heading}"
            yield ""
            yield from _table(columns, ([_told(row.get(c)) for c in columns] for row in rows))
    failures = [row for name in parts for row in rows_of(parts, name) if "failure" in row]
    if failures:
        yield "## What could not be measured"
        yield ""
        for row in failures:
            what = ", ".join(
                f"{k} {v}" for k, v in row.items() if k != "failure" and v is not None
            )
            yield f"- {what}: {row['failure']}"
        yield ""


def _told(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return str(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(name.replace('_', ' ') for name in columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
    yield ""
