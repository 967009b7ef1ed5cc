"""The description of a model on the Hugging Face hub, which an export keeps beside its weights."""

from pathlib import Path

from search_spaces.declaration import TrainingProtocol
from search_spaces.timm import is_on_hub
from trainables.files import write_atomically

FOLDER = "hub"  # folder in an export; timm reads the file config.json in it


def keep_description(out: Path, config: TrainingProtocol) -> None:
    """Write the description of a config's hub model to the folder `hub` of an export.

    out: the export folder. For any other architecture nothing is written, and the description of
    an earlier export is deleted. With the description
    the network can be built without a network. InvalidInput is raised if the description is
    neither in the hub's cache nor to be had, OSError if the file cannot be written.
    """
    if not is_on_hub(config.architecture):
        return drop_description(out)
    from trainables.backbones import DESCRIPTION, description_file  # the import loads timm

    text = description_file(config.architecture.removeprefix("timm:")).read_text()
    path = out / FOLDER / DESCRIPTION
    write_atomically(path, lambda temporary: temporary.write_text(text))


def drop_description(out: Path) -> None:
    """Delete the description in an export folder, and its folder `hub` if it is then empty."""
    folder = out / FOLDER
    if not folder.is_dir():
        return
    from trainables.backbones import DESCRIPTION  # the import loads timm

    (folder / DESCRIPTION).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def use_description(folder: Path, config: TrainingProtocol) -> None:
    """Let this process build a config's hub model from the description in an export folder.

    Nothing happens for any other architecture, or if the export has no description.
    """
    if not is_on_hub(config.architecture):
        return
    from trainables.backbones import DESCRIPTION, remember_description  # the import loads timm

    if (folder / FOLDER / DESCRIPTION).is_file():
        name = config.architecture.removeprefix("timm:")
        remember_description(name, (folder / FOLDER).resolve())
