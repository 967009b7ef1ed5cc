"""Sentences on what an ensemble gains, and on what calibration and refit mean for metrics."""

from typing import Any


def gain_sentences(metrics: dict[str, Any]) -> list[str]:
    """Return what an ensemble gains, as sentences; [] for the metrics of a single network.

    metrics: the content of metrics.json. The first sentence compares the ensemble with the best
    trial alone, the second with the mean of seeds of that trial, if there are seeds. Without test
    galaxies one sentence says that the gain is not known.
    """
    told = metrics.get("ensemble")
    if told is None:
        return []
    if told["over_best"] is None:
        return ["Without test galaxies it is not known what the ensemble gains."]
    gains = [told["over_best"], told["over_seeds"]]
    before = "before the refit " if metrics.get("refit") else ""
    return [_gain_sentence(told["rmse"], gain, before) for gain in gains if gain is not None]


def _gain_sentence(rmse: float, gain: dict[str, Any], before: str) -> str:
    """Return one comparison of an ensemble in a sentence.

    rmse: test RMSE of the ensemble. gain: the comparison, with the keys `than`, `rmse`,
    `difference` and `interval_95`. before: words for the time of the comparison, or "".
    """
    low, high = gain["interval_95"]
    verdict = "the ensemble is better" if high < 0 else "the ensemble is worse" if low > 0 else ""
    return (
        f"On the test galaxies the ensemble {before}has an RMSE of {rmse:.4f} and {gain['than']} "
        f"{gain['rmse']:.4f}: the difference is {gain['difference']:+.4f} (paired 95 % interval "
        f"{low:+.4f} to {high:+.4f}); {verdict or 'the galaxies do not tell the two apart'}."
    )


def calibration_sentence(metrics: dict[str, Any]) -> str:
    """Return what a calibration means for the metrics; "" for a model without calibration.

    metrics: the content of metrics.json; an older export does not say whether it is calibrated.
    """
    if not metrics.get("calibrated"):
        return ""
    return (
        "The last layer was calibrated on the validation galaxies, so that the validation figures "
        "are slightly lower than those of new galaxies of the same kind."
    )


def refit_sentence(metrics: dict[str, Any]) -> str:
    """Return what a refit was trained on, and which metrics are older; "" without a refit.

    metrics: the content of metrics.json.
    """
    refit = metrics.get("refit")
    if refit is None:
        return ""
    if refit["rows"] == "not_test" and metrics.get("test") is not None:
        return (
            f"The weights were trained again on the {refit['num_galaxies']} galaxies of training "
            "and validation. The test figures are of these weights. The validation figures are of "
            "the model before this refit."
        )
    return (
        f"The weights were trained again on all {refit['num_galaxies']} galaxies with votes, "
        "those of validation and test included. All figures are of the model before this refit: "
        "no galaxy is left on which the weights here can be scored."
    )
