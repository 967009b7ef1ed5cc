"""The searches that are compared, by name."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.replay.earlier_recordings import misleading
from benchmarks.replay.galaxytune_method import galaxytune_default, taught
from benchmarks.replay.optuna_methods import full_tpe, random_search, tpe_hyperband
from benchmarks.replay.ray_methods import optuna_search_asha, random_asha
from benchmarks.replay.simulation import Method
from benchmarks.replay.syne_tune_methods import SyneTune
from galaxytune.study import EarlierTrial

RANDOM, OURS = "random", "galaxytune"
TAUGHT, MISLED = "galaxytune, taught", "galaxytune, misled"
Maker = Callable[[str, int, int], Method]  # of an architecture, a number of epochs and a seed
_OWN: dict[str, Maker] = {
    RANDOM: random_search,
    "random + ASHA (Ray)": random_asha,
    "TPE (Optuna)": full_tpe,
    "OptunaSearch + ASHA (Ray)": optuna_search_asha,
    "TPE + Hyperband (Optuna)": tpe_hyperband,
    OURS: galaxytune_default,
}
_SYNE_TUNE = ("ASHA", "MOBSTER", "HyperTune")
SLOW = ("MOBSTER (Syne Tune)", "HyperTune (Syne Tune)")  # a second or more a proposal


def makers(
    syne_tune: Path | None = None, earlier: Sequence[EarlierTrial] = ()
) -> dict[str, Maker]:
    """All methods; Syne Tune's where the python of an environment that has it is given.

    earlier: trials of earlier studies. If there are any, two more methods learn from them: one
    from the trials, one from the same trials with reversed merits.
    """
    others: dict[str, Maker] = {}
    if syne_tune is not None:
        others = {f"{name} (Syne Tune)": SyneTune(syne_tune, name) for name in _SYNE_TUNE}
    learning: dict[str, Maker] = {}
    if earlier:
        learning = {TAUGHT: taught(earlier), MISLED: taught(misleading(earlier))}
    return _OWN | learning | others
