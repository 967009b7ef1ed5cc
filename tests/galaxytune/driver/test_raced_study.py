"""A search on a real Ray that ends with further seeds of its best configs."""

from pathlib import Path

import pytest

from analysis.records import best_trial, key_without_seed, mean_rmse
from galaxytune.driver.run import run_study
from galaxytune.models.export import export_best
from galaxytune.study.results import outcome_lines
from tests.support.processes import kill_a_driver_when
from tests.support.studies import assert_whole, training_study

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("single_ray")]


def test_a_race_survives_its_driver_and_its_best_config_is_exported(
    toy_npz: Path, tmp_path: Path
) -> None:
    folder = training_study(
        toy_npz, tmp_path / "studies", trials=20, epochs=1, halving=False, keep_checkpoints=1
    )
    kill_a_driver_when(lambda: len(folder.records()) >= 17, folder, cpus=1)
    run_study(folder)
    assert_whole(folder)
    records = folder.records()
    seeds = [r for r in records if r.further_seed]
    assert {r.config.seed for r in records if not r.further_seed} == {0}
    groups: dict[str, list[int]] = {}
    for seed in seeds:
        groups.setdefault(key_without_seed(seed.config), []).append(seed.config.seed)
    assert {len(set(g)) for g in groups.values()} == {len(g) for g in groups.values()}
    assert len(groups) == 2 and min(len(g) for g in groups.values()) >= 1
    assert len({r.val_rmse for r in seeds}) == len(seeds)  # each seed is another training
    best = best_trial(records)
    alike = [r for r in records if key_without_seed(r.config) == key_without_seed(best.config)]
    assert f"{mean_rmse(alike):.4f} over {len(alike)} seeds" in outcome_lines(folder)[1]
    assert export_best(folder, tmp_path / "best").id == best.id
