"""The model card of an export: a page in Markdown on what the model is and how to use it."""

from collections.abc import Collection, Sequence
from textwrap import fill
from typing import Any

from galaxytune.models.export_folder import ExportedMember, ensemble_label
from galaxytune.models.export_sentences import calibration_sentence, gain_sentences, refit_sentence
from galaxytune.models.view_metrics import view_sentence
from search_spaces.declaration import TrainingProtocol, to_yaml
from trainables.galaxies import seen_side

_WIDTH = 95  # characters of a line
_TEMPLATE = """\
# {title}: vote fractions of the Galaxy Zoo 2 decision tree

{what} maps one galaxy image ({side} x {side} pixels, RGB) to 37 vote fractions, the
answers that a crowd would give to the 11 questions of the Galaxy Zoo 2 decision tree.

## Use

    galaxytune predict THIS_FOLDER IMAGES OUT.csv

{views}IMAGES is a folder or zip of JPEG, PNG, TIFF or WebP files, an npz, or a catalog with
`id_str,file_loc`.
An image file of another size than {side} x {side} pixels is cropped to its central {crop} x {crop}
pixels and then reduced to {side} x {side} pixels. The images of an npz must have {side} x {side}
pixels.{seen}
{portable}
## Metrics
{refit}
| part | galaxies | RMSE | 95 % interval | mean vector | mean tree residual |
|---|---|---|---|---|---|
{rows}
RMSE is over all N x 37 values. The interval is a bootstrap over galaxies of this one trained
model; it does not hold the scatter between seeds. "Mean vector" is the RMSE of predicting
the part's own mean for every galaxy.{test_note}
{gains}
## Where it comes from

Study {study}, {trained}; data {fingerprint}; commit {commit}.

{contents}

## Limits

Trained on the galaxies of one survey and one image size. Vote fractions describe what
volunteers see in such images, seeing and distance included, not the galaxy's true form.
"""


_MEMBERS = """\
## Members

| number | weight | study | trial | architecture | central pixels seen | validation RMSE alone |
|---|---|---|---|---|---|---|
{rows}
Each member cuts the central part of an image that it sees itself. The vote fractions of the
ensemble are the weighted mean of its members' vote fractions. The members were chosen on the
validation galaxies, one after the other and with replacement (Caruana et al. 2004). `members/1`
and so on hold the config and the weights of each."""

# How the two portable files are used: Python, which a test runs. The lines need no galaxytune.
_READ_IMAGE = """\
crop, side = int(about["crop"]), int(about["side"])
image = Image.open("galaxy.jpg").convert("RGB")
if image.size != (side, side):
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    image = image.crop((left, top, left + crop, top + crop)).resize((side, side), Image.BICUBIC)
images = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255
"""
_PORTABLE = {
    "model.onnx": f"""
## Use without galaxytune: ONNX Runtime

`model.onnx` maps `images` [B, 3, {{side}}, {{side}}], float32 RGB in 0..1, to `fractions` [B, 37].

```python
import json, numpy as np, onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("model.onnx")
about = session.get_modelmeta().custom_metadata_map
{_READ_IMAGE}\
(fractions,) = session.run(["fractions"], {{{{"images": images}}}})
print(dict(zip(json.loads(about["columns"]), fractions[0].tolist())))
```
""",
    "model.pt2": f"""
## Use without galaxytune: PyTorch

`model.pt2` maps images [B, 3, {{side}}, {{side}}], float32 RGB in 0..1, to vote fractions [B, 37].

```python
import json, numpy as np, torch
from PIL import Image

about = {{{{"columns": ""}}}}  # torch.export.load adds what the file says about itself
module = torch.export.load("model.pt2", extra_files=about).module()
{_READ_IMAGE}\
fractions = module(torch.from_numpy(images))
print(dict(zip(json.loads(about["columns"]), fractions[0].tolist())))
```
""",
}


def _row(part: str, metrics: dict[str, Any]) -> str:
    """Return the line of a Markdown table, with its line break, with the metrics of one part.

    part: name of the part. metrics: what `split_metrics` returns for the part.
    """
    low, high = metrics["rmse_interval_95"]
    return (
        f"| {part} | {metrics['num_galaxies']} | {metrics['rmse']:.4f} "
        f"| {low:.4f} to {high:.4f} | {metrics['mean_vector_rmse']:.4f} "
        f"| {metrics['tree_residual']:.4f} |\n"
    )


