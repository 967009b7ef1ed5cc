"""An export of a hub model builds its network without the hub and without the hub's cache."""

import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from galaxytune.models.export_folder import load_export
from galaxytune.models.export_metrics import split_metrics
from galaxytune.models.export_writing import write_export
from galaxytune.models.provenance import provenance_of
from search_spaces.declaration import config_from_values
from tests.support.hub_cache import store_encoder
from trainables.architectures import build_network
from trainables.backbones import hub_models
from trainables.galaxies import Galaxies

ENCODER = "owner/encoder"


@pytest.mark.slow
def test_an_export_of_a_hub_model_needs_no_hub(
    toys: Galaxies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_models, "_LOCAL", {})
    hub_models.described.cache_clear()
    store_encoder(tmp_path / "cache", ENCODER)
    values = {"architecture": f"timm:hf_hub:{ENCODER}", "input_side": 32, "head_width": 8}
    config = config_from_values(values)
    weights = build_network(config).state_dict()
    metrics = {"validation": split_metrics(toys.target, toys.target)}
    write_export(tmp_path / "out", config, weights, metrics, provenance_of("0", toys))
    shutil.rmtree(tmp_path / "cache")
    hub_models.described.cache_clear()
    (tmp_path / "out").rename(tmp_path / "moved")
    found = load_export(tmp_path / "moved").network
    assert dict(found.named_buffers())["normalisation.mean"].flatten().tolist() == [0.25] * 3
    monkeypatch.setattr(hub_models, "_LOCAL", {})
    hub_models.described.cache_clear()
    earlier = config.model_copy(update={"begin_from": str(tmp_path / "moved")})
    begun = build_network(earlier).state_dict()
    assert all(torch.equal(begun[name], tensor) for name, tensor in weights.items())
