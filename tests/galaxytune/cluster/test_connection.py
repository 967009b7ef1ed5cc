"""The address of a cluster, before and while this process connects."""

from typing import Any

import pytest

from galaxytune.cluster.connection import ClusterAddress, ray_connection
from search_spaces.declaration.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address": 3}, "^address must be a text such as HOST:PORT, got 3$"),
        ({"local_cpus": 0}, "^local_cpus must be a whole number from 1, got 0$"),
        ({"local_cpus": 1.5}, "^local_cpus must be a whole number from 1, got 1.5$"),
        ({"local_gpus": -1}, "^local_gpus must be a whole number from 0, got -1$"),
        ({"local_gpus": True}, "^local_gpus must be a whole number from 0, got True$"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        ClusterAddress(**given)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["", "nowhere", "ray://"])
def test_an_address_of_a_wrong_form_is_told(address: str) -> None:
    with pytest.raises(InvalidInput, match=f"^no Ray cluster at '{address}': "):
        with ray_connection(ClusterAddress(address)):
            raise AssertionError("connected")
