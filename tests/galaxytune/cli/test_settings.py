"""Settings of the command line: read as YAML, and what is no setting refused."""

import pytest

from galaxytune.cli.plan_options import parse_settings
from search_spaces.declaration import InvalidInput, config_from_values


def test_settings_are_read_as_yaml() -> None:
    settings = ["learning_rate=3e-4", "flips=true", "epochs=7", "optimizer=adamw"]
    config = config_from_values({"architecture": "simple_cnn", **parse_settings(settings)})
    assert (config.learning_rate, config.flips) == (3e-4, True)
    assert (config.epochs, config.optimizer) == (7, "adamw")


@pytest.mark.parametrize(
    "setting", ["learning_rate", "=3", "learning_rate=[", "epochs=2026-13-01"]
)
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInput, match="--set") as error:
        parse_settings([setting])
    assert "\n" not in str(error.value)
