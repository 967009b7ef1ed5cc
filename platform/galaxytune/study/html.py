"""A study as a notebook shows it: a heading and the leaderboard as an HTML table."""

from html import escape
from typing import TYPE_CHECKING

from galaxytune.study.folder import StudyFolder
from galaxytune.study.results import leaderboard_of
from galaxytune.study.status import study_status

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["rank", "id", "architecture", "status", "val_rmse", "best_epoch", "tree_residual"]
_MOST_ROWS = 20
_MOST_HYPERPARAMETERS = 6


def study_html(folder: StudyFolder) -> str:
    """Return the state of a study and its best 20 trials as HTML.

    Only trials that have ended are in the table. The number of seeds and the mean RMSE over them
    have columns if a config has several seeds. Without such a trial there is the heading alone.
    """
    status = study_status(folder)
    counts = ", ".join(f"{n} {name}" for name, n in status.counts.items() if n)
    heading = f"<p><b>Study {escape(folder.name)}</b>: {status.state} ({escape(counts)})</p>"
    frame = leaderboard_of([folder]).to_frame()
    if frame.empty:
        return heading
    seeds = ["num_seeds", "mean_val_rmse"] if (frame["num_seeds"] > 1).any() else []
    shown = frame[_COLUMNS + seeds + _varied_hyperparameters(frame)].head(_MOST_ROWS)
    shown = shown.rename(columns=lambda name: name.removeprefix("config."))
    more = len(frame) - len(shown)
    rest = f"<p>and {more} trials more; `leaderboard()` has them all</p>" if more else ""
    table = shown.to_html(index=False, float_format="{:.4g}".format, border=0, na_rep="-")
    return f"{heading}{table}{rest}"


def _varied_hyperparameters(frame: "pd.DataFrame") -> list[str]:
    """Return the names of the columns of hyperparameters that differ between the trials.

    frame: the leaderboard; its columns of hyperparameters begin with `config.`. At most the first
    six names are returned. Architecture, seed and hyperparameters with lists are left out.
    """
    names = [name for name in frame.columns if name.startswith("config.")]
    varied = [
        name
        for name in names
        if name not in ("config.architecture", "config.seed")
        and frame[name].map(repr).nunique() > 1
        and not frame[name].map(lambda value: isinstance(value, list)).any()
    ]
    return varied[:_MOST_HYPERPARAMETERS]
