"""How large packs of one config pay on this device, measured; run as a process of its own.

Reads one JSON request on standard input and prints one JSON document: what was measured and
chosen, or {"failure": reason}.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from search_spaces import config_from_values
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.packing_speed import measure_packing
from trainables.training import training_device


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Measure packs of `config` on `data`, a path, with `num_threads`, on a GPU if `uses_gpu`."""
    torch.set_num_threads(request["num_threads"])
    device = training_device(request["uses_gpu"])
    if device.type == "cpu":
        return {"failure": "torch finds no GPU that it can use"}
    config, galaxies = config_from_values(request["config"]), open_galaxies(Path(request["data"]))
    choice = measure_packing(config, galaxies, device)
    return {**choice.as_json(), "sentence": choice.sentence()}


def main() -> None:
    """Answer the request on standard input."""
    try:
        answer = measure(json.load(sys.stdin))
    except (RuntimeError, MemoryError, ValueError) as error:
        answer = {"failure": f"{one_line(error)[:300]}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
