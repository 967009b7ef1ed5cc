"""The provenance that a plan gets when a study is made."""

import importlib.metadata

import pytest

from galaxytune.plan import package_versions


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_wandb(name: str) -> str:
        if name == "wandb":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    whole = package_versions()
    monkeypatch.setattr(importlib.metadata, "version", without_wandb)
    assert package_versions() == {k: v for k, v in whole.items() if k != "wandb"}
    assert "wandb" in whole and "torch" in whole
