"""The model card that goes with every export."""

from typing import Any

from search_spaces.declaration.frozen_config import to_yaml
from search_spaces.declaration.training_protocol import TrainingProtocol

_TEMPLATE = """\
# {architecture}: vote fractions of the Galaxy Zoo 2 decision tree

A network that maps one galaxy image ({side} x {side} pixels, RGB) to 37 vote fractions, the
answers that a crowd would give to the 11 questions of the Galaxy Zoo 2 decision tree.

## Use

    galaxytune predict THIS_FOLDER IMAGES OUT.csv

IMAGES is a folder or zip of JPEG or PNG files, an npz, or a catalog with `id_str,file_loc`.
Images that are not {side} pixels wide are cropped to their central {crop} pixels and reduced.

## Metrics

| part | galaxies | RMSE | 95 % interval | mean vector | mean tree residual |
|---|---|---|---|---|---|
{rows}
RMSE is over all N x 37 values. The interval is a bootstrap over galaxies of this one trained
network; it does not hold the scatter between seeds. "Mean vector" is the RMSE of predicting
the part's own mean for every galaxy.{test_note}

## Where it comes from

Study {study}, trial {trial}; data {fingerprint}; commit {commit}.

## Config

```yaml
{config}```

## Limits

Trained on the galaxies of one survey and one image size. Vote fractions describe what
volunteers see in such images, seeing and distance included, not the galaxy's true form.
"""


def _row(part: str, metrics: dict[str, Any]) -> str:
    low, high = metrics["rmse_interval_95"]
    return (
        f"| {part} | {metrics['num_galaxies']} | {metrics['rmse']:.4f} "
        f"| {low:.4f} to {high:.4f} | {metrics['mean_vector_rmse']:.4f} "
        f"| {metrics['tree_residual']:.4f} |\n"
    )


def model_card(
    config: TrainingProtocol, metrics: dict[str, Any], provenance: dict[str, Any]
) -> str:
    """The card as Markdown."""
    parts = [(part, metrics.get(part)) for part in ("validation", "test")]
    note = "" if metrics.get("test") is None else " The test part was used to choose nothing."
    return _TEMPLATE.format(
        architecture=config.architecture,
        crop=provenance["preprocessing"]["crop"],
        side=provenance["preprocessing"]["side"],
        rows="".join(_row(part, values) for part, values in parts if values is not None),
        test_note=note,
        study=provenance["study"] or "(none, a single training run)",
        trial=provenance["trial"] or "-",
        fingerprint=provenance["data_fingerprint"],
        commit=provenance["git_commit"] or "unknown",
        config=to_yaml(config),
    )
