"""Measurement of the packs of one config on this device, run as a process of its own.

The process reads one JSON request on standard input and prints one JSON document on one line: the
measured speeds, the chosen size of packs and a sentence, or {"failure": reason}.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from search_spaces.declaration import config_from_values
from trainables.device import training_device
from trainables.files import one_line
from trainables.galaxies import open_galaxies
from trainables.packs import measure_packing


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measured speeds of packs of a config, the chosen size, and a sentence.

    request: config (values by field name), data (path of a galaxy file, not None), num_threads and
    uses_gpu, as `probe_request` makes them. `num_threads` is set for the whole process.

    The keys of the result are the fields of `PackingChoice` (`device`, `in_turn`, `stacked` and
    `size`) and `sentence`. If there is no GPU, or `uses_gpu` is False, the result is the reason
    under the key `failure`. InvalidInput is raised if the config or the file is wrong, OutOfMemory
    if memory does not hold one galaxy.
    """
    torch.set_num_threads(request["num_threads"])
    device = training_device(request["uses_gpu"])
    if device.type == "cpu":
        return {"failure": "torch finds no GPU that it can use"}
    config, galaxies = config_from_values(request["config"]), open_galaxies(Path(request["data"]))
    choice = measure_packing(config, galaxies, device)
    return {**choice.as_json(), "sentence": choice.sentence()}


def main() -> None:
    """Read the request on standard input, and print the answer as one line of JSON.

    A RuntimeError, MemoryError or ValueError of the measurement is printed as
    {"failure": its text}. Any other error ends the process with a traceback.
    """
    try:
        answer = measure(json.load(sys.stdin))
    except (RuntimeError, MemoryError, ValueError) as error:
        answer = {"failure": f"{one_line(error)[:300]}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
