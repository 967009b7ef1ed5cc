"""Trained networks as notebooks use them: predictions, explanations and metrics."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.declaration import InvalidInput, TrainingProtocol, given_path

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from galaxytune.models import Crop, ExportedMember, ImageExplanation
    from trainables.layers import GalaxyNetwork
    from trainables.training import NumViews


def load_model(folder: str | Path) -> "Model":
    """Load a model from the folder that `Study.export` or `train` wrote.

    The call changes torch's global random state.

    Args:
        folder: The folder with ``config.yaml``, ``model.safetensors`` and ``provenance.json``, or
            the folder of an ensemble; ``metrics.json`` may be missing.

    Returns:
        The model, on the CPU.

    Raises:
        InvalidInput: One of the needed files is missing, or a file is damaged, or weights do not
            fit their config.

    Example:
        >>> import galaxytune
        >>> galaxytune.load_model("trained").config.architecture
        'simple_cnn'
    """
    from galaxytune.models import load_export

    return Model(load_export(given_path(folder)))


class Model:
    """A trained network that predicts vote fractions, with its config and its metrics.

    `load_model`, `train` and `Study.export` return models.
    """

    def __init__(self, export: Any) -> None:
        """Take a loaded export folder; callers use `load_model` instead.

        export: the `Export` that `galaxytune.models.load_export` returns. The model keeps this
        object, not a copy. Anything else raises InvalidInput.
        """
        from galaxytune.models import Export

        if not isinstance(export, Export):
            kind = type(export).__name__
            raise InvalidInput(f"a Model is made by load_model(FOLDER), not from a {kind}")
        self._export = export

    def __repr__(self) -> str:
        """Return the architecture and, unless the metrics lack it, the validation RMSE.

        An ensemble is shown as `ensemble of 3 networks`.
        """
        rmse = self.metrics.get("validation", {}).get("rmse")
        told = "" if rmse is None else f", validation RMSE {rmse:.4f}"
        return f"<Model {self.label}{told}>"

    @property
    def label(self) -> str:
        """The architecture, or for an ensemble a text such as `ensemble of 3 networks`."""
        label: str = self._export.label
        return label

    @property
    def config(self) -> TrainingProtocol:
        """The frozen config that was trained.

        For an ensemble the config is that of the first of `members`, which has the largest weight.
        """
        config: TrainingProtocol = self._export.config
        return config

    @property
    def members(self) -> "tuple[ExportedMember, ...]":
        """The members of an ensemble, the largest weight first; () for a single network.

        Each member has ``config``, the frozen config that was trained, ``weight`` in 0..1, and
        ``entry`` with ``picks``, ``study``, ``trial``, ``architecture``, ``val_rmse`` (of the
        member alone, before any refit) and ``best_epoch``.
        """
        members: tuple[ExportedMember, ...] = self._export.members
        return members

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of ``metrics.json`` by name; {} if the folder has no such file.

        ``validation`` holds ``num_galaxies``, ``rmse``, ``rmse_interval_95``,
        ``mean_vector_rmse``, ``tree_residual`` and ``rmse_q1`` to ``rmse_q11``. ``best_epoch`` is
        counted from 1. ``calibrated`` says whether the last layer was calibrated on the validation
        galaxies; it is missing in older exports. A model of `Study.export` also has ``test``, with
        the same keys as ``validation`` or None without test galaxies, ``noise_floor``, and
        ``published_val_rmse``, None if no trial with a published config is complete. An ensemble
        has no ``best_epoch``; its ``ensemble`` says what it gains, with ``num_picks``, ``rmse``,
        ``over_best`` and ``over_seeds``. ``refit`` is there if the weights were trained again:
        its ``rows`` are ``all`` or ``not_test``, and its ``metrics_are_of`` says for
        ``validation`` and ``test`` which of the models before and after the refit was measured.
        The dict is not a copy.
        """
        metrics: dict[str, Any] = self._export.metrics
        return metrics

    @property
    def provenance(self) -> dict[str, Any]:
        """The origin of the model: the content of ``provenance.json`` by name.

        The names are ``study`` and ``trial`` (both None for a model of `train`, ``trial`` None
        for an ensemble),
        ``data_fingerprint``, ``versions`` of Python and packages, ``git_commit``, which may be
        None, ``preprocessing`` with ``crop`` and ``side`` in pixels and ``resize``, and
        ``largest_difference_by_file``, which compares ``model.onnx`` and ``model.pt2`` with the
        network. The dict is not a copy.
        """
        provenance: dict[str, Any] = self._export.provenance
        return provenance

    @property
    def network(self) -> "GalaxyNetwork":
        """The network itself, a torch.nn.Module; every access returns the same object.

        The network maps images [B, 3, S, S] float32 in 0..1 to vote fractions [B, 37] in 0..1,
        where S is the network's `image_side` in pixels. The images show the part that the network
        sees, whose width is the network's `field_fraction` of what `predict` takes. The network of
        an ensemble averages its members; its images are whole and have the side of the images of
        the training. A loaded network is on the CPU and in evaluation mode. `predict` and
        `explain` move the network to the GPU if torch finds a GPU, and `predict` puts it into
        evaluation mode again.
        """
        network: GalaxyNetwork = self._export.network
        return network

    def predict(
        self,
        images: "NDArray[np.uint8] | str | Path | pd.DataFrame",
        *,
        crop: "Crop" = "training",
        views: "NumViews | None" = None,
        on_progress: Callable[[int], None] | None = None,
        on_skipped: Callable[[str], None] | None = None,
    ) -> "pd.DataFrame":
        """Predict the vote fractions of images.

        An image that is not as large as the images of the training is cut to its centre and
        reduced, as the images of the training were; ``provenance`` holds both sizes under
        ``preprocessing``. An image that is as large is used uncut. The images of a galaxy file
        that were cut and reduced otherwise than those of the training are refused. Of channels
        with 16 bits the upper 8 are used. Transparent pixels are blended with black. The call
        moves `network` to the GPU if torch finds a GPU.

        Args:
            images: Pixels [N, H, W, 3] or [H, W, 3] uint8; a folder or zip of JPEG, PNG, TIFF or
                WebP files; one such file; a galaxy file (npz), with or without votes; or a catalog
                (a CSV or parquet file, or a DataFrame) with the columns ``id_str`` and
                ``file_loc``. A relative path in ``file_loc`` begins at the folder of the catalog's
                file, or, for a DataFrame, at the current folder. The subfolders of a folder are
                searched too, but hidden folders are not.
            crop: The side in pixels of the central square that is kept of each image, for images
                of another field of view or scale than those of the training. ``"training"`` keeps
                what was kept in the training, and ``"none"`` keeps the largest square. The square
                is always resized to the size of the images of the training.
            views: 8 averages the predictions of the eight rotations by 90 degrees and mirrorings
                of each image, which takes eight times as long; 1 predicts each image as it is. By
                default 8 if ``metrics`` show that 8 views lower the validation RMSE by at least
                1 %, else 1; the model card says which.
            on_progress: Is called after each batch of at most 512 images with the number of images
                predicted so far. Skipped images are not counted.
            on_skipped: Is called, after all predictions, with one text ``NAME: REASON`` for each
                image file that cannot be read or is smaller than the crop. By default one
                UserWarning says how many images were skipped and why.

        Returns:
            One row for each image that was read: ``id_str``, a text (the file's name without
            suffix, the id of the catalog or of the galaxy file, or the row of the array, from 0),
            and 37 vote fractions in 0..1, in the columns and the order of Kaggle: ``Class1.1`` to
            ``Class11.6``. The images of a folder or zip are in the order of their paths.

        Raises:
            InvalidInput: The images cannot be found, none of them can be read, two images have
                the same id, a catalog lacks a column or does not hold its ids exactly, the images
                of a galaxy file were cut or reduced otherwise, or an array is empty, has another
                type or shape, or has images smaller than the crop.
            WorkFailed: Memory does not hold even one image.

        Example:
            >>> import galaxytune
            >>> import numpy as np
            >>> black = np.zeros((2, 64, 64, 3), np.uint8)
            >>> table = galaxytune.load_model("trained").predict(black)
            >>> table.shape
            (2, 38)
        """
        from galaxytune.models import predict_images
        from trainables.files import counted
        from trainables.galaxies import grouped

        given = given_path(images) if isinstance(images, str | Path) else images
        found = predict_images(
            self._export, given, crop=crop, num_views=views, on_progress=on_progress
        )
        if on_skipped is not None:
            for one in found.skipped:
                on_skipped(str(one))
        elif found.skipped:
            were = "was" if len(found.skipped) == 1 else "were"
            more = f"{counted(len(found.skipped), 'image')} could not be read and {were} skipped"
            warnings.warn(f"{more}: {'; '.join(grouped(found.skipped))}", stacklevel=2)
        return found.table

    def explain(
        self,
        image: "str | Path | NDArray[np.uint8]",
        question: str | int,
        *,
        crop: "Crop" = "training",
    ) -> "ImageExplanation":
        """Explain which part of an image the network's answer to a question depends on.

        The explained answer is the answer to the question that the network gives the highest vote
        fraction. The image is cut and reduced as in `predict`. The call moves `network` to the GPU
        if torch finds a GPU.

        Args:
            image: A JPEG, PNG, TIFF or WebP file, or pixels [H, W, 3] uint8.
            question: Number of a question from 1 to 11, its name, or a part of its name that no
                other question's name has. The case does not matter.
            crop: As in `predict`.

        Returns:
            The explanation, with ``answer``, its predicted vote fraction ``fraction``, ``heat``
            and ``method``, and the methods ``figure()`` and ``save(path)``. ``heat`` is a heat map
            [S, S] in 0..1, where S is the network's `image_side`; 1 matters most. The map covers
            the part of the image that the network sees.

        Raises:
            InvalidInput: The question is unknown or not unique, or the image is missing, damaged,
                smaller than the crop, or of another type or shape.
            WorkFailed: Memory does not hold the image's prediction.

        Example:
            >>> import galaxytune
            >>> import numpy as np
            >>> black = np.zeros((64, 64, 3), np.uint8)
            >>> explanation = galaxytune.load_model("trained").explain(black, "spiral arms")
            >>> explanation.heat.shape
            (64, 64)
        """
        from galaxytune.models import explain_image

        given = given_path(image) if isinstance(image, str | Path) else image
        return explain_image(self._export, given, question, crop=crop)