def _seen(config: TrainingProtocol, side: int) -> str:
    """Return a sentence on the part of an image that the network sees; "" if it sees all.

    side: width and height of the images, in pixels. The sentence begins with a line break.
    """
    part = seen_side(side, config.field_fraction)
    if part == side:
        return ""
    return (
        f"\nThe network sees the central {part} x {part} of these pixels and cuts them itself; "
        "the pixels\naround them came into view when the images of the training were moved."
    )


def model_card(
    config: TrainingProtocol,
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Collection[str] = (),
) -> str:
    """Return the model card of an export as Markdown text.

    config: the config that was trained. metrics: for the parts `validation` and `test`, what
    `split_metrics` returns; each may be None or missing. The part `validation` may also hold what
    `view_metrics` returns. `refit` says what a refit was trained on, and `calibrated` whether the
    last layer was calibrated; other keys are ignored.
    provenance: what `provenance_of` returns. portable: the names of the portable files beside the
    card, of `model.onnx` and `model.pt2`.
    """
    return _card(
        metrics,
        provenance,
        portable,
        title=config.architecture,
        what="A network that",
        trained=f"trial {provenance['trial'] or '-'}",
        contents=f"## Config\n\n```yaml\n{to_yaml(config)}```",
        seen=_seen(config, provenance["preprocessing"]["side"]),
    )


def ensemble_card(
    members: Sequence[ExportedMember],
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Collection[str] = (),
) -> str:
    """Return the model card of an exported ensemble as Markdown text.

    members: the members in order. metrics: as in `model_card`, with the key `ensemble`, which says
    what the ensemble gains. provenance, portable: as in `model_card`.
    """
    side = provenance["preprocessing"]["side"]
    rows = "".join(
        f"| {number} | {member.weight:.3f} | {entry.study} | {entry.trial} | {entry.architecture} "
        f"| {seen_side(side, member.config.field_fraction)} | {entry.val_rmse:.4f} |\n"
        for number, member in enumerate(members, start=1)
        for entry in (member.entry,)
    )
    gains = "".join(f"\n{sentence}\n" for sentence in gain_sentences(metrics))
    label = ensemble_label(len(members))
    return _card(
        metrics,
        provenance,
        portable,
        title=label.capitalize(),
        what=f"An {label} that",
        trained="its best trials",
        contents=_MEMBERS.format(rows=rows),
        gains=gains,
    )


def _card(
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Collection[str],
    *,
    title: str,
    what: str,
    trained: str,
    contents: str,
    gains: str = "",
    seen: str = "",
) -> str:
    """Return a model card as Markdown text.

    metrics, provenance, portable: as in `model_card`. title: the heading. what: the beginning of
    the first sentence. trained: which trials trained the model. contents: the section on the
    config or the members. gains: lines on what an ensemble gains. seen: what `_seen` returns.
    """
    side = provenance["preprocessing"]["side"]
    parts = [(part, metrics.get(part)) for part in ("validation", "test")]
    views = view_sentence(metrics.get("validation") or {})
    note = "" if metrics.get("test") is None else " The test part was used to choose nothing."
    calibrated = calibration_sentence(metrics)
    refit = refit_sentence(metrics)
    return _TEMPLATE.format(
        title=title,
        what=what,
        crop=provenance["preprocessing"]["crop"],
        side=side,
        views=f"{fill(views, _WIDTH)}\n\n" if views else "",
        seen=seen,
        portable="".join(text.format(side=side) for n, text in _PORTABLE.items() if n in portable),
        refit=f"\n**{refit}**\n" if refit else "",
        rows="".join(_row(part, values) for part, values in parts if values is not None),
        test_note=note + (f"\n{fill(calibrated, _WIDTH)}" if calibrated else ""),
        gains=gains,
        study=provenance["study"] or "(none, a single training run)",
        trained=trained,
        fingerprint=provenance["data_fingerprint"],
        commit=provenance["git_commit"] or "unknown",
        contents=contents,
    )
