"""A model on the Hugging Face hub as the hub's cache lays it out, for tests without a network."""

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file

COMMIT = "a" * 40


def store_encoder(cache: Path, repository: str, *, channels: int = 3, **told: Any) -> Any:
    """Write a ResNet-18 without classifier to the cache of the hub; return timm's model.

    cache: the folder of the cache. repository: OWNER/NAME. channels: of the images. told: values
    that replace those of the description.
    """
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    torch.manual_seed(1)
    model = timm.create_model("resnet18", num_classes=0, in_chans=channels)
    save_file(dict(model.state_dict()), str(snapshot / "model.safetensors"))
    published = {
        "input_size": [channels, 224, 224],
        "mean": [0.25] * channels,
        "std": [0.5] * channels,
        "num_classes": 0,
        "first_conv": "conv1",
        "classifier": "fc",
    }
    values = {"architecture": "resnet18", "num_classes": 0, "pretrained_cfg": published, **told}
    (snapshot / "config.json").write_text(json.dumps(values))
    return model
