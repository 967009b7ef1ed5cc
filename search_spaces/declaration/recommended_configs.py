"""The configs that galaxytune recommends for an architecture, read from a file with their origin.

The files lie in search_spaces/recommended, one for each architecture that has a list. The script
benchmarks/recommend.py writes them from recorded trainings.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from search_spaces.declaration.yaml_text import read_yaml

FOLDER = Path(__file__).resolve().parents[1] / "recommended"
CONFIGS = "configs"  # the key of the list; the other keys tell the origin


@cache  # the files do not change while a process runs
def recommended_configs(architecture: str) -> tuple[Mapping[str, Any], ...]:
    """Return the recommended configs of an architecture in order, each as values by field name.

    architecture: the architecture's name. FileNotFoundError is raised if the architecture has no
    list, InvalidInput if the file is damaged.
    """
    return tuple(read_yaml(FOLDER / f"{architecture}.yaml")[CONFIGS])
