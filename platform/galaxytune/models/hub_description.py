"""The description of a model on the Hugging Face hub, which an export keeps beside its weights."""

from pathlib import Path

from search_spaces.declaration import TrainingProtocol
from search_spaces.timm import is_on_hub
from trainables.backbones import HUB_FOLDER
from trainables.files import write_atomically


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
    path = out / HUB_FOLDER / DESCRIPTION
    write_atomically(path, lambda temporary: temporary.write_text(text))


def drop_description(out: Path) -> None:
    """Delete the description in an export folder, and its folder `hub` if it is then empty."""
    folder = out / HUB_FOLDER
    if not folder.is_dir():
        return
    from trainables.backbones import DESCRIPTION  # the import loads timm

    (folder / DESCRIPTION).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
