"""Paired comparison of configs that were trained with the same seeds.

The RMSE of a config with a seed is taken as the sum of a part of the config, a part of the seed,
and scatter that is the same for all configs (a two-way layout). The scatter is estimated from all
configs together, because each config has few seeds. Some configs may lack some seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.records import TrialRecord, mean_rmse, raced_groups, ranked

SURE = 0.05  # a lower p-value counts as sure
_SMALLEST = 1e-9  # a smaller difference of RMSEs is none

Values = Mapping[str, Mapping[int, float]]  # RMSE by config and seed


def seed_p_values(values: Values, best: str | None = None) -> dict[str, float]:
    """Return the p-value of each config for the claim that the config is no worse than the best.

    values: the RMSE of each seed of each config; each config has a seed, and one seed is common to
    all configs. best: the config that the others are compared with; None for the config with the
    lowest part, which is the lowest mean if all configs have the same seeds. KeyError is raised if
    `values` lacks that config.

    The test is one-sided and paired, with the scatter pooled over all configs. For two configs
    with the same seeds it is the paired t-test. The p-value of a config that is not worse is 1.
    All p-values are 1 if the scatter cannot be estimated, because too few RMSEs are known. Without
    any scatter the p-value of a worse config is 0.
    """
    from scipy import stats  # takes a second, so not at the start of a search

    configs = list(values)
    seeds = sorted({seed for by_seed in values.values() for seed in by_seed})
    cells = [(config, seed) for config in configs for seed in values[config]]
    rmses = np.array([values[config][seed] for config, seed in cells])
    design = np.array(
        [
            [c == config for c in configs] + [s == seed for s in seeds[1:]]
            for config, seed in cells
        ],
        dtype=np.float64,
    )
    parts, _, rank, _ = np.linalg.lstsq(design, rmses, rcond=None)
    freedom = len(cells) - int(rank)
    own = dict(zip(configs, parts))
    reference = min(own, key=own.__getitem__) if best is None else best
    found = dict.fromkeys(configs, 1.0)
    if freedom < 1:
        return found
    variance = np.sum((rmses - design @ parts) ** 2) / freedom
    inverse = np.linalg.pinv(design.T @ design)
    b = configs.index(reference)
    for i, config in enumerate(configs):
        worse = own[config] - own[reference]
        error = np.sqrt(variance * (inverse[i, i] + inverse[b, b] - 2 * inverse[i, b]))
        if worse > _SMALLEST:
            found[config] = float(stats.t.sf(worse / error, freedom)) if error > 0 else 0.0
    return found


def seeds_sentence(records: Sequence[TrialRecord]) -> str | None:
    """Return how sure the best config of a search is, on one line without a full stop.

    records: the ended trials of one study. The sentence gives the means over seeds of the best
    config and of the next config, and the p-value of the paired test between the two. None is
    returned if no config was trained with further seeds.
    """
    order = ranked(records)
    raced = [[order[place] for place in group] for group in raced_groups(order)]
    if not raced:
        return None
    best = raced[0]
    mean = f"a mean validation RMSE of {mean_rmse(best):.4f} over {len(best)} seeds"
    if order[0] not in best:
        return (
            "its config has one seed, so its place may be chance; of the configs with several "
            f"seeds, that of trial {best[0].id} is the best, with {mean}"
        )
    if len(raced) == 1:
        return f"its config has {mean}; no other config has several seeds"
    second = raced[1]
    values = {g[0].id: {r.config.seed: r.val_rmse or 0.0 for r in g} for g in raced}
    p_value = seed_p_values(values, best[0].id)[second[0].id]
    told = "a clear difference" if p_value < SURE else "a difference that chance may explain"
    return (
        f"its config has {mean}; the next config, that of trial {second[0].id}, has "
        f"{mean_rmse(second):.4f} over {len(second)}, {told} (paired test, p = {p_value:.2g})"
    )
